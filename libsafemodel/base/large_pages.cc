// SPDX-License-Identifier: Apache-2.0
#include "base/large_pages.h"

#include <sys/mman.h>

#include <algorithm>

namespace safemodel {
namespace {

constexpr std::size_t kLargePage = std::size_t{2} << 20;
constexpr std::align_val_t kAlignment{kLargePage};

}  // namespace

void* AllocateLarge(std::size_t bytes) {
  if (bytes < kLargePage) return ::operator new(bytes);
  void* memory = ::operator new(bytes, kAlignment);
#ifdef MADV_HUGEPAGE
  static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));  // advice: where it is not taken, things are slower
#endif
  return memory;
}

void FreeLarge(void* memory, std::size_t bytes) noexcept {
  if (bytes < kLargePage) return ::operator delete(memory);
  ::operator delete(memory, kAlignment);
}

MutableBytes ReadBuffer::First(std::size_t bytes) {
  if (bytes_.size() < bytes) {
    bytes_ = {};  // before it grows: nothing is to be copied
    bytes_.resize(std::max(bytes, kLargePage));
  }
  return MutableBytes(bytes_.data(), bytes);
}

}  // namespace safemodel
