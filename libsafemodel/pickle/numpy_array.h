// SPDX-License-Identifier: Apache-2.0
// Arrays of numpy: from raw bytes of a file to tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/rule.h"

namespace safemodel::pickle {

enum class ArrayOrder : std::uint8_t { kC, kFortran };

// ArrayBytes returns product(shape) * item size, checked. kLimit LIMIT-COUNT for too many dimensions; kUnsafe MEM-SIZE.
Result<std::uint64_t> ArrayBytes(const DtypeNote& type, const std::vector<std::uint64_t>& shape, const Limits& limits);

// AddArray enters the array whose bytes `data` is, exactly, and returns the number of its tensor. Big-endian elements
// are turned round as they are read; a Fortran order becomes strides. kUnsafe MEM-OBJECT when elements are objects:
// bytes must never become pointers; kUnsafe MEM-NPY when the size is not that of the shape.
Result<std::uint32_t> AddArray(ImportTables& tables, SharedSource data, const DtypeNote& type,
                               std::vector<std::uint64_t> shape, ArrayOrder order, const Limits& limits);

// ArrayOf returns the tensor of a node that is an array, or nothing.
std::optional<std::uint32_t> ArrayOf(const RuleContext& context, NodeIndex node);

// MakeSwappedSource reverses the bytes of big-endian numbers in elements of `item_size` bytes.
SharedSource MakeSwappedSource(SharedSource source, std::uint32_t item_size, std::vector<ByteSwap> swaps);

}  // namespace safemodel::pickle
