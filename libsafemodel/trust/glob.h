// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace safemodel::trust {

// GlobMatches compares a model name with the glob of a rule: `*` stands for any letters but '/', `**` for any letters,
// every other letter for itself. Time is at most the product of the two lengths.
bool GlobMatches(std::string_view glob, std::string_view name);

}  // namespace safemodel::trust
