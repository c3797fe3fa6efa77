// SPDX-License-Identifier: Apache-2.0
#include "value/tensor_view.h"

#include <algorithm>

#include "base/checked.h"
#include "base/try.h"

namespace safemodel {
namespace {

Error ShapeOverflow() {
  return {Stage::kMalformed, "shape_overflow", "the dimensions of a tensor multiply to more than 64 bits hold"};
}
Error ViewOverflow() {
  return {Stage::kMalformed, "view_overflow", "the strides of a tensor reach further than 64 bits hold"};
}
Error OutsideStorage() {
  return {Stage::kMalformed, "view_outside_storage", "a tensor does not lie within its storage"};
}

bool HasNoElements(std::span<const std::uint64_t> shape) {
  return std::find(shape.begin(), shape.end(), std::uint64_t{0}) != shape.end();
}

}  // namespace

Result<std::uint64_t> ElementBits(Dtype dtype, std::uint32_t element_type, std::span<const ElementType> types) {
  const unsigned bits = BitsPerElement(dtype);
  if (bits != 0) return std::uint64_t{bits};
  if (!IsExtended(dtype) || element_type >= types.size() || types[element_type].kind != dtype) {
    return Error{Stage::kMalformed, "bad_element_type",
                 "a tensor names an element type that is not in the table, or of another kind"};
  }
  return std::uint64_t{types[element_type].item_size} * 8;
}

Result<std::uint64_t> ElementCount(std::span<const std::uint64_t> shape) {
  std::uint64_t product = 1;
  for (const std::uint64_t dimension : shape) {
    if (dimension == 0) continue;
    const auto next = CheckedMul(product, dimension);
    if (!next) return ShapeOverflow();
    product = *next;
  }
  return HasNoElements(shape) ? 0 : product;
}

Result<std::uint64_t> ContiguousBytes(std::uint64_t count, std::uint64_t bits) {
  if (bits % 8 == 0) {
    const auto bytes = CheckedMul(count, bits / 8);
    if (!bytes) return ShapeOverflow();
    return *bytes;
  }
  const auto total = CheckedMul(count, bits);
  if (!total) return ShapeOverflow();
  return CeilDiv(*total, 8);
}

std::vector<std::uint64_t> ContiguousStrides(std::span<const std::uint64_t> shape) {
  std::vector<std::uint64_t> strides(shape.size());
  std::uint64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<std::uint64_t>(shape[i], 1);
  }
  return strides;
}

bool IsContiguous(std::span<const std::uint64_t> shape, std::span<const std::uint64_t> strides) {
  if (shape.size() != strides.size()) return false;
  if (HasNoElements(shape)) return true;
  std::uint64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) continue;
    if (strides[i] != expected) return false;
    const auto next = CheckedMul(expected, shape[i]);
    if (!next) return false;
    expected = *next;
  }
  return true;
}

Result<std::uint64_t> ViewExtent(std::span<const std::uint64_t> shape, std::span<const std::uint64_t> strides) {
  if (shape.size() != strides.size()) {
    return Error{Stage::kMalformed, "bad_rank", "a tensor has not as many strides as dimensions"};
  }
  if (HasNoElements(shape)) return std::uint64_t{0};
  std::uint64_t extent = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const auto reach = CheckedMul(shape[i] - 1, strides[i]);
    if (!reach) return ViewOverflow();
    const auto sum = CheckedAdd(extent, *reach);
    if (!sum) return ViewOverflow();
    extent = *sum;
  }
  return extent;
}

Status CheckView(std::uint64_t bits, std::span<const std::uint64_t> shape, std::span<const std::uint64_t> strides,
                 std::uint64_t byte_offset, std::uint64_t storage_bytes) {
  SAFEMODEL_TRY(ElementCount(shape));
  SAFEMODEL_ASSIGN(const std::uint64_t extent, ViewExtent(shape, strides));
  if (bits % 8 != 0 && !IsContiguous(shape, strides)) {
    return Error{Stage::kMalformed, "packed_not_contiguous",
                 "a tensor of packed elements smaller than a byte must be contiguous"};
  }
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ContiguousBytes(extent, bits));
  // Packed elements start at a byte, and elements without bytes anywhere.
  if (bits % 8 == 0 && bits != 0 && byte_offset % (bits / 8) != 0) {
    return Error{Stage::kMalformed, "view_misaligned", "a tensor starts between two elements of its storage"};
  }
  if (byte_offset > storage_bytes || bytes > storage_bytes - byte_offset) return OutsideStorage();
  return {};
}

}  // namespace safemodel
