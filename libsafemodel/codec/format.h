// SPDX-License-Identifier: Apache-2.0
// A chunk of codec 2, as bytes (spec section 4):
//
//   plane count u8 | for each plane: method u8, stored length u32 | the planes' bytes | tail
#pragma once

#include <cstddef>
#include <cstdint>

namespace safemodel::codec {

enum class PlaneMethod : std::uint8_t { kRaw = 0, kZstd = 1 };

// PlanesHeadBytes returns the bytes in front of the first plane, which is also where the entry of plane `planes`
// begins.
constexpr std::size_t PlanesHeadBytes(std::size_t planes) { return 1 + 5 * planes; }

}  // namespace safemodel::codec
