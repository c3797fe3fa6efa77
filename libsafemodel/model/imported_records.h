// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "container/format.h"
#include "value/imported.h"

namespace safemodel {

// RecordsOf returns the tensors of an imported model as a directory states them, without digests.
std::vector<container::TensorRecord> RecordsOf(const ImportedModel& model);

}  // namespace safemodel
