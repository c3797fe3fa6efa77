// SPDX-License-Identifier: Apache-2.0
// Reading safetensors:
//
//   file     header length u64 | header | data
//   header   JSON object, first byte '{', padded with spaces at its end
//            { "__metadata__": { str: str, ... }, NAME: { "dtype": str, "shape": [...], "data_offsets": [begin, end] },
//            ... }
//   data     the tensors, row-major and little-endian, side by side without a gap
#pragma once

#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "base/source.h"
#include "value/imported.h"

namespace safemodel::formats {

// LooksLikeSafetensors says whether the first bytes of a file of `file_bytes` bytes have the shape of safetensors: a
// length, then a JSON object. Nine bytes are enough; nothing is proved by it. No length is neither that of a header
// that fits into the file nor one that the format allows.
bool LooksLikeSafetensors(ByteView head, std::uint64_t file_bytes);

// ReadSafetensors reads the header; the tensors become views of `source`, which must be safe for positional reads as
// long as the model lives. Every byte of the file has one owner: what another reader could skip or read twice is
// refused. Errors: kIo; kMalformed; kUnsupported "unknown_dtype" (subject: the tensor); kLimit.
Result<ImportedModel> ReadSafetensors(const SharedSource& source, const Limits& limits);

}  // namespace safemodel::formats
