// SPDX-License-Identifier: Apache-2.0
// Writing safetensors, byte for byte as the reference implementation does: tensors by dtype, widest first, then by
// name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "formats/export_entry.h"

namespace safemodel::formats {

using TextPairs = std::vector<std::pair<std::string, std::string>>;

// SafetensorsLayout is a file that waits for its data: write `head`, then the data of each entry in `order`.
struct SafetensorsLayout {
  ByteBuffer head;                 // the length field and the padded header
  std::vector<std::size_t> order;  // indices of the entries
  std::uint64_t file_bytes = 0;
};

// PlanSafetensors decides before anything is written what the format cannot hold. Without metadata the header has no
// `__metadata__`; its keys are written in ascending order (the reference implementation draws their order anew each
// time). Errors: kUnsupported "reserved_name", "dtype_not_in_format", "packed_odd" (subject: the tensor); kLimit
// "header_too_large"; kUsage when an entry contradicts itself.
Result<SafetensorsLayout> PlanSafetensors(std::span<const ExportEntry> entries, const TextPairs& metadata);

// SafetensorsMetadata picks from a container's private metadata what ReadSafetensors had put there.
TextPairs SafetensorsMetadata(const TextPairs& private_metadata);

}  // namespace safemodel::formats
