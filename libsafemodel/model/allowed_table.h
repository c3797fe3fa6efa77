// SPDX-License-Identifier: Apache-2.0
// How readers reach what a caller vouches for.
#pragma once

#include <safemodel/allowed_classes.h>

namespace safemodel {

// TableOf returns the table, or nothing; it lives as long as `allowed`.
const pickle::AllowList* TableOf(const AllowedClasses& allowed);

}  // namespace safemodel
