// SPDX-License-Identifier: Apache-2.0
// The payload of int nodes.
#pragma once

#include <bit>
#include <cstdint>

#include <safemodel/bytes.h>

#include "base/little_endian.h"

namespace safemodel {

// MinimalIntegerBytes returns how many of the bytes a two's complement little-endian integer needs; zero needs none.
inline std::size_t MinimalIntegerBytes(ByteView twos_complement) {
  std::size_t size = twos_complement.size();
  for (; size > 0; --size) {
    const std::uint8_t top = twos_complement[size - 1];
    const bool negative_below = size > 1 && (twos_complement[size - 2] & 0x80) != 0;
    const bool only_sign = negative_below ? top == 0xFF : top == 0x00;
    if (!only_sign) break;
  }
  return size;
}

// SmallInteger returns the value of a two's complement little-endian integer of at most eight bytes.
inline std::int64_t SmallInteger(ByteView twos_complement) {
  std::uint64_t value = LittleEndian(twos_complement);
  const std::size_t size = twos_complement.size();
  if (size > 0 && size < 8 && (twos_complement[size - 1] & 0x80) != 0) value |= ~std::uint64_t{0} << (8 * size);
  return std::bit_cast<std::int64_t>(value);
}

}  // namespace safemodel
