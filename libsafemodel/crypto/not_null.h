// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <safemodel/bytes.h>

namespace safemodel::crypto {

// NotNull returns where a view starts: libsodium declares that no pointer is null, not even to zero bytes.
inline const std::uint8_t* NotNull(ByteView bytes) {
  static constexpr std::uint8_t kNothing = 0;
  return bytes.empty() ? &kNothing : bytes.data();
}

}  // namespace safemodel::crypto
