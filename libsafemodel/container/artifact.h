// SPDX-License-Identifier: Apache-2.0
// The two manifests of what is signed as it lies: files of any format, and a set of containers. Both are fixed binary
// forms with one encoding for each content, so that what was parsed and what was signed cannot differ. Spec:
// section 15.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

namespace safemodel::container {

inline constexpr std::array<std::uint8_t, 8> kFilesMagic = {0x89, 'S', 'M', 'F', 'I', 'L', 0x0D, 0x0A};
inline constexpr std::array<std::uint8_t, 8> kSetMagic = {0x89, 'S', 'M', 'S', 'E', 'T', 0x0D, 0x0A};
inline constexpr std::uint64_t kListingHeadBytes = 72;
// Files are hashed in chunks of this size, so that one large file keeps all processors busy.
inline constexpr std::uint32_t kFileChunkBytes = 1u << 20;
// Context string of the digest of a file: derive-key BLAKE3 of its size and of the digests of its chunks in order.
inline constexpr const char* kFileDigestContext = "safemodel 2026 v1 file digest";

// ListingIdentity is what both manifests say of themselves.
struct ListingIdentity {
  FileId file_id{};
  std::string name;
  std::string version;
  std::uint64_t sequence = 0;
  std::int64_t created = 0;
  bool operator==(const ListingIdentity&) const = default;
};

struct ListedFile {
  std::string path;
  std::uint64_t size = 0;
  Digest digest{};
  bool operator==(const ListedFile&) const = default;
};

// FilesManifest lists all files of a folder, or the one file that is signed alone. What a pattern matches is not
// covered; `left_out` says what that was when the manifest was made.
struct FilesManifest {
  enum class Shape : std::uint8_t { kFile = 1, kFolder = 2 };
  ListingIdentity identity;
  Shape shape = Shape::kFolder;
  std::vector<std::string> patterns;  // each list strictly ascending by bytes
  std::vector<std::string> left_out;
  std::vector<ListedFile> files;
  bool operator==(const FilesManifest&) const = default;
};

struct SetMember {
  std::string path;  // below the folder of the set
  std::string name;
  std::string version;
  std::uint64_t sequence = 0;
  Digest manifest_digest{};
  bool operator==(const SetMember&) const = default;
};

struct SetManifest {
  ListingIdentity identity;
  std::vector<SetMember> members;  // paths strictly ascending by bytes
  bool operator==(const SetManifest&) const = default;
};

// MeasureListing reads the head of a manifest with this magic and returns the manifest's length, which is within its
// limit and not more than `available`; [F-HEAD].
Result<std::uint64_t> MeasureListing(ByteView head, const std::array<std::uint8_t, 8>& magic, std::uint64_t available,
                                     const Limits& limits);

// Parse takes a whole manifest. Call only when a signature over `bytes` was verified, or to show what nobody vouched
// for. Errors: kMalformed, kUnsupported, kLimit. Serialize refuses what Parse would.
Result<FilesManifest> ParseFilesManifest(ByteView bytes, const Limits& limits);
Result<ByteBuffer> SerializeFilesManifest(const FilesManifest& manifest, const Limits& limits);
Result<SetManifest> ParseSetManifest(ByteView bytes, const Limits& limits);
Result<ByteBuffer> SerializeSetManifest(const SetManifest& manifest, const Limits& limits);

}  // namespace safemodel::container
