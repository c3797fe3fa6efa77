// SPDX-License-Identifier: Apache-2.0
// The numbers of format v1, and the structs that its byte strings become. Spec: sections 1 to 6 and 9.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/dtype.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>
#include <safemodel/value_tree.h>

namespace safemodel::container {

inline constexpr std::array<std::uint8_t, 8> kMagic = {0x89, 'S', 'M', 'D', 'L', 0x0D, 0x0A, 0x1A};
inline constexpr std::array<std::uint8_t, 8> kEnvelopeMagic = {0x89, 'S', 'M', 'E', 'N', 'V', 0x0D, 0x0A};
inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 0;
inline constexpr std::uint8_t kSuite = 1;
inline constexpr std::uint64_t kPreambleBytes = 64;
inline constexpr std::uint64_t kChunkRecordBytes = 48;
inline constexpr std::uint64_t kObjectRecordBytes = 96;
inline constexpr std::uint64_t kEnvelopeHeadBytes = 64;
inline constexpr std::uint64_t kEnvelopeTailBytes = 32;
inline constexpr std::uint8_t kXChaCha20Poly1305 = 1;   // the algorithm of encrypted chunks
inline constexpr std::uint64_t kSealedLengthBytes = 4;  // in front of the encoded bytes in a sealed chunk
inline constexpr std::uint64_t kSealedOverhead = kSealedLengthBytes + 16;  // and the tag

// Context strings of BLAKE3's derive-key mode.
inline constexpr const char* kIndexSliceContext = "safemodel 2026 v1 index slice";
inline constexpr const char* kObjectTableContext = "safemodel 2026 v1 object table";
inline constexpr const char* kTensorDigestContext = "safemodel 2026 v1 tensor digest";
inline constexpr const char* kContentDigestContext = "safemodel 2026 v1 content digest";
inline constexpr const char* kReproducibleIdContext = "safemodel 2026 v1 reproducible file id";
inline constexpr const char* kCommitmentContext = "safemodel 2026 v1 key commitment";
inline constexpr const char* kObjectKeyContext = "safemodel 2026 v1 object key";
inline constexpr const char* kNoteKeyContext = "safemodel 2026 v1 recipient note key";

enum class ObjectKind : std::uint8_t { kDirectory = 1, kStorage = 2, kFile = 3 };
enum class StorageForm : std::uint8_t { kRaw = 1, kCoded = 2 };
// The numbers of codecs and element layouts are those of codec/codec.h; container/ does not interpret them beyond
// their range.
inline constexpr std::uint8_t kCodecRaw = 0;
inline constexpr std::uint8_t kCodecLast = 2;
inline constexpr std::uint8_t kElementLayoutLast = 4;

struct Preamble {
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  std::uint32_t flags = 0;
  FileId file_id{};
  std::uint64_t manifest_offset = 0;
  std::uint64_t manifest_length = 0;
  bool operator==(const Preamble&) const = default;
};

struct ChunkRecord {
  std::uint64_t stored_offset = 0;
  std::uint32_t stored_length = 0;
  std::uint8_t codec = 0;
  Digest digest{};
  bool operator==(const ChunkRecord&) const = default;
};

struct ObjectRecord {
  ObjectKind kind = ObjectKind::kStorage;
  StorageForm form = StorageForm::kRaw;
  std::uint8_t element_layout = 0;
  std::uint32_t chunk_count = 0;
  std::uint64_t first_chunk = 0;
  std::uint64_t plain_size = 0;
  std::uint64_t stored_offset = 0;
  Digest salt{};
  Digest slice_digest{};
  bool operator==(const ObjectRecord&) const = default;
};

using KeyValues = std::vector<std::pair<std::string, std::string>>;  // strictly ascending keys

struct Extension {
  std::string name;
  bool critical = false;
  ByteBuffer data;
  bool operator==(const Extension&) const = default;
};

// Encryption says how the chunks of a container are sealed; spec section 16.
struct Encryption {
  std::uint8_t algorithm = kXChaCha20Poly1305;
  Digest commitment{};  // to the data key
  std::uint32_t bucket_bytes = 1;
  bool operator==(const Encryption&) const = default;
};

struct Manifest {
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  std::uint32_t flags = 0;
  std::uint8_t suite = kSuite;
  FileId file_id{};
  std::uint64_t manifest_offset = 0;
  std::string name;
  std::string version;
  std::uint64_t sequence = 0;
  std::int64_t created = 0;
  std::uint32_t chunk_size = 0;
  std::uint32_t object_count = 0;
  std::uint64_t chunk_count = 0;
  std::uint64_t index_offset = 0;
  std::uint64_t table_offset = 0;
  Digest table_digest{};
  std::optional<Encryption> encryption;
  KeyValues metadata;
  std::vector<Extension> extensions;
  bool operator==(const Manifest&) const = default;
};

struct TensorRecord {
  std::string name;
  Dtype dtype = Dtype::kU8;
  std::uint32_t element_type = 0;  // meaningful for extended dtypes only
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> strides;  // always present here; absent on the wire when contiguous
  std::uint32_t storage = 0;
  std::uint64_t byte_offset = 0;
  std::optional<Digest> digest;
  bool operator==(const TensorRecord&) const = default;
};

struct FileRecord {
  std::string path;
  std::string media_type;
  std::uint32_t object = 0;
  bool operator==(const FileRecord&) const = default;
};

struct Directory {
  std::vector<std::uint32_t> storages;  // object numbers
  std::vector<ElementType> element_types;
  std::vector<TensorRecord> tensors;
  std::vector<FileRecord> files;
  ValueTree tree;
  KeyValues metadata;
  Digest tensor_digest{};
  Digest content_digest{};
  bool operator==(const Directory&) const = default;
};

enum class ItemKind : std::uint16_t {
  kStatement = 1,
  kKeyWrap = 2,
  kLogProof = 3,
  kHardwareStatement = 4,
  kRecipientNote = 5
};

struct EnvelopeItem {
  std::uint16_t kind = 0;
  ByteBuffer bytes;
  bool operator==(const EnvelopeItem&) const = default;
};

struct Envelope {
  std::uint64_t generation = 1;
  Digest manifest_digest{};
  std::vector<EnvelopeItem> items;
  bool operator==(const Envelope&) const = default;
};

// AlignmentOf returns the alignment of an object's first stored byte: sealed bytes are never used where they lie.
[[nodiscard]] constexpr std::uint64_t AlignmentOf(const ObjectRecord& object,
                                                  const std::optional<Encryption>& encryption) {
  if (object.form == StorageForm::kCoded || encryption.has_value()) return 64;
  return object.plain_size >= (std::uint64_t{1} << 20) ? 4096 : 256;
}

// SealedLength returns how long a sealed chunk is that holds `encoded_length` bytes.
[[nodiscard]] constexpr std::uint64_t SealedLength(std::uint64_t encoded_length, std::uint32_t bucket_bytes) {
  const std::uint64_t length = encoded_length + kSealedOverhead;
  return (length + bucket_bytes - 1) / bucket_bytes * bucket_bytes;
}

// IsExpanded says whether a tensor has more contiguous bytes than 8 times its storage (spec section 8): strides of 0
// can make any number of bytes from few, so such a tensor states no digest, which nobody would want to compute.
[[nodiscard]] constexpr bool IsExpanded(std::uint64_t contiguous_bytes, std::uint64_t storage_bytes) {
  return contiguous_bytes / 8 + (contiguous_bytes % 8 != 0 ? 1 : 0) > storage_bytes;
}

}  // namespace safemodel::container
