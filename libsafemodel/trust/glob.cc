// SPDX-License-Identifier: Apache-2.0
#include "trust/glob.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace safemodel::trust {
namespace {

// A part of a glob: a letter, or a star that stands for any number of letters.
struct Part {
  enum class Kind : std::uint8_t { kLetter, kStar, kDoubleStar };
  Kind kind = Kind::kLetter;
  char letter = 0;

  [[nodiscard]] bool star() const { return kind != Kind::kLetter; }
  // May one letter that `other` stands for be one of those that this star stands for?
  [[nodiscard]] bool Takes(const Part& other) const {
    if (kind == Kind::kDoubleStar) return true;
    return kind == Kind::kStar && other.kind != Kind::kDoubleStar && (other.star() || other.letter != '/');
  }
};

std::vector<Part> PartsOf(std::string_view glob) {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] != '*') {
      parts.push_back({Part::Kind::kLetter, glob[i]});
    } else if (i + 1 < glob.size() && glob[i + 1] == '*') {
      parts.push_back({Part::Kind::kDoubleStar, 0});
      ++i;
    } else {
      parts.push_back({Part::Kind::kStar, 0});
    }
  }
  return parts;
}

}  // namespace

bool GlobCovers(std::string_view outer, std::string_view inner) {
  // The match of `outer` with `inner` as a text, in which a star is a letter that only a star as wide takes.
  const std::vector<Part> text = PartsOf(inner);
  std::vector<char> reached(text.size() + 1, 0);
  reached[0] = 1;
  for (const Part& part : PartsOf(outer)) {
    std::vector<char> next(text.size() + 1, 0);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (part.star()) {
        next[i] = static_cast<char>(reached[i] != 0 || (i > 0 && next[i - 1] != 0 && part.Takes(text[i - 1])));
      } else if (i > 0) {
        next[i] = static_cast<char>(reached[i - 1] != 0 && !text[i - 1].star() && text[i - 1].letter == part.letter);
      }
    }
    reached = std::move(next);
  }
  return reached[text.size()] != 0;
}

bool GlobsMeet(std::string_view a, std::string_view b) {
  const std::vector<Part> left = PartsOf(a);
  const std::vector<Part> right = PartsOf(b);
  // reached[j]: the parts of `left` so far and the first j of `right` match a common text.
  std::vector<char> reached(right.size() + 1, 0);
  for (std::size_t i = 0; i <= left.size(); ++i) {
    std::vector<char> next(right.size() + 1, 0);
    for (std::size_t j = 0; j <= right.size(); ++j) {
      bool here = i == 0 && j == 0;
      if (i > 0) {
        const Part& part = left[i - 1];
        here = here || (reached[j] != 0 && part.star());  // the star stands for nothing
        if (j > 0) {
          const Part& other = right[j - 1];
          here = here || (reached[j - 1] != 0 && !part.star() && !other.star() && part.letter == other.letter);
          here = here || (next[j - 1] != 0 && !other.star() && part.Takes(other));  // the left star takes a letter
          here = here || (reached[j] != 0 && !part.star() && other.Takes(part));    // the right star takes one
        }
      }
      if (j > 0) here = here || (next[j - 1] != 0 && right[j - 1].star());
      next[j] = static_cast<char>(here);
    }
    reached = std::move(next);
  }
  return reached[right.size()] != 0;
}

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
