// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "value/tensor_view.h"

namespace safemodel {
namespace {

using Shape = std::vector<std::uint64_t>;
constexpr std::uint64_t k2To32 = std::uint64_t{1} << 32;
constexpr std::uint64_t k2To63 = std::uint64_t{1} << 63;

template <typename T>
std::string CodeOf(const T& result) {
  return result.ok() ? "ok" : result.error().code;
}

}  // namespace

TEST_CASE("dtype: names and numbers go both ways") {
  unsigned known = 0;
  for (unsigned number = 0; number < 256; ++number) {
    const auto dtype = static_cast<Dtype>(number);
    const std::string name = DtypeName(dtype);
    if (name == "?") {
      CHECK(BitsPerElement(dtype) == 0);
      CHECK_FALSE(IsExtended(dtype));
      continue;
    }
    ++known;
    CHECK(ParseDtype(name) == dtype);
    CHECK(IsExtended(dtype) == (number >= 32));
    CHECK((BitsPerElement(dtype) == 0) == IsExtended(dtype));
  }
  CHECK(known == 31);
  CHECK_FALSE(ParseDtype("float32").has_value());
  CHECK(BitsPerElement(Dtype::kF4E2M1) == 4);
  CHECK(BitsPerElement(Dtype::kF6E3M2) == 6);
  CHECK(BitsPerElement(Dtype::kComplex128) == 128);
}

TEST_CASE("tensor view: the product of a shape is exact or refused") {
  CHECK(ElementCount(Shape{}).value() == 1);
  CHECK(ElementCount(Shape{3, 4}).value() == 12);
  CHECK(ElementCount(Shape{3, 0, 4}).value() == 0);
  CHECK(ElementCount(Shape{k2To63}).value() == k2To63);
  CHECK(CodeOf(ElementCount(Shape{k2To32, k2To32})) == "shape_overflow");
  CHECK(CodeOf(ElementCount(Shape{k2To63, 2})) == "shape_overflow");
  CHECK(CodeOf(ElementCount(Shape{0, k2To32, k2To32})) == "shape_overflow");  // hidden behind a zero
  CHECK(CodeOf(ElementCount(Shape{k2To63, 2, 0})) == "shape_overflow");
}

TEST_CASE("tensor view: bytes round up for packed elements") {
  CHECK(ContiguousBytes(3, 4).value() == 2);
  CHECK(ContiguousBytes(4, 6).value() == 3);
  CHECK(ContiguousBytes(5, 6).value() == 4);
  CHECK(ContiguousBytes(7, 32).value() == 28);
  CHECK(ContiguousBytes(7, 0).value() == 0);
  CHECK(CodeOf(ContiguousBytes(k2To63, 16)) == "shape_overflow");
  CHECK(CodeOf(ContiguousBytes(k2To63, 4)) == "shape_overflow");
}

TEST_CASE("tensor view: contiguous strides") {
  CHECK(ContiguousStrides(Shape{2, 3, 4}) == Shape{12, 4, 1});
  CHECK(ContiguousStrides(Shape{2, 0, 4}) == Shape{4, 4, 1});
  CHECK(ContiguousStrides(Shape{}).empty());
  CHECK(IsContiguous(Shape{2, 3}, Shape{3, 1}));
  CHECK(IsContiguous(Shape{1, 3}, Shape{99, 1}));
  CHECK(IsContiguous(Shape{2, 0}, Shape{7, 9}));
  CHECK(IsContiguous(Shape{}, Shape{}));
  CHECK_FALSE(IsContiguous(Shape{3, 2}, Shape{1, 3}));
  CHECK_FALSE(IsContiguous(Shape{2}, Shape{0}));
  CHECK_FALSE(IsContiguous(Shape{2}, Shape{}));
}

TEST_CASE("tensor view: a view lies within its storage or is refused") {
  struct Row {
    const char* what;
    const char* code;
    std::uint64_t bits;
    Shape shape;
    Shape strides;
    std::uint64_t offset;
    std::uint64_t storage;
  };
  const std::vector<Row> rows = {
      {"exactly the storage", "ok", 32, {2, 3}, {3, 1}, 0, 24},
      {"one byte short", "view_outside_storage", 32, {2, 3}, {3, 1}, 0, 23},
      {"transposed", "ok", 32, {3, 2}, {1, 3}, 0, 24},
      {"offset to the end", "ok", 32, {2}, {1}, 16, 24},
      {"offset one element too far", "view_outside_storage", 32, {2}, {1}, 20, 24},
      {"offset between elements", "view_misaligned", 32, {1}, {1}, 2, 24},
      {"stride 0 over 2^40", "ok", 32, {std::uint64_t{1} << 40}, {0}, 0, 4},
      {"no elements at the end", "ok", 32, {0}, {1}, 24, 24},
      {"no elements behind the end", "view_outside_storage", 32, {0}, {1}, 28, 24},
      {"rank 0", "ok", 64, {}, {}, 16, 24},
      {"a stride too few", "bad_rank", 32, {2, 3}, {1}, 0, 24},
      {"stride leaves the storage", "view_outside_storage", 32, {2}, {6}, 0, 24},
      {"stride wraps", "view_overflow", 8, {3}, {k2To63}, 0, 24},
      {"sum of strides wraps", "view_overflow", 8, {2, 2}, {k2To63, k2To63}, 0, 24},
      {"extent times element wraps", "shape_overflow", 64, {2}, {std::uint64_t{1} << 61}, 0, 24},
      {"shape wraps though strides are 0", "shape_overflow", 8, {k2To32, k2To32}, {0, 0}, 0, 24},
      {"offset near 2^64", "view_outside_storage", 8, {1}, {1}, ~std::uint64_t{0}, 24},
      {"packed", "ok", 4, {3}, {1}, 1, 3},
      {"packed and strided", "packed_not_contiguous", 4, {3}, {2}, 0, 24},
      {"elements without bytes", "ok", 0, {3}, {1}, 24, 24},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(CodeOf(CheckView(row.bits, row.shape, row.strides, row.offset, row.storage)) == row.code);
  }
}

TEST_CASE("tensor view: extended types take their size from the table") {
  const std::vector<ElementType> types = {{Dtype::kText, 12, "", {}}, {Dtype::kRecord, 8, "", {}}};
  CHECK(ElementBits(Dtype::kText, 0, types).value() == 96);
  CHECK(ElementBits(Dtype::kBf16, 9, types).value() == 16);
  CHECK(CodeOf(ElementBits(Dtype::kText, 1, types)) == "bad_element_type");
  CHECK(CodeOf(ElementBits(Dtype::kText, 2, types)) == "bad_element_type");
  CHECK(CodeOf(ElementBits(static_cast<Dtype>(0), 0, types)) == "bad_element_type");
}

}  // namespace safemodel
