// SPDX-License-Identifier: Apache-2.0
#include "formats/npz_writer.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>

#include "base/ascii.h"
#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"
#include "value/tensor_view.h"

namespace safemodel::formats {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEndOfDirectory = 0x06054b50;
constexpr std::uint32_t kZip64EndOfDirectory = 0x06064b50;
constexpr std::uint32_t kZip64Locator = 0x07064b50;
constexpr std::uint16_t kVersion = 20;
constexpr std::uint16_t kVersionZip64 = 45;
constexpr std::uint16_t kFlagUtf8 = 1 << 11;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDosDate = (1 << 5) | 1;  // 1980-01-01: the same tensors give the same bytes
constexpr std::uint16_t kZip64Tag = 1;
constexpr std::uint32_t kMax32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint16_t kMax16 = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kChecksumOffset = 14;  // in a local header
constexpr std::string_view kSuffix = ".npy";

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) { return static_cast<unsigned char>(letter) < 0x80; });
}

// IsSafePath refuses names that unzip would put outside its folder, or that systems read differently.
bool IsSafePath(std::string_view path) {
  if (!IsUtf8(path) || HasControls(path) || path.find_first_of("\\:") != std::string_view::npos) return false;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

// CheckFolded: file systems that know no case unpack only one of `a.npy` and `A.npy`, so readers, ours among them,
// refuse both.
Status CheckFolded(const std::vector<std::string_view>& names) {
  std::map<std::string, std::string_view> seen;
  for (const std::string_view name : names) {
    const auto [other, is_new] = seen.emplace(FoldAscii(name), name);
    if (is_new || other->second == name) continue;  // equal names are told as such
    return Error{Stage::kUnsupported, "names_collide",
                 "two tensors' names differ only by the case of letters; export to safetensors", kNoOffset,
                 std::string(other->second) + ", " + std::string(name)};
  }
  return {};
}

Status CheckNames(std::span<const ExportEntry> entries) {
  std::vector<std::string_view> names;
  names.reserve(entries.size());
  for (const ExportEntry& entry : entries) {
    if (!IsSafePath(entry.name) || entry.name.size() + kSuffix.size() > kMax16) {
      return Error{Stage::kUnsupported, "name_not_in_format",
                   "a tensor's name cannot be a file name in an archive; export to safetensors", kNoOffset, entry.name};
    }
    names.push_back(entry.name);
  }
  if (names.empty()) {
    return Error{Stage::kUnsupported, "no_tensors",
                 "there are no tensors, and an archive without a file in it is not read back; export to safetensors"};
  }
  SAFEMODEL_TRY(CheckFolded(names));
  std::sort(names.begin(), names.end());
  for (const std::string_view name : names) {
    // numpy looks a key up among the file names first: beside "w", the key "w.npy" would find the array of "w".
    if (name.ends_with(kSuffix) &&
        std::binary_search(names.begin(), names.end(), name.substr(0, name.size() - kSuffix.size()))) {
      return Error{Stage::kUnsupported, "names_collide",
                   "two tensors' names differ only by .npy; export to safetensors", kNoOffset, std::string(name)};
    }
  }
  const auto equal = std::adjacent_find(names.begin(), names.end());
  if (equal == names.end()) return {};
  return Error{Stage::kUsage, "equal_names", "two tensors have the same name", kNoOffset, std::string(*equal)};
}

Status CheckSize(const ExportEntry& entry, std::span<const ElementType> types) {
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(entry.dtype, entry.element_type, types));
  SAFEMODEL_ASSIGN(const std::uint64_t count, ElementCount(entry.shape));
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ContiguousBytes(count, bits));
  if (bytes == entry.bytes) return {};
  return Error{Stage::kUsage, "size_mismatch", "dtype and shape of a tensor do not make its bytes", kNoOffset,
               entry.name};
}

bool NeedsZip64(const NpzMember& member) { return member.file_bytes >= kMax32 || member.offset >= kMax32; }

std::uint16_t FlagsOf(const NpzMember& member) { return IsAscii(member.file_name) ? 0 : kFlagUtf8; }

std::uint32_t Clamped(std::uint64_t value) { return value >= kMax32 ? kMax32 : static_cast<std::uint32_t>(value); }

// What local and central header have in common: version to compressed size and size, then the length of the name.
void WriteCommon(ByteWriter& out, const NpzMember& member, std::uint32_t checksum, std::uint32_t size) {
  out.U16(NeedsZip64(member) ? kVersionZip64 : kVersion);
  out.U16(FlagsOf(member));
  out.U16(kStored);
  out.U16(0);  // time
  out.U16(kDosDate);
  out.U32(checksum);
  out.U32(size);
  out.U32(size);
  out.U16(static_cast<std::uint16_t>(member.file_name.size()));  // CheckNames compared it
}

// local header: signature | common | extra length u16 | name | zip64: tag u16, length u16, size u64, size u64
void WriteLocalHeader(ByteWriter& out, const NpzMember& member) {
  const bool zip64 = NeedsZip64(member);
  out.U32(kLocalHeader);
  WriteCommon(out, member, 0, zip64 ? kMax32 : static_cast<std::uint32_t>(member.file_bytes));
  out.U16(zip64 ? 20 : 0);
  out.Text(member.file_name);
  if (!zip64) return;
  out.U16(kZip64Tag);
  out.U16(16);
  out.U64(member.file_bytes);
  out.U64(member.file_bytes);
}

// central header: signature | made by u16 | common | extra length, comment length, disk u16 | attributes u16, u32 |
// offset u32 | name | zip64: tag u16, length u16, size u64, size u64, offset u64
void WriteCentralHeader(ByteWriter& out, const NpzMember& member) {
  const bool zip64 = NeedsZip64(member);
  out.U32(kCentralHeader);
  out.U16(kVersionZip64);
  WriteCommon(out, member, member.crc.value(), zip64 ? kMax32 : static_cast<std::uint32_t>(member.file_bytes));
  out.U16(zip64 ? 28 : 0);
  out.U16(0);
  out.U16(0);
  out.U16(0);
  out.U32(0);
  out.U32(zip64 ? kMax32 : static_cast<std::uint32_t>(member.offset));
  out.Text(member.file_name);
  if (!zip64) return;
  out.U16(kZip64Tag);
  out.U16(24);
  out.U64(member.file_bytes);
  out.U64(member.file_bytes);
  out.U64(member.offset);
}

void WriteZip64End(ByteWriter& out, std::uint64_t count, std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t end_offset = offset + size;
  out.U32(kZip64EndOfDirectory);
  out.U64(44);  // what follows
  out.U16(kVersionZip64);
  out.U16(kVersionZip64);
  out.U32(0);
  out.U32(0);
  out.U64(count);
  out.U64(count);
  out.U64(size);
  out.U64(offset);
  out.U32(kZip64Locator);
  out.U32(0);
  out.U64(end_offset);
  out.U32(1);
}

}  // namespace

Result<NpzLayout> PlanNpz(std::span<const ExportEntry> entries, std::span<const ElementType> types) {
  SAFEMODEL_TRY(CheckNames(entries));
  const NpyTypes npy_types(types);
  NpzLayout layout;
  layout.members.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    SAFEMODEL_ASSIGN(const ByteBuffer npy_header, NpyHeader(entries[i], npy_types));
    SAFEMODEL_TRY(CheckSize(entries[i], types));
    NpzMember member;
    member.entry = i;
    member.file_name = entries[i].name + std::string(kSuffix);
    member.offset = layout.directory_offset;
    member.checksum_at = member.offset + kChecksumOffset;
    const auto file_bytes = CheckedAdd<std::uint64_t>(entries[i].bytes, npy_header.size());
    member.file_bytes = file_bytes.value_or(0);
    member.crc.Update(npy_header);
    ByteWriter head;
    WriteLocalHeader(head, member);
    head.Bytes(npy_header);
    member.head = std::move(head).Finish();
    const auto data_offset = CheckedAdd<std::uint64_t>(member.offset, member.head.size());
    const auto next = data_offset ? CheckedAdd<std::uint64_t>(*data_offset, entries[i].bytes) : std::nullopt;
    if (!file_bytes || !next)
      return Error{Stage::kUsage, "size_overflow", "the file would have more bytes than 64 bits count"};
    layout.directory_offset = *next;
    layout.members.push_back(std::move(member));
  }
  return layout;
}

ByteBuffer CentralDirectory(const NpzLayout& layout) {
  ByteWriter out;
  for (const NpzMember& member : layout.members) WriteCentralHeader(out, member);
  const std::uint64_t size = out.size();
  const std::uint64_t count = layout.members.size();
  const bool zip64 = count >= kMax16 || size >= kMax32 || layout.directory_offset >= kMax32;
  if (zip64) WriteZip64End(out, count, layout.directory_offset, size);
  out.U32(kEndOfDirectory);
  out.U16(0);
  out.U16(0);
  const auto count16 = static_cast<std::uint16_t>(std::min<std::uint64_t>(count, kMax16));
  out.U16(count16);
  out.U16(count16);
  out.U32(Clamped(size));
  out.U32(Clamped(layout.directory_offset));
  out.U16(0);
  return std::move(out).Finish();
}

}  // namespace safemodel::formats
