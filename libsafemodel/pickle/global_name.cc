// SPDX-License-Identifier: Apache-2.0
#include "pickle/global_name.h"

namespace safemodel::pickle {

std::string ShortName(std::string_view name) {
  constexpr std::size_t kMost = 512;
  return name.size() <= kMost ? std::string(name) : std::string(name.substr(0, kMost)) + "…";
}

std::string FullName(const GlobalName& global) { return ShortName(global.module) + "." + ShortName(global.name); }

bool IsIdentifierPath(std::string_view path) {
  bool start = true;
  for (const char letter : path) {
    const bool alphabetic = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
                            static_cast<unsigned char>(letter) >= 0x80;
    const bool digit = letter >= '0' && letter <= '9';
    if (start ? !alphabetic : !(alphabetic || digit || letter == '.')) return false;
    start = letter == '.';
  }
  return !start;
}

}  // namespace safemodel::pickle
