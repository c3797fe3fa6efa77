// SPDX-License-Identifier: Apache-2.0
// The header of numpy's .npy files: a literal of Python, read by a grammar and never evaluated.
#pragma once

#include <cstdint>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/numpy_array.h"
#include "pickle/numpy_dtype.h"

namespace safemodel::pickle {

// NpyHeader says what the bytes from `data_offset` on are: an array, or a pickle when the type has objects.
struct NpyHeader {
  DtypeNote type;
  std::vector<std::uint64_t> shape;
  ArrayOrder order = ArrayOrder::kC;
  std::uint64_t data_offset = 0;
};

// LooksLikeNpy compares the magic.
bool LooksLikeNpy(ByteView start);

// ReadNpyHeader reads versions 1.0, 2.0 and 3.0. Errors: kMalformed NPY-HEADER; kUnsupported FILE-UNSUPPORTED (other
// versions, long double); kLimit LIMIT-BYTES (header over 10 000 bytes, as in numpy), LIMIT-DEPTH, LIMIT-COUNT.
Result<NpyHeader> ReadNpyHeader(const ByteSource& source, ElementTypeTable& table);

}  // namespace safemodel::pickle
