// SPDX-License-Identifier: Apache-2.0
// Refusals of this folder, by stage.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <safemodel/result.h>

namespace safemodel::container {

inline Error Malformed(const char* code, const char* text, std::string_view subject = {},
                       std::uint64_t offset = kNoOffset) {
  return {Stage::kMalformed, code, text, offset, std::string(subject)};
}
inline Error Unsupported(const char* code, const char* text, std::string_view subject = {},
                         std::uint64_t offset = kNoOffset) {
  return {Stage::kUnsupported, code, text, offset, std::string(subject)};
}
inline Error OverLimit(const char* code, const char* text, std::string_view subject = {},
                       std::uint64_t offset = kNoOffset) {
  return {Stage::kLimit, code, text, offset, std::string(subject)};
}

}  // namespace safemodel::container
