// SPDX-License-Identifier: Apache-2.0
// Memory for what may become large. The system hands memory out page by page as it is touched, and for pages of 4 KiB
// that takes longer than filling them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

#include <safemodel/bytes.h>

namespace safemodel {

// AllocateLarge returns memory whose content is not set; throws std::bad_alloc. From the size of a large page on, the
// system is asked for large ones. FreeLarge gets the same size.
void* AllocateLarge(std::size_t bytes);
void FreeLarge(void* memory, std::size_t bytes) noexcept;

// LargePageAllocator is for vectors of plain values. resize(n) leaves new elements as they are.
template <typename T>
struct LargePageAllocator {
  using value_type = T;

  LargePageAllocator() = default;
  template <typename U>
  LargePageAllocator(const LargePageAllocator<U>&) noexcept {}  // containers convert allocators implicitly

  T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(AllocateLarge(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept { FreeLarge(memory, count * sizeof(T)); }

  template <typename U>
  void construct(U* at) noexcept {
    ::new (static_cast<void*>(at)) U;
  }
  template <typename U, typename... Args>
  void construct(U* at, Args&&... args) {
    ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }

  bool operator==(const LargePageAllocator&) const = default;
};

template <typename T>
using LargeVector = std::vector<T, LargePageAllocator<T>>;

// ReadBuffer is memory that files are read into, again and again. It begins on a page: the system copies what a file
// holds about twice as fast to there as to where `new` usually returns memory, 16 bytes behind a cache line.
class ReadBuffer {
 public:
  // First returns the first `bytes` of it, and gets more memory where there is too little. What they hold is not set.
  MutableBytes First(std::size_t bytes);

 private:
  LargeVector<std::uint8_t> bytes_;
};

}  // namespace safemodel
