// SPDX-License-Identifier: Apache-2.0
#include "codec/split.h"

#include <bit>
#include <cstring>

namespace safemodel::codec {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are loaded as little-endian integers");

// TopBits is the exponent and the sign with the high mantissa bits of one element: the top 16 bits of bf16, f32 and
// f64.
struct TopBits {
  static std::uint8_t First(std::uint64_t top) { return static_cast<std::uint8_t>(top >> 7); }
  static std::uint8_t Second(std::uint64_t top) { return static_cast<std::uint8_t>((top >> 8 & 0x80) | (top & 0x7F)); }
  static std::uint16_t Join(unsigned first, unsigned second) {
    return static_cast<std::uint16_t>((second & 0x80) << 8 | first << 7 | (second & 0x7F));
  }
};

// HalfBits cuts an f16 into its bytes: its exponent has 5 bits, and the high byte as a whole compresses better.
struct HalfBits {
  static std::uint8_t First(std::uint64_t top) { return static_cast<std::uint8_t>(top >> 8); }
  static std::uint8_t Second(std::uint64_t top) { return static_cast<std::uint8_t>(top); }
  static std::uint16_t Join(unsigned first, unsigned second) { return static_cast<std::uint16_t>(first << 8 | second); }
};

template <typename Element, typename Bits>
void SplitElements(const std::uint8_t* elements, std::size_t count, const PlanePointers& planes) {
  constexpr std::size_t kRest = sizeof(Element) - 2;
  std::uint8_t* const first = planes[0];
  std::uint8_t* const second = planes[1];
  for (std::size_t i = 0; i < count; ++i) {
    Element element{};
    std::memcpy(&element, elements + i * sizeof(Element), sizeof(Element));
    const std::uint64_t top = static_cast<std::uint64_t>(element) >> (8 * kRest);
    first[i] = Bits::First(top);
    second[i] = Bits::Second(top);
    if constexpr (kRest != 0) std::memcpy(planes[2] + i * kRest, &element, kRest);
  }
}

template <typename Element, typename Bits>
void MergeElements(const ConstPlanePointers& planes, std::size_t count, std::uint8_t* elements) {
  constexpr std::size_t kRest = sizeof(Element) - 2;
  const std::uint8_t* const first = planes[0];
  const std::uint8_t* const second = planes[1];
  for (std::size_t i = 0; i < count; ++i) {
    Element element{};
    if constexpr (kRest != 0) std::memcpy(&element, planes[2] + i * kRest, kRest);
    const std::uint64_t top = Bits::Join(first[i], second[i]);
    element = static_cast<Element>(element | top << (8 * kRest));
    std::memcpy(elements + i * sizeof(Element), &element, sizeof(Element));
  }
}

template <typename Pointers>
Pointers Advance(const Pointers& planes, ElementLayout layout, std::size_t count) {
  Pointers moved = planes;
  for (std::size_t p = 0; p < PlaneCount(layout); ++p) moved[p] += count * PlaneWidth(layout, p);
  return moved;
}

}  // namespace

std::size_t PlaneCount(ElementLayout layout) {
  switch (layout) {
    case ElementLayout::kBytes: return 0;
    case ElementLayout::kF16: return 2;
    case ElementLayout::kBf16: return 2;
    case ElementLayout::kF32: return 3;
    case ElementLayout::kF64: return 3;
  }
  return 0;
}

std::size_t PlaneWidth(ElementLayout layout, std::size_t plane) { return plane < 2 ? 1 : ElementWidth(layout) - 2; }

void Split(ElementLayout layout, ByteView elements, const PlanePointers& planes, Kernel kernel) {
  const std::size_t count = elements.size() / ElementWidth(layout);
  const std::size_t done = kernel == Kernel::kBest ? SplitAvx2(layout, elements.data(), count, planes) : 0;
  const std::uint8_t* const rest = elements.data() + done * ElementWidth(layout);
  const PlanePointers out = Advance(planes, layout, done);
  switch (layout) {
    case ElementLayout::kBytes: return;
    case ElementLayout::kF16: return SplitElements<std::uint16_t, HalfBits>(rest, count - done, out);
    case ElementLayout::kBf16: return SplitElements<std::uint16_t, TopBits>(rest, count - done, out);
    case ElementLayout::kF32: return SplitElements<std::uint32_t, TopBits>(rest, count - done, out);
    case ElementLayout::kF64: return SplitElements<std::uint64_t, TopBits>(rest, count - done, out);
  }
}

void Merge(ElementLayout layout, const ConstPlanePointers& planes, MutableBytes elements, Kernel kernel) {
  const std::size_t count = elements.size() / ElementWidth(layout);
  const std::size_t done = kernel == Kernel::kBest ? MergeAvx2(layout, planes, count, elements.data()) : 0;
  std::uint8_t* const rest = elements.data() + done * ElementWidth(layout);
  const ConstPlanePointers in = Advance(planes, layout, done);
  switch (layout) {
    case ElementLayout::kBytes: return;
    case ElementLayout::kF16: return MergeElements<std::uint16_t, HalfBits>(in, count - done, rest);
    case ElementLayout::kBf16: return MergeElements<std::uint16_t, TopBits>(in, count - done, rest);
    case ElementLayout::kF32: return MergeElements<std::uint32_t, TopBits>(in, count - done, rest);
    case ElementLayout::kF64: return MergeElements<std::uint64_t, TopBits>(in, count - done, rest);
  }
}

}  // namespace safemodel::codec
