// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace safemodel::trust {

// GlobMatches compares a model name with the glob of a rule: `*` stands for any letters but '/', `**` for any letters,
// every other letter for itself. Time is at most the product of the two lengths.
bool GlobMatches(std::string_view glob, std::string_view name);

// GlobCovers says that `outer` matches all that `inner` matches. It may overlook such a pair whose stars are cut
// differently, and never claims one that is none.
bool GlobCovers(std::string_view outer, std::string_view inner);

// GlobsMeet says whether some text is matched by both.
bool GlobsMeet(std::string_view a, std::string_view b);

}  // namespace safemodel::trust
