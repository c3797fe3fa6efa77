// SPDX-License-Identifier: Apache-2.0
// Arithmetic of tensor views. All of it is checked: shapes and strides come from files.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <safemodel/dtype.h>
#include <safemodel/result.h>

namespace safemodel {

// ElementBits returns the size of one element in bits: of the dtype, or of the extended type it refers to.
// kMalformed "bad_element_type" when the table has no such entry or its kind differs.
Result<std::uint64_t> ElementBits(Dtype dtype, std::uint32_t element_type, std::span<const ElementType> types);

// ElementCount returns the product of a shape. The product of the non-zero dimensions must fit too, so that a zero
// dimension cannot hide an overflow; kMalformed "shape_overflow".
Result<std::uint64_t> ElementCount(std::span<const std::uint64_t> shape);

// ContiguousBytes returns ceil(count * bits / 8), checked; kMalformed "shape_overflow".
Result<std::uint64_t> ContiguousBytes(std::uint64_t count, std::uint64_t bits);

// ContiguousStrides returns the row-major strides of a shape, in elements. Dimensions of a tensor without elements
// count as 1 where they are 0.
std::vector<std::uint64_t> ContiguousStrides(std::span<const std::uint64_t> shape);

// IsContiguous says whether walking the view in row-major order walks its bytes without a gap. Strides of dimensions of
// size 1 do not matter; a view without elements is contiguous.
bool IsContiguous(std::span<const std::uint64_t> shape, std::span<const std::uint64_t> strides);

// ViewExtent returns the number of elements from the first to the last one touched: 1 + sum((d - 1) * s), 0 without
// elements; kMalformed "view_overflow".
Result<std::uint64_t> ViewExtent(std::span<const std::uint64_t> shape, std::span<const std::uint64_t> strides);

// CheckView proves that a view lies within its storage: ranks equal, offset a multiple of the element's bytes, offset +
// extent ≤ storage bytes. kMalformed "view_outside_storage" and the codes above.
Status CheckView(std::uint64_t bits, std::span<const std::uint64_t> shape, std::span<const std::uint64_t> strides,
                 std::uint64_t byte_offset, std::uint64_t storage_bytes);

}  // namespace safemodel
