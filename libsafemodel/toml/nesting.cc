// SPDX-License-Identifier: Apache-2.0
#include "toml/nesting.h"

namespace safemodel::toml {
namespace {

// Scanner walks the text once. It knows just enough of TOML to tell strings and comments from the rest.
class Scanner {
 public:
  Scanner(std::string_view text, std::uint32_t depth) : text_(text), depth_(depth) {}

  std::optional<std::size_t> Run() {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c == '#') {
        SkipComment();
      } else if (c == '"' || c == '\'') {
        if (!SkipString(c)) return std::nullopt;
      } else {
        Count(c);
        if (brackets_ > depth_ || dots_ > depth_) return position_;
        ++position_;
      }
    }
    return std::nullopt;
  }

 private:
  // A dot belongs to a key or a number; whatever else can stand between two keys or numbers begins a new count.
  void Count(char c) {
    if (c == '.') ++dots_;
    if (c == ',' || c == '=' || c == '\n' || c == '\r' || c == '[' || c == ']' || c == '{' || c == '}') dots_ = 0;
    if (c == '[' || c == '{') ++brackets_;
    if ((c == ']' || c == '}') && brackets_ > 0) --brackets_;
  }

  void SkipComment() {
    while (position_ < text_.size() && text_[position_] != '\n') ++position_;
  }

  // SkipString says whether the string has an end.
  bool SkipString(char quote) {
    const bool is_long = position_ + 2 < text_.size() && text_[position_ + 1] == quote && text_[position_ + 2] == quote;
    position_ += is_long ? 3 : 1;
    for (; position_ < text_.size(); ++position_) {
      const char c = text_[position_];
      if (c == '\\' && quote == '"') {
        ++position_;
      } else if (c == '\n' && !is_long) {
        return false;
      } else if (c == quote && (!is_long || EndsLong(quote))) {
        ++position_;
        return true;
      }
    }
    return false;
  }

  // EndsLong moves to the last of three quotes, of up to five: the first two of five belong to the string.
  bool EndsLong(char quote) {
    std::size_t quotes = 1;
    while (quotes < 5 && position_ + quotes < text_.size() && text_[position_ + quotes] == quote) ++quotes;
    position_ += quotes - 1;
    return quotes >= 3;
  }

  std::string_view text_;
  std::uint32_t depth_;
  std::size_t position_ = 0;
  std::uint32_t brackets_ = 0;
  std::uint32_t dots_ = 0;
};

}  // namespace

std::optional<std::size_t> FindTooDeep(std::string_view text, std::uint32_t depth) {
  return Scanner(text, depth).Run();
}

}  // namespace safemodel::toml
