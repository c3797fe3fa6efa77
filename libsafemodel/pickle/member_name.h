// SPDX-License-Identifier: Apache-2.0
// Names of archive members.
#pragma once

#include <string_view>

namespace safemodel::pickle {

// IsSafeMemberName says that no reader is led out of a folder, cuts the name at a NUL, or takes it for another one: it
// is not absolute, has no `..`, drive, backslash or control character.
bool IsSafeMemberName(std::string_view name);

}  // namespace safemodel::pickle
