// SPDX-License-Identifier: Apache-2.0
// The memory of the test program: allocations can be made to fail, and are measured.
#pragma once

#include <cstddef>
#include <cstdint>

namespace safemodel::testing {

enum class Failing : std::uint8_t { kOne, kAllBehind };

// FailAllocations lets allocation number `n` fail, counted from 1 in all threads, or that one and all behind it, until
// it goes out of scope.
class FailAllocations {
 public:
  FailAllocations(std::size_t n, Failing failing);
  ~FailAllocations();
  FailAllocations(const FailAllocations&) = delete;
  FailAllocations& operator=(const FailAllocations&) = delete;
  // reached says whether there were as many allocations.
  [[nodiscard]] bool reached() const;
};

// MeasureAllocations remembers the largest allocation while it is in scope.
class MeasureAllocations {
 public:
  MeasureAllocations();
  [[nodiscard]] std::size_t largest() const;
};

}  // namespace safemodel::testing
