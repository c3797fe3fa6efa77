// SPDX-License-Identifier: Apache-2.0
// Memory whose neighbours cannot be touched: a read or write one byte outside ends the test.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include <safemodel/bytes.h>

namespace safemodel::testing {

// Edge says which end of the memory lies against an unmapped page; a vector register can pass either.
enum class Edge : std::uint8_t { kBegin, kEnd };

// Guarded is `size` bytes between two unmapped pages, flush with one of them.
class Guarded {
 public:
  Guarded(std::size_t size, Edge edge) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = (size + page - 1) / page * page;
    mapped_ = inner + 2 * page;
    void* const map = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) std::abort();
    base_ = static_cast<std::uint8_t*>(map);
    if (inner != 0 && mprotect(base_ + page, inner, PROT_READ | PROT_WRITE) != 0) std::abort();
    bytes_ = {base_ + page + (edge == Edge::kEnd ? inner - size : 0), size};
  }
  Guarded(ByteView content, Edge edge) : Guarded(content.size(), edge) {
    if (!content.empty()) std::memcpy(bytes_.data(), content.data(), content.size());
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(base_, mapped_); }

  [[nodiscard]] MutableBytes bytes() const { return bytes_; }
  [[nodiscard]] ByteBuffer copy() const { return {bytes_.begin(), bytes_.end()}; }

 private:
  std::uint8_t* base_ = nullptr;
  std::size_t mapped_ = 0;
  MutableBytes bytes_;
};

}  // namespace safemodel::testing
