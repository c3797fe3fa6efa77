// SPDX-License-Identifier: Apache-2.0
#include "trust/glob.h"

#include <vector>

namespace safemodel::trust {

bool GlobMatches(std::string_view glob, std::string_view name) {
  // reached[i]: the part of the glob read so far matches the first i letters. No backtracking, so no slow patterns.
  std::vector<char> reached(name.size() + 1, 0);
  reached[0] = 1;
  for (std::size_t g = 0; g < glob.size(); ++g) {
    std::vector<char> next(name.size() + 1, 0);
    if (glob[g] != '*') {
      for (std::size_t i = 0; i < name.size(); ++i)
        next[i + 1] = static_cast<char>(reached[i] != 0 && name[i] == glob[g]);
    } else {
      const bool crosses = g + 1 < glob.size() && glob[g + 1] == '*';
      if (crosses) ++g;
      for (std::size_t i = 0; i <= name.size(); ++i) {
        const bool grows = i > 0 && next[i - 1] != 0 && (crosses || name[i - 1] != '/');
        next[i] = static_cast<char>(reached[i] != 0 || grows);
      }
    }
    reached = std::move(next);
  }
  return reached[name.size()] != 0;
}

}  // namespace safemodel::trust
