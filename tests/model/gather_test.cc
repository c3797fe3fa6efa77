// SPDX-License-Identifier: Apache-2.0
#include "model/gather.h"

#include <algorithm>

#include "model/fixture.h"

namespace safemodel {
namespace {

// Naive walks a view element by element, as the definition says.
ByteBuffer Naive(const ByteBuffer& storage, const TensorView& view) {
  ByteBuffer out;
  std::vector<std::uint64_t> at(view.shape.size(), 0);
  if (std::find(view.shape.begin(), view.shape.end(), 0u) != view.shape.end()) return out;
  while (true) {
    std::uint64_t element = 0;
    for (std::size_t i = 0; i < at.size(); ++i) element += at[i] * view.strides[i];
    const auto begin = storage.begin() + static_cast<std::ptrdiff_t>(view.byte_offset + element * view.element_bytes);
    out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(view.element_bytes));
    std::size_t i = at.size();
    while (i > 0 && ++at[i - 1] == view.shape[i - 1]) at[--i] = 0;
    if (i == 0) return out;
  }
}

std::uint64_t Elements(const TensorView& view) {
  return std::accumulate(view.shape.begin(), view.shape.end(), std::uint64_t{1}, std::multiplies<>());
}

struct Row {
  const char* why;
  TensorView view;
  std::size_t storage_bytes;
};

const Row kRows[] = {
    {"a scalar", {4, {}, {}, 8}, 64},
    {"no elements", {4, {3, 0, 2}, {0, 2, 1}, 0}, 0},
    {"transposed", {4, {7, 5}, {1, 7}, 4}, 4 + 140},
    {"transposed, three windows wide", {8, {700, 600}, {1, 700}, 0}, 700 * 600 * 8},
    {"channels last", {2, {3, 4, 5, 6}, {120, 1, 24, 4}, 0}, 3 * 120 * 2},
    {"every other column", {1, {10, 8}, {16, 2}, 0}, 160},
    {"broadcast", {4, {5, 3}, {0, 1}, 0}, 12},
    {"broadcast inside", {4, {3, 5}, {1, 0}, 0}, 12},
    {"sliding windows", {4, {20, 6}, {1, 1}, 0}, 25 * 4},
    {"far apart", {4, {3, 2}, {1 << 19, 1}, 0}, (2u << 21) + 8},
    {"one element in each megabyte", {1, {4}, {1 << 20}, 3}, (3u << 20) + 4},
    {"elements of 12 bytes", {12, {4, 3}, {1, 4}, 0}, 144},
    {"dimensions of size 1 with wild strides", {4, {1, 3, 1}, {999999, 2, 123456}, 0}, 20},
};

TEST_CASE("gather: any view, in one piece and in blocks of any size, is what the definition says") {
  for (const Row& row : kRows) {
    CAPTURE(std::string(row.why));
    const ByteBuffer storage = Noise(row.storage_bytes, 7);
    const SharedSource source = MakeMemorySource(storage);
    const ByteBuffer expected = Naive(storage, row.view);
    ByteBuffer out(static_cast<std::size_t>(Elements(row.view) * row.view.element_bytes));
    REQUIRE(Gather(*source, row.view, out).ok());
    CHECK(out == expected);
    for (const std::uint64_t block :
         {std::uint64_t{1}, std::uint64_t{40}, std::uint64_t{4096}, std::uint64_t{1} << 24}) {
      if (block < 4096 && expected.size() > 100000) continue;
      ByteBuffer streamed;
      REQUIRE(StreamGathered(*source, row.view, block, [&](ByteView bytes) -> Status {
                CHECK(bytes.size() <= std::max(block, row.view.element_bytes));
                streamed.insert(streamed.end(), bytes.begin(), bytes.end());
                return {};
              }).ok());
      CHECK(streamed == expected);
    }
  }
}

TEST_CASE("gather: random views of rank 3") {
  std::uint32_t state = 1;
  const auto next = [&state](std::uint32_t bound) {
    state = state * 1664525 + 1013904223;
    return state / 65536 % bound;
  };
  const ByteBuffer storage = Noise(60000, 3);
  const SharedSource source = MakeMemorySource(storage);
  for (int round = 0; round < 1000; ++round) {
    TensorView view{std::uint64_t{1} << next(4),
                    {1 + next(6), 1 + next(6), 1 + next(6)},
                    {next(300), next(300), next(300)},
                    next(100)};
    ByteBuffer out(static_cast<std::size_t>(Elements(view) * view.element_bytes));
    REQUIRE(Gather(*source, view, out).ok());
    REQUIRE(out == Naive(storage, view));
  }
}

TEST_CASE("gather: strides that go to and fro between far places are refused") {
  class Endless final : public ByteSource {
   public:
    [[nodiscard]] std::uint64_t size() const override { return std::uint64_t{1} << 40; }
    [[nodiscard]] Status ReadAt(std::uint64_t, MutableBytes) const override { return {}; }
  };
  const Endless source;
  const auto sink = [](ByteView) -> Status { return {}; };
  const TensorView views[] = {
      {1, {1u << 15, 1u << 10}, {1u << 10, (1u << 20) + 1}, 0},  // 2^10 times over 32 MiB, for 32 MiB of elements
      {1, {1u << 12, 1u << 12}, {(1u << 20) - 1, 1u << 20}, 0},  // 2^12 times over 4 GiB, for 16 MiB of elements
  };
  for (const TensorView& view : views) {
    CHECK(Code(StreamGathered(source, view, 1u << 20, sink)) == "scattered_view");
    ByteBuffer out(static_cast<std::size_t>(Elements(view)));
    CHECK(Code(Gather(source, view, out)) == "scattered_view");
  }
}

}  // namespace
}  // namespace safemodel
