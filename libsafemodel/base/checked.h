// SPDX-License-Identifier: Apache-2.0
// Arithmetic on numbers that a file states.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>

namespace safemodel {

// CheckedAdd returns a + b, or nothing when it does not fit.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> CheckedAdd(T a, T b) {
  T sum{};
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

// CheckedMul returns a * b, or nothing when it does not fit.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> CheckedMul(T a, T b) {
  T product{};
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// Narrow converts to a smaller type, or returns nothing when the value does not fit.
template <std::unsigned_integral To, std::unsigned_integral From>
[[nodiscard]] constexpr std::optional<To> Narrow(From value) {
  if (value > std::numeric_limits<To>::max()) return std::nullopt;
  return static_cast<To>(value);
}

// CeilDiv returns ceil(a / b) without overflow; b must not be zero.
[[nodiscard]] constexpr std::uint64_t CeilDiv(std::uint64_t a, std::uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace safemodel
