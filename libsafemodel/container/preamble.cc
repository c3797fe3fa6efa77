// SPDX-License-Identifier: Apache-2.0
// Spec section 2.
#include <algorithm>

#include "base/cursor.h"
#include "base/try.h"
#include "container/parse.h"
#include "container/refuse.h"

namespace safemodel::container {
namespace {

// LooksDamaged says whether the file starts as ours would after a transfer that took it for text: the high bit
// stripped, or CR and LF translated. The magic holds one of each for this purpose, as PNG's does.
bool LooksDamaged(ByteView bytes) {
  constexpr std::array<std::uint8_t, 4> kLetters = {'S', 'M', 'D', 'L'};
  if (bytes.size() < kMagic.size() || (bytes[0] & 0x7F) != 0x09) return false;
  if (!std::equal(kLetters.begin(), kLetters.end(), bytes.begin() + 1)) return false;
  // CR and LF may be fewer or more than there were, which moves the 1A that followed them, maybe out of sight.
  const ByteView rest = bytes.subspan(5, kMagic.size() - 5);
  const auto end =
      std::find_if(rest.begin(), rest.end(), [](std::uint8_t byte) { return byte != 0x0D && byte != 0x0A; });
  return end != rest.begin() && (end == rest.end() || *end == 0x1A);
}

Status CheckMagic(ByteView bytes) {
  if (bytes.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) return {};
  if (LooksDamaged(bytes)) {
    return Malformed("transfer_damage", "a transfer as text changed this file; copy it again in binary mode", {}, 0);
  }
  return Malformed("bad_magic", "this is not a safemodel container", {}, 0);
}

Status CheckManifestRange(const Preamble& preamble, std::uint64_t file_bytes, const Limits& limits) {
  // [P-LENGTH] An identifier and a root offset are the least a FlatBuffer has.
  if (preamble.manifest_length < 8)
    return Malformed("bad_manifest_length", "the manifest is shorter than any manifest", {}, 40);
  if (preamble.manifest_length > limits.manifest_bytes) {
    return OverLimit("large_manifest", "the manifest is longer than its limit", {}, 40);
  }
  // [P-OFFSET] Compared by subtraction, so that nothing can wrap.
  if (preamble.manifest_offset < kPreambleBytes || preamble.manifest_offset > file_bytes ||
      preamble.manifest_length > file_bytes - preamble.manifest_offset) {
    return Malformed("bad_manifest_offset", "the manifest does not lie within the file; it may be incomplete", {}, 32);
  }
  return {};
}

}  // namespace

Result<Preamble> ParsePreamble(ByteView bytes, std::uint64_t file_bytes, const Limits& limits) {
  SAFEMODEL_TRY(CheckMagic(bytes));  // [P-MAGIC]
  ByteReader reader(bytes);
  SAFEMODEL_TRY(reader.Take(kMagic.size()));
  Preamble preamble;
  SAFEMODEL_ASSIGN(preamble.major, reader.U16());
  SAFEMODEL_ASSIGN(preamble.minor, reader.U16());
  SAFEMODEL_ASSIGN(preamble.flags, reader.U32());
  SAFEMODEL_ASSIGN(preamble.file_id, reader.TakeArray<16>());
  SAFEMODEL_ASSIGN(preamble.manifest_offset, reader.U64());
  SAFEMODEL_ASSIGN(preamble.manifest_length, reader.U64());
  SAFEMODEL_TRY(reader.ExpectZeros(16));  // [P-RESERVED]
  if (preamble.major != kMajor) {         // [P-MAJOR]
    return Unsupported("unknown_major", "this container has another major version; use a newer safemodel", {}, 8);
  }
  if (preamble.flags != 0) {  // [P-FLAGS]
    return Unsupported("unknown_flags", "this container needs a feature that this version does not have", {}, 12);
  }
  SAFEMODEL_TRY(CheckManifestRange(preamble, file_bytes, limits));
  return preamble;
}

ByteBuffer SerializePreamble(const Preamble& preamble) {
  ByteWriter writer;
  writer.Bytes(kMagic);
  writer.U16(preamble.major);
  writer.U16(preamble.minor);
  writer.U32(preamble.flags);
  writer.Bytes(preamble.file_id);
  writer.U64(preamble.manifest_offset);
  writer.U64(preamble.manifest_length);
  writer.Zeros(16);
  return std::move(writer).Finish();
}

}  // namespace safemodel::container
