// SPDX-License-Identifier: Apache-2.0
#include "base/source.h"

#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

namespace safemodel {

namespace {

// CountingSource counts the reads that reach it.
class CountingSource final : public ByteSource {
 public:
  explicit CountingSource(bool sequential) : sequential_(sequential) {}
  [[nodiscard]] std::uint64_t size() const override { return 20'000; }
  [[nodiscard]] bool sequential() const override { return sequential_; }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    ++reads;
    if (offset > size() || out.size() > size() - offset) return Error{Stage::kIo, "truncated", "outside", offset};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = At(offset + i);
    return {};
  }
  static std::uint8_t At(std::uint64_t offset) { return static_cast<std::uint8_t>(offset * 7 + offset / 256); }
  mutable int reads = 0;

 private:
  bool sequential_;
};

}  // namespace

TEST_CASE("read ahead: the same bytes at any offset, in fewer reads") {
  const CountingSource source(false);
  const ReadAhead ahead(source);
  for (const std::uint64_t offset : {0u, 4u, 8000u, 8191u, 8192u, 100u, 0u, 19'996u, 12'000u}) {
    const auto bytes = ReadRange(ahead, offset, 4, 4);
    REQUIRE(bytes.ok());
    for (std::size_t i = 0; i < 4; ++i) CHECK(bytes.value()[i] == CountingSource::At(offset + i));
  }
  CHECK(source.reads == 6);
  std::vector<std::uint8_t> large(12'000);
  CHECK(ahead.ReadAt(8'000, large).ok());
  CHECK(large[11'999] == CountingSource::At(19'999));
  CHECK_FALSE(ahead.ReadAt(19'997, MutableBytes(large).first(4)).ok());
  CHECK_FALSE(ahead.ReadAt(~std::uint64_t{0}, MutableBytes(large).first(4)).ok());
}

TEST_CASE("read ahead: a source that reads forward only is not read ahead") {
  const CountingSource source(true);
  const ReadAhead ahead(source);
  for (const std::uint64_t offset : {0u, 4u, 8u}) CHECK(ReadRange(ahead, offset, 4, 4).ok());
  CHECK(source.reads == 3);
}

}  // namespace safemodel
