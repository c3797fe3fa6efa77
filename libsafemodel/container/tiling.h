// SPDX-License-Identifier: Apache-2.0
// Objects tile the core: every byte has one owner.
#pragma once

#include <vector>

#include "container/format.h"

namespace safemodel::container {

// CheckOffsets checks what the object table alone tells: raw objects have their exact places, coded ones are as long as
// some stored bytes of theirs could be. kMalformed "object_misplaced", "index_misplaced".
Status CheckOffsets(const Manifest& manifest, const std::vector<ObjectRecord>& objects);

}  // namespace safemodel::container
