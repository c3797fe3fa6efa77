// SPDX-License-Identifier: Apache-2.0
// Little-endian numbers in bytes whose size has been checked. What was not checked is read by ByteReader.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include <safemodel/bytes.h>

namespace safemodel {

// LittleEndian returns the number that `bytes` hold; there are at most eight of them.
[[nodiscard]] inline std::uint64_t LittleEndian(ByteView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint64_t{bytes[i]} << (8 * i);
  return value;
}

// LoadLittleEndian returns the number of a type at a place. Compilers know its width and make one instruction of it.
template <typename T>
requires std::integral<T> || std::floating_point<T>
[[nodiscard]] T LoadLittleEndian(ByteView bytes, std::size_t at = 0) {
  const auto field = bytes.subspan(at).first<sizeof(T)>();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::uint64_t{field[i]} << (8 * i);
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(value);
  else if constexpr (sizeof(T) == 4)
    return std::bit_cast<T>(static_cast<std::uint32_t>(value));
  else
    return std::bit_cast<T>(value);
}

// StoreLittleEndian writes the bytes of a number to the front of `bytes`.
template <std::unsigned_integral T>
void StoreLittleEndian(MutableBytes bytes, T value) {
  const auto field = bytes.first<sizeof(T)>();
  for (std::size_t i = 0; i < sizeof(T); ++i) field[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace safemodel
