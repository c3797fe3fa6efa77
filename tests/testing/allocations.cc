// SPDX-License-Identifier: Apache-2.0
#include "testing/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> countdown{0};  // 0: nothing fails
std::atomic<bool> all_behind{false};
std::atomic<bool> reached{false};
std::atomic<std::size_t> largest{0};

bool Fails() {
  if (reached.load()) return all_behind.load();
  std::size_t left = countdown.load();
  while (left > 0 && !countdown.compare_exchange_weak(left, left - 1)) {
  }
  if (left != 1) return false;
  reached.store(true);
  return true;
}

}  // namespace

// All forms, as a sanitizer would answer those that are left out, and find the pairs mismatched. Not inlined: so would
// the compiler.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  for (std::size_t before = largest.load(); before < size && !largest.compare_exchange_weak(before, size);) {
  }
  return Fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* const memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](std::size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace safemodel::testing {

FailAllocations::FailAllocations(std::size_t n, Failing failing) {
  all_behind.store(failing == Failing::kAllBehind);
  ::countdown.store(n);
}
FailAllocations::~FailAllocations() {
  ::countdown.store(0);
  all_behind.store(false);
  ::reached.store(false);
}
bool FailAllocations::reached() const { return ::reached.load(); }

MeasureAllocations::MeasureAllocations() { ::largest.store(0); }
std::size_t MeasureAllocations::largest() const { return ::largest.load(); }

}  // namespace safemodel::testing
