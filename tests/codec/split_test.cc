// SPDX-License-Identifier: Apache-2.0
#include "codec/split.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

#include "codec/guarded.h"
#include "codec/samples.h"

namespace safemodel::codec {
namespace {

using testing::Edge;
using testing::Guarded;

constexpr ElementLayout kPlaneLayouts[] = {ElementLayout::kF16, ElementLayout::kBf16, ElementLayout::kF32,
                                           ElementLayout::kF64};

// Three guarded planes for `count` elements.
class Planes {
 public:
  Planes(ElementLayout layout, std::size_t count, Edge edge)
      : first_(count, edge),
        second_(count, edge),
        third_(PlaneCount(layout) > 2 ? count * PlaneWidth(layout, 2) : 0, edge) {}

  [[nodiscard]] PlanePointers pointers() const {
    return {first_.bytes().data(), second_.bytes().data(), third_.bytes().data()};
  }
  [[nodiscard]] ConstPlanePointers views() const {
    return {first_.bytes().data(), second_.bytes().data(), third_.bytes().data()};
  }
  [[nodiscard]] std::vector<ByteBuffer> copy() const { return {first_.copy(), second_.copy(), third_.copy()}; }

 private:
  Guarded first_;
  Guarded second_;
  Guarded third_;
};

std::vector<ByteBuffer> SplitOf(ElementLayout layout, ByteView elements, Kernel kernel, Edge edge = Edge::kEnd) {
  const Planes planes(layout, elements.size() / ElementWidth(layout), edge);
  const Guarded input(elements, edge);
  Split(layout, input.bytes(), planes.pointers(), kernel);
  CHECK(input.copy() == ByteBuffer(elements.begin(), elements.end()));
  return planes.copy();
}

TEST_CASE("planes: bit fields are those of the spec") {
  struct Row {
    ElementLayout layout;
    ByteBuffer element;  // little-endian
    std::vector<ByteBuffer> planes;
    const char* what;
  };
  const Row rows[] = {
      {ElementLayout::kBf16, {0x80, 0x3F}, {{0x7F}, {0x00}, {}}, "1.0"},
      {ElementLayout::kBf16, {0xC0, 0xBF}, {{0x7F}, {0xC0}, {}}, "-1.5: sign and top mantissa bit"},
      {ElementLayout::kBf16, {0x81, 0xFF}, {{0xFF}, {0x81}, {}}, "a negative NaN with a payload"},
      {ElementLayout::kF32,
       {0x34, 0x12, 0xC0, 0xBF},
       {{0x7F}, {0xC0}, {0x34, 0x12}},
       "low mantissa bytes stay in order"},
      {ElementLayout::kF32, {0x01, 0x00, 0x00, 0x80}, {{0x00}, {0x80}, {0x01, 0x00}}, "the smallest negative denormal"},
      {ElementLayout::kF64,
       {1, 2, 3, 4, 5, 6, 0xF8, 0xBF},
       {{0x7F}, {0xF8}, {1, 2, 3, 4, 5, 6}},
       "an f64 is cut at the same 16 bits, not at its 11-bit exponent"},
      {ElementLayout::kF16, {0x34, 0xBC}, {{0xBC}, {0x34}, {}}, "f16: high byte, low byte"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    // One element takes the scalar path, 67 take the vector path with a rest.
    for (const std::size_t count : {std::size_t{1}, std::size_t{67}}) {
      ByteBuffer elements;
      std::vector<ByteBuffer> expected(3);
      for (std::size_t i = 0; i < count; ++i) {
        elements.insert(elements.end(), row.element.begin(), row.element.end());
        for (std::size_t p = 0; p < 3; ++p) {
          expected[p].insert(expected[p].end(), row.planes[p].begin(), row.planes[p].end());
        }
      }
      CHECK(SplitOf(row.layout, elements, Kernel::kBest) == expected);
    }
  }
}

TEST_CASE("planes: vector and scalar code give the same bytes at every length, and touch nothing outside") {
  for (const ElementLayout layout : kPlaneLayouts) {
    const std::size_t width = ElementWidth(layout);
    const ByteBuffer noise = testing::Noise(300 * width);
    for (std::size_t count = 0; count <= 300; ++count) {
      const ByteView elements = ByteView(noise).first(count * width);
      for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
        CAPTURE(width);
        CAPTURE(count);
        const auto scalar = SplitOf(layout, elements, Kernel::kScalar, edge);
        REQUIRE(SplitOf(layout, elements, Kernel::kBest, edge) == scalar);
        const Planes planes(layout, count, edge);
        Split(layout, elements, planes.pointers());
        for (const Kernel kernel : {Kernel::kScalar, Kernel::kBest}) {
          const Guarded merged(elements.size(), edge);
          Merge(layout, planes.views(), merged.bytes(), kernel);
          REQUIRE(merged.copy() == ByteBuffer(elements.begin(), elements.end()));
        }
      }
    }
  }
}

TEST_CASE("planes: every 16-bit pattern survives") {
  for (const ElementLayout layout : kPlaneLayouts) {
    const std::size_t width = ElementWidth(layout);
    ByteBuffer elements(65536 * width, 0x5A);
    for (std::size_t i = 0; i < 65536; ++i) {
      elements[i * width + width - 2] = static_cast<std::uint8_t>(i);
      elements[i * width + width - 1] = static_cast<std::uint8_t>(i >> 8);
    }
    const Planes planes(layout, 65536, Edge::kEnd);
    Split(layout, elements, planes.pointers());
    ByteBuffer merged(elements.size());
    Merge(layout, planes.views(), merged);
    CHECK(merged == elements);
  }
}

}  // namespace
}  // namespace safemodel::codec
