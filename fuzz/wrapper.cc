// SPDX-License-Identifier: Apache-2.0
// Compressed files. Input: the file. Properties: what is decoded stays within the budget, reading it in pieces and out
// of order yields the same bytes as one pass, and what was kept in memory the same as what is decoded again; peeling
// ends.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fuzz/property.h"
#include "pickle/wrapper.h"

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::uint64_t kMost = 1u << 20;
const WrapperLimits kKept = {
    .ratio_free_bytes = kMost, .burst_bytes = kMost, .lzma_memory = 32u << 20, .kept_bytes = kMost};

ByteBuffer Read(const ByteSource& source, std::uint64_t begin, std::uint64_t size) {
  auto bytes = ReadRange(source, begin, size, size);
  SAFEMODEL_PROPERTY(bytes.ok());
  return std::move(bytes).value();
}

void CheckOrder(const ByteSource& source, const ByteBuffer& all) {
  const std::uint64_t half = all.size() / 2;
  const std::uint64_t third = all.size() / 3;
  const ByteBuffer back = Read(source, half, all.size() - half);
  const ByteBuffer middle = Read(source, third, half - third);
  const ByteBuffer front = Read(source, 0, third);
  SAFEMODEL_PROPERTY(std::ranges::equal(front, ByteView(all).first(static_cast<std::size_t>(third))));
  SAFEMODEL_PROPERTY(std::ranges::equal(middle, ByteView(all).subspan(static_cast<std::size_t>(third), middle.size())));
  SAFEMODEL_PROPERTY(std::ranges::equal(back, ByteView(all).last(back.size())));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const SharedSource file = MakeMemorySource(ByteBuffer(data, data + size));
  const std::uint64_t budget = std::max(kMost, size * kKept.ratio);
  const auto kept = Unwrap(file, size, kKept);
  SAFEMODEL_PROPERTY(kept.ok());
  SAFEMODEL_PROPERTY(kept.value() || !RecogniseWrapper(ByteView(data, size)));
  if (!kept.value()) return 0;
  const Unwrapped& first = *kept.value();
  SAFEMODEL_PROPERTY(!first.fault || (first.fault->stage != Stage::kInternal && first.fault->stage != Stage::kIo));
  SAFEMODEL_PROPERTY(first.plain->size() <= budget);
  if (first.plain->size() > kMost) return 0;

  WrapperLimits decoded = kKept;
  decoded.kept_bytes = 0;
  const auto again = Unwrap(file, size, decoded);
  SAFEMODEL_PROPERTY(again.ok() && again.value());
  SAFEMODEL_PROPERTY(again.value()->fault.has_value() == first.fault.has_value());
  SAFEMODEL_PROPERTY(again.value()->plain->size() == first.plain->size());
  const ByteBuffer all = Read(*first.plain, 0, first.plain->size());
  CheckOrder(*again.value()->plain, all);
  SAFEMODEL_PROPERTY(Read(*again.value()->plain, 0, all.size()) == all);

  const auto peeled = PeelWrappers(file, kKept);
  SAFEMODEL_PROPERTY(peeled.ok() && !peeled.value().wrappers.empty());
  SAFEMODEL_PROPERTY(peeled.value().wrappers.size() <= kKept.depth);
  SAFEMODEL_PROPERTY(peeled.value().plain->size() <= budget);
  return 0;
}
