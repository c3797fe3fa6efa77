// SPDX-License-Identifier: Apache-2.0
// Writing npz: a zip archive with one stored entry NAME.npy for each tensor.
//
// The checksum of an entry stands in front of its data. So a writer appends the head, streams the data, and patches the
// checksum when it knows it; at the end it appends the central directory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "formats/crc32.h"
#include "formats/export_entry.h"
#include "formats/npy_header.h"

namespace safemodel::formats {

// NpzMember is one entry of the archive.
struct NpzMember {
  std::size_t entry = 0;          // index of the tensor
  std::string file_name;          // "NAME.npy"
  std::uint64_t offset = 0;       // of `head` in the file
  ByteBuffer head;                // local zip header and npy header
  std::uint64_t checksum_at = 0;  // offset in the file of the u32 to patch
  std::uint64_t file_bytes = 0;   // npy header and data
  Crc32 crc;                      // already fed with the npy header
};

struct NpzLayout {
  std::vector<NpzMember> members;      // in the order of the file
  std::uint64_t directory_offset = 0;  // where the central directory starts: the end of the last member's data
};

// PlanNpz decides before anything is written what the format cannot hold. Errors: kUnsupported "dtype_not_in_format",
// "name_not_in_format", "names_collide" (subject: the tensor); kUsage when an entry contradicts itself.
Result<NpzLayout> PlanNpz(std::span<const ExportEntry> entries, std::span<const ElementType> types);

// CentralDirectory returns the end of the archive, once every member's `crc` was fed with its data.
ByteBuffer CentralDirectory(const NpzLayout& layout);

}  // namespace safemodel::formats
