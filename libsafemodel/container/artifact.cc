// SPDX-License-Identifier: Apache-2.0
// Spec section 15. Reader and writer share one set of rules (CheckFiles, CheckSet); the writer applies them before it
// writes.
#include "container/artifact.h"

#include <string_view>

#include "base/checked.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"
#include "container/names.h"
#include "container/paths.h"
#include "container/refuse.h"

namespace safemodel::container {
namespace {

using Magic = std::array<std::uint8_t, 8>;

constexpr std::uint16_t kListingVersion = 1;
constexpr std::uint64_t kShortestText = 2;
constexpr std::uint64_t kShortestFile = kShortestText + 8 + 32;
constexpr std::uint64_t kShortestMember = 3 * kShortestText + 8 + 32;

// Head is the fixed part. A set leaves shape, patterns and left_out zero.
struct Head {
  std::uint8_t shape = 0;
  std::uint64_t total_length = 0;
  std::uint64_t sequence = 0;
  std::uint64_t created = 0;
  FileId file_id{};
  std::uint32_t entries = 0;
  std::uint32_t patterns = 0;
  std::uint32_t left_out = 0;
};

Result<Head> ParseHead(ByteReader& reader, const Magic& magic) {
  SAFEMODEL_ASSIGN(const Magic found, reader.TakeArray<sizeof(Magic)>());
  if (found != magic) return Malformed("bad_listing_magic", "this is not the manifest that was asked for", {}, 0);
  SAFEMODEL_ASSIGN(const std::uint16_t version, reader.U16());
  if (version != kListingVersion) {
    return Unsupported("unknown_listing_version", "the manifest has another version; use a newer safemodel", {}, 8);
  }
  Head head;
  SAFEMODEL_ASSIGN(head.shape, reader.U8());
  SAFEMODEL_TRY(reader.ExpectZeros(5));
  SAFEMODEL_ASSIGN(head.total_length, reader.U64());
  SAFEMODEL_ASSIGN(head.sequence, reader.U64());
  SAFEMODEL_ASSIGN(head.created, reader.U64());
  SAFEMODEL_ASSIGN(head.file_id, reader.TakeArray<sizeof(FileId)>());
  SAFEMODEL_ASSIGN(head.entries, reader.U32());
  SAFEMODEL_ASSIGN(head.patterns, reader.U32());
  SAFEMODEL_ASSIGN(head.left_out, reader.U32());
  SAFEMODEL_TRY(reader.ExpectZeros(4));
  return head;
}

void SerializeHead(const Magic& magic, const Head& head, const ListingIdentity& identity, ByteWriter& writer) {
  writer.Bytes(magic);
  writer.U16(kListingVersion);
  writer.U8(head.shape);
  writer.Zeros(5);
  writer.U64(head.total_length);
  writer.U64(identity.sequence);
  writer.U64(static_cast<std::uint64_t>(identity.created));
  writer.Bytes(identity.file_id);
  writer.U32(head.entries);
  writer.U32(head.patterns);
  writer.U32(head.left_out);
  writer.Zeros(4);
}

Status CheckLength(const Head& head, std::uint64_t available, const Limits& limits) {
  if (head.total_length > limits.listing_bytes)
    return OverLimit("large_listing", "the manifest is larger than its limit", {}, 16);
  if (head.total_length < kListingHeadBytes)
    return Malformed("bad_listing_length", "the manifest is shorter than its own head", {}, 16);
  if (head.total_length > available)
    return Malformed("torn_listing", "the manifest is incomplete; get the file again", {}, 16);
  return {};
}

// CheckCounts bounds all that is allocated below: by the bytes that are there, then by the limits; [F-COUNTS].
Status CheckCounts(const Head& head, std::uint64_t shortest_entry, std::uint32_t most_entries, const Limits& limits) {
  const std::uint64_t texts = std::uint64_t{head.patterns} + head.left_out;
  const std::uint64_t room = head.total_length - kListingHeadBytes;
  if (head.entries > room / shortest_entry || texts > room / kShortestText) {
    return Malformed("bad_listing_count", "the manifest is too short for its number of entries", {}, 56);
  }
  if (head.entries > most_entries || head.left_out > limits.files) {
    return OverLimit("many_files", "the manifest lists more files than the limit", {}, 56);
  }
  if (head.patterns > limits.listing_patterns)
    return OverLimit("many_patterns", "the manifest has more patterns than the limit", {}, 60);
  return {};
}

// ParseWholeHead reads the head of a manifest that `reader` holds all of, and nothing else.
Result<Head> ParseWholeHead(ByteReader& reader, const Magic& magic, std::uint64_t shortest_entry,
                            std::uint32_t most_entries, const Limits& limits) {
  const std::uint64_t available = reader.remaining();
  SAFEMODEL_ASSIGN(const Head head, ParseHead(reader, magic));
  SAFEMODEL_TRY(CheckLength(head, available, limits));
  SAFEMODEL_TRY(CheckCounts(head, shortest_entry, most_entries, limits));
  if (head.total_length < available)
    return Malformed("trailing_bytes", "there is something behind the manifest", {}, head.total_length);
  return head;
}

Result<std::string> ParseText(ByteReader& reader) {
  SAFEMODEL_ASSIGN(const std::uint16_t length, reader.U16());
  SAFEMODEL_ASSIGN(const ByteView bytes, reader.Take(length));
  return std::string(AsText(bytes));
}

Result<std::vector<std::string>> ParseTexts(ByteReader& reader, std::uint32_t count) {
  std::vector<std::string> texts;
  texts.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    SAFEMODEL_ASSIGN(std::string text, ParseText(reader));
    texts.push_back(std::move(text));
  }
  return texts;
}

constexpr std::size_t kMostTextBytes = 0xFFFF;

// SerializeText is called for texts whose rules hold, so their length fits.
void SerializeText(std::string_view text, ByteWriter& writer) {
  writer.U16(static_cast<std::uint16_t>(text.size()));
  writer.Text(text);
}

// ParseIdentity reads what follows the head.
Result<ListingIdentity> ParseIdentity(const Head& head, ByteReader& reader) {
  if (head.created > static_cast<std::uint64_t>(kLastSecond))
    return Malformed("bad_created", "the time of creation does not lie between the years 1970 and 9999");
  ListingIdentity identity;
  identity.file_id = head.file_id;
  identity.sequence = head.sequence;
  identity.created = static_cast<std::int64_t>(head.created);
  SAFEMODEL_ASSIGN(identity.name, ParseText(reader));
  SAFEMODEL_ASSIGN(identity.version, ParseText(reader));
  return identity;
}

Status CheckIdentity(const ListingIdentity& identity, const Limits& limits) {
  SAFEMODEL_TRY(CheckModelName(identity.name, limits));
  SAFEMODEL_TRY(CheckModelVersion(identity.version, limits));
  if (identity.sequence > limits.json_integer_max)
    return OverLimit("large_sequence", "the release sequence is more than 2^53-1");
  if (identity.created < 0 || identity.created > kLastSecond)
    return Malformed("bad_created", "the time of creation does not lie between the years 1970 and 9999");
  return {};
}

// CheckNext holds the order of a list, which makes its encoding the only one; [F-ORDER].
Status CheckNext(std::string_view before, std::string_view next) {
  if (next.empty() || next <= before)
    return Malformed("listing_order", "entries of the manifest are not strictly ascending, or one is empty", next);
  if (next.size() > kMostTextBytes)
    return OverLimit("long_text", "a path or pattern is longer than 65535 bytes; shorten it");
  return {};
}

// CheckPattern accepts what --ignore takes: UTF-8 without controls, no longer than a path.
Status CheckPattern(std::string_view pattern, const Limits& limits) {
  if (pattern.size() > limits.name_bytes) return OverLimit("long_pattern", "a pattern is longer than its limit");
  if (!IsUtf8(pattern) || HasControls(pattern))
    return Malformed("bad_pattern", "a pattern is UTF-8 without control characters", pattern);
  return {};
}

Status CheckPatterns(const FilesManifest& manifest, const Limits& limits) {
  if (manifest.patterns.size() > limits.listing_patterns)
    return OverLimit("many_patterns", "the manifest has more patterns than the limit");
  if (manifest.patterns.empty() && !manifest.left_out.empty())
    return Malformed("left_out_alone", "files are left out although no pattern says so");
  std::string_view before;
  for (const std::string& pattern : manifest.patterns) {
    SAFEMODEL_TRY(CheckPattern(pattern, limits));
    SAFEMODEL_TRY(CheckNext(before, pattern));
    before = pattern;
  }
  return {};
}

// CheckShape: a file that is signed alone is one entry, named as the file is.
Status CheckShape(const FilesManifest& manifest) {
  if (manifest.shape == FilesManifest::Shape::kFolder) return {};
  const bool alone = manifest.files.size() == 1 && manifest.patterns.empty() &&
                     manifest.files.front().path.find('/') == std::string::npos;
  if (alone) return {};
  return Malformed("bad_shape", "the manifest of a single file lists something else than one file");
}

// CheckPaths: paths of both lists lie below the folder, are named once and do not meet; [F-PATHS].
Status CheckPaths(const FilesManifest& manifest, const Limits& limits) {
  std::vector<std::string_view> paths;
  paths.reserve(manifest.files.size() + manifest.left_out.size());
  std::string_view before;
  for (const ListedFile& file : manifest.files) {
    SAFEMODEL_TRY(CheckListedPath(file.path, limits));
    SAFEMODEL_TRY(CheckNext(before, file.path));
    before = file.path;
    paths.push_back(before);
  }
  before = {};
  for (const std::string& path : manifest.left_out) {
    SAFEMODEL_TRY(CheckListedPath(path, limits));
    SAFEMODEL_TRY(CheckNext(before, path));
    before = path;
    paths.push_back(before);
  }
  return CheckPathsApart(paths);
}

Status CheckSizes(const FilesManifest& manifest, const Limits& limits) {
  std::uint64_t total = 0;
  for (const ListedFile& file : manifest.files) {
    const auto sum = CheckedAdd(total, file.size);
    if (!sum.has_value() || *sum > limits.total_plain_bytes)
      return OverLimit("large_files", "the files have more bytes than the limit", file.path);
    total = *sum;
  }
  return {};
}

Status CheckFiles(const FilesManifest& manifest, const Limits& limits) {
  SAFEMODEL_TRY(CheckIdentity(manifest.identity, limits));
  if (manifest.files.empty()) return Malformed("no_files", "the manifest lists no file");
  if (manifest.files.size() > limits.files || manifest.left_out.size() > limits.files)
    return OverLimit("many_files", "the manifest lists more files than the limit");
  SAFEMODEL_TRY(CheckPatterns(manifest, limits));
  SAFEMODEL_TRY(CheckShape(manifest));
  SAFEMODEL_TRY(CheckPaths(manifest, limits));
  return CheckSizes(manifest, limits);
}

Result<std::vector<ListedFile>> ParseFileEntries(ByteReader& reader, std::uint32_t count) {
  std::vector<ListedFile> files;
  files.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    ListedFile file;
    SAFEMODEL_ASSIGN(file.path, ParseText(reader));
    SAFEMODEL_ASSIGN(file.size, reader.U64());
    SAFEMODEL_ASSIGN(file.digest, reader.TakeArray<sizeof(Digest)>());
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::vector<SetMember>> ParseMembers(ByteReader& reader, std::uint32_t count) {
  std::vector<SetMember> members;
  members.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    SetMember member;
    SAFEMODEL_ASSIGN(member.path, ParseText(reader));
    SAFEMODEL_ASSIGN(member.name, ParseText(reader));
    SAFEMODEL_ASSIGN(member.version, ParseText(reader));
    SAFEMODEL_ASSIGN(member.sequence, reader.U64());
    SAFEMODEL_ASSIGN(member.manifest_digest, reader.TakeArray<sizeof(Digest)>());
    members.push_back(std::move(member));
  }
  return members;
}

Status CheckSet(const SetManifest& manifest, const Limits& limits) {
  SAFEMODEL_TRY(CheckIdentity(manifest.identity, limits));
  if (manifest.members.empty()) return Malformed("no_members", "the set has no member");
  if (manifest.members.size() > limits.set_members)
    return OverLimit("many_members", "the set has more members than the limit");
  std::vector<std::string_view> paths;
  std::string_view before;
  for (const SetMember& member : manifest.members) {
    SAFEMODEL_TRY(CheckFilePath(member.path, limits));
    SAFEMODEL_TRY(CheckNext(before, member.path));
    before = member.path;
    paths.push_back(before);
    SAFEMODEL_TRY(CheckModelName(member.name, limits));
    SAFEMODEL_TRY(CheckModelVersion(member.version, limits));
    if (member.sequence > limits.json_integer_max)
      return OverLimit("large_sequence", "the release sequence is more than 2^53-1", member.path);
  }
  return CheckPathsApart(paths);
}

// Whole turns the written parts into a manifest whose head says its length, which is known last.
Result<ByteBuffer> Whole(const Magic& magic, Head head, const ListingIdentity& identity, ByteView body,
                         const Limits& limits) {
  head.total_length = kListingHeadBytes + body.size();
  if (head.total_length > limits.listing_bytes)
    return OverLimit("large_listing", "the manifest would be larger than its limit");
  ByteWriter writer;
  SerializeHead(magic, head, identity, writer);
  writer.Bytes(body);
  return std::move(writer).Finish();
}

}  // namespace

Result<std::uint64_t> MeasureListing(ByteView head, const Magic& magic, std::uint64_t available, const Limits& limits) {
  ByteReader reader(head);
  SAFEMODEL_ASSIGN(const Head parsed, ParseHead(reader, magic));
  SAFEMODEL_TRY(CheckLength(parsed, available, limits));
  return parsed.total_length;
}

Result<FilesManifest> ParseFilesManifest(ByteView bytes, const Limits& limits) {
  ByteReader reader(bytes);
  SAFEMODEL_ASSIGN(const Head head, ParseWholeHead(reader, kFilesMagic, kShortestFile, limits.files, limits));
  FilesManifest manifest;
  manifest.shape = static_cast<FilesManifest::Shape>(head.shape);
  if (manifest.shape != FilesManifest::Shape::kFile && manifest.shape != FilesManifest::Shape::kFolder)
    return Malformed("bad_shape", "the manifest is neither of a file nor of a folder", {}, 10);
  SAFEMODEL_ASSIGN(manifest.identity, ParseIdentity(head, reader));
  SAFEMODEL_ASSIGN(manifest.patterns, ParseTexts(reader, head.patterns));
  SAFEMODEL_ASSIGN(manifest.left_out, ParseTexts(reader, head.left_out));
  SAFEMODEL_ASSIGN(manifest.files, ParseFileEntries(reader, head.entries));
  SAFEMODEL_TRY(reader.ExpectEnd());
  SAFEMODEL_TRY(CheckFiles(manifest, limits));
  return manifest;
}

Result<ByteBuffer> SerializeFilesManifest(const FilesManifest& manifest, const Limits& limits) {
  SAFEMODEL_TRY(CheckFiles(manifest, limits));
  Head head;
  head.shape = static_cast<std::uint8_t>(manifest.shape);
  head.entries = static_cast<std::uint32_t>(manifest.files.size());
  head.patterns = static_cast<std::uint32_t>(manifest.patterns.size());
  head.left_out = static_cast<std::uint32_t>(manifest.left_out.size());
  ByteWriter body;
  SerializeText(manifest.identity.name, body);
  SerializeText(manifest.identity.version, body);
  for (const std::string& pattern : manifest.patterns) SerializeText(pattern, body);
  for (const std::string& path : manifest.left_out) SerializeText(path, body);
  for (const ListedFile& file : manifest.files) {
    SerializeText(file.path, body);
    body.U64(file.size);
    body.Bytes(file.digest);
  }
  return Whole(kFilesMagic, head, manifest.identity, body.view(), limits);
}

Result<SetManifest> ParseSetManifest(ByteView bytes, const Limits& limits) {
  ByteReader reader(bytes);
  SAFEMODEL_ASSIGN(const Head head, ParseWholeHead(reader, kSetMagic, kShortestMember, limits.set_members, limits));
  if (head.shape != 0 || head.patterns != 0 || head.left_out != 0)
    return Malformed("bad_shape", "the manifest of a set has fields that only one of files has", {}, 10);
  SetManifest manifest;
  SAFEMODEL_ASSIGN(manifest.identity, ParseIdentity(head, reader));
  SAFEMODEL_ASSIGN(manifest.members, ParseMembers(reader, head.entries));
  SAFEMODEL_TRY(reader.ExpectEnd());
  SAFEMODEL_TRY(CheckSet(manifest, limits));
  return manifest;
}

Result<ByteBuffer> SerializeSetManifest(const SetManifest& manifest, const Limits& limits) {
  SAFEMODEL_TRY(CheckSet(manifest, limits));
  Head head;
  head.entries = static_cast<std::uint32_t>(manifest.members.size());
  ByteWriter body;
  SerializeText(manifest.identity.name, body);
  SerializeText(manifest.identity.version, body);
  for (const SetMember& member : manifest.members) {
    SerializeText(member.path, body);
    SerializeText(member.name, body);
    SerializeText(member.version, body);
    body.U64(member.sequence);
    body.Bytes(member.manifest_digest);
  }
  return Whole(kSetMagic, head, manifest.identity, body.view(), limits);
}

}  // namespace safemodel::container
