// SPDX-License-Identifier: Apache-2.0
// The masks of numpy.ma: which elements of an array do not count.
#pragma once

#include <safemodel/result.h>

#include "pickle/node.h"
#include "pickle/rule.h"

namespace safemodel::pickle {

// MaskType is what numpy.ma.make_mask_descr makes of an element type, whose node is `dtype`: a truth value for each
// element, or one for each field of a record, one behind the other. kUnsupported FILE-UNSUPPORTED for records in
// records, of objects, and whose names do not follow the places of their fields.
Result<DtypeNote> MaskType(RuleContext& context, NodeIndex dtype, const DtypeNote& type);

}  // namespace safemodel::pickle
