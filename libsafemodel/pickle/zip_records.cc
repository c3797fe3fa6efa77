// SPDX-License-Identifier: Apache-2.0
#include "pickle/zip_records.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "base/little_endian.h"
#include "base/try.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint64_t kMostComment = 0xFFFF;
constexpr std::uint16_t kZip64Extra = 0x0001;
constexpr std::uint16_t kTorchPaddingExtra = 0x4246;  // "FB": PyTorch aligns member data with it
constexpr std::uint16_t kUnicodePathExtra = 0x7075;   // a second name of the member

Error Unsafe(const char* code, const char* text, std::uint64_t offset) { return {Stage::kUnsafe, code, text, offset}; }
Error Malformed(const char* text, std::uint64_t offset) { return {Stage::kMalformed, "ZIP-MALFORMED", text, offset}; }

// IsPlainText: a comment of anything else could hold a second archive.
bool IsPlainText(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::uint8_t c) { return (c >= 0x20 && c != 0x7F) || c == '\t' || c == '\n' || c == '\r'; });
}

struct EndRecord {
  std::uint16_t disk = 0;
  std::uint16_t directory_disk = 0;
  std::uint16_t entries_here = 0;
  std::uint16_t entries = 0;
  std::uint32_t directory_size = 0;
  std::uint32_t directory_offset = 0;
};

// FindEnd takes the last end record, as Python and miniz do, and demands that its comment ends with the file.
Result<std::uint64_t> FindEnd(ByteView tail, std::uint64_t tail_offset) {
  for (std::size_t at = tail.size() - kEndSize + 1; at-- > 0;) {
    ByteReader probe(tail.subspan(at), tail_offset + at);
    SAFEMODEL_ASSIGN(const std::uint32_t signature, probe.U32());
    if (signature != kEndSignature) continue;
    SAFEMODEL_TRY(probe.Take(16));
    SAFEMODEL_ASSIGN(const std::uint16_t comment_size, probe.U16());
    const ByteView comment = probe.TakeRest();
    if (comment.size() != comment_size) {
      return Unsafe("ZIP-OUTSIDE", "bytes follow the end of the archive, where readers disagree what it holds",
                    tail_offset + at);
    }
    if (!IsPlainText(comment)) {
      return Unsafe("ZIP-OUTSIDE", "the comment of the archive is no text and may hold another archive",
                    tail_offset + at);
    }
    return tail_offset + at;
  }
  return Error{Stage::kMalformed, "FILE-MALFORMED",
               "the zip archive has no end record; it may be incomplete, get the file again"};
}

Result<EndRecord> ReadEndRecord(ByteReader& reader) {
  EndRecord end;
  SAFEMODEL_TRY(reader.U32());
  SAFEMODEL_ASSIGN(end.disk, reader.U16());
  SAFEMODEL_ASSIGN(end.directory_disk, reader.U16());
  SAFEMODEL_ASSIGN(end.entries_here, reader.U16());
  SAFEMODEL_ASSIGN(end.entries, reader.U16());
  SAFEMODEL_ASSIGN(end.directory_size, reader.U32());
  SAFEMODEL_ASSIGN(end.directory_offset, reader.U32());
  return end;
}

// Agrees: a field of the end record is all ones or repeats the zip64 value.
template <typename T>
bool Agrees(T field, std::uint64_t value) {
  return field == static_cast<T>(~T{0}) || field == value;
}

Result<EndOfArchive> ReadZip64End(const ByteSource& source, const EndRecord& end, std::uint64_t locator_offset) {
  const auto contradicts = [&] {
    return Unsafe("ZIP-END", "the two end records of the archive contradict each other", locator_offset);
  };
  SAFEMODEL_ASSIGN(const ByteBuffer locator_bytes, ReadRange(source, locator_offset, kLocatorSize, kLocatorSize));
  ByteReader locator(locator_bytes, locator_offset);
  SAFEMODEL_TRY(locator.U32());
  SAFEMODEL_ASSIGN(const std::uint32_t disk, locator.U32());
  SAFEMODEL_ASSIGN(const std::uint64_t offset, locator.U64());
  SAFEMODEL_ASSIGN(const std::uint32_t disks, locator.U32());
  if (disk != 0 || disks != 1 || locator_offset < kZip64EndSize || offset != locator_offset - kZip64EndSize) {
    return contradicts();
  }

  SAFEMODEL_ASSIGN(const ByteBuffer record_bytes, ReadRange(source, offset, kZip64EndSize, kZip64EndSize));
  ByteReader record(record_bytes, offset);
  SAFEMODEL_ASSIGN(const std::uint32_t signature, record.U32());
  SAFEMODEL_ASSIGN(const std::uint64_t record_size, record.U64());
  SAFEMODEL_TRY(record.U32());  // versions made by and needed
  SAFEMODEL_ASSIGN(const std::uint32_t this_disk, record.U32());
  SAFEMODEL_ASSIGN(const std::uint32_t directory_disk, record.U32());
  SAFEMODEL_ASSIGN(const std::uint64_t entries_here, record.U64());
  EndOfArchive out;
  SAFEMODEL_ASSIGN(out.entries, record.U64());
  SAFEMODEL_ASSIGN(out.directory_size, record.U64());
  SAFEMODEL_ASSIGN(out.directory_offset, record.U64());
  out.end_offset = offset;
  const bool agree = Agrees(end.entries, out.entries) && Agrees(end.entries_here, out.entries) &&
                     Agrees(end.directory_size, out.directory_size) &&
                     Agrees(end.directory_offset, out.directory_offset);
  if (signature != kZip64EndSignature || record_size != kZip64EndSize - 12 || this_disk != 0 || directory_disk != 0 ||
      entries_here != out.entries || !agree) {
    return contradicts();
  }
  return out;
}

// ExtraFields are what the extra fields of a header may change.
struct ExtraFields {
  std::optional<ByteView> zip64;
  std::optional<ByteView> unicode_name;
};

Result<ExtraFields> ReadExtra(ByteReader extra) {
  ExtraFields out;
  while (extra.remaining() >= 4) {
    const std::uint64_t at = extra.offset();
    SAFEMODEL_ASSIGN(const std::uint16_t id, extra.U16());
    SAFEMODEL_ASSIGN(const std::uint16_t size, extra.U16());
    const auto taken = extra.Take(size);
    if (!taken.ok()) return Malformed("an extra field is longer than its header says", at);
    const ByteView field = taken.value();
    if (id == kZip64Extra) {
      if (out.zip64) return Unsafe("ZIP-SIZES", "a member states its 64-bit sizes twice", at);
      out.zip64 = field;
    } else if (id == kUnicodePathExtra) {
      // u8 version, u32 CRC of the name, the name.
      out.unicode_name = field.subspan(std::min<std::size_t>(5, field.size()));
    } else if (id == kTorchPaddingExtra) {
      const bool filled = std::all_of(field.begin(), field.end(), [](std::uint8_t c) { return c == 'Z'; });
      if (!filled) return Unsafe("ZIP-OUTSIDE", "the padding in front of a member holds data", at);
    }
  }
  if (!extra.ExpectZeros(extra.remaining()).ok()) return Malformed("an extra field is cut off", extra.offset());
  return out;
}

// TakeZip64 replaces a 32-bit field of all ones by the next 64-bit one (APPNOTE 4.5.3).
Status TakeZip64(ByteReader& zip64, std::uint64_t& field) {
  if (field != 0xFFFFFFFFu) return {};
  if (zip64.empty()) return {};  // the number itself: 2^32 - 1 bytes
  SAFEMODEL_ASSIGN(field, zip64.U64());
  return {};
}

Status ApplyExtra(ByteReader extra_reader, ZipHeader& header, bool central) {
  const std::uint64_t at = extra_reader.offset();
  SAFEMODEL_ASSIGN(const ExtraFields extra, ReadExtra(extra_reader));
  if (extra.unicode_name && AsText(*extra.unicode_name) != header.name) {
    return Unsafe("ZIP-NAME-MISMATCH", "a member has a second name in an extra field", at);
  }
  if (!extra.zip64) return {};
  ByteReader zip64(*extra.zip64, at);
  Status taken = TakeZip64(zip64, header.size);
  if (taken.ok()) taken = TakeZip64(zip64, header.stored_size);
  if (taken.ok() && central) taken = TakeZip64(zip64, header.header_offset);
  if (!taken.ok()) return Malformed("a 64-bit size of a member is cut off", at);
  // Some writers state 64-bit values that the 32-bit fields hold already; readers skip those.
  return {};
}

// NumberAt is the little-endian number at a place of a record of fixed size, which compilers check.
template <typename T, std::size_t kAt, typename Bytes>
T NumberAt(const Bytes& bytes) {
  const std::span fields(bytes);
  static_assert(decltype(fields)::extent != std::dynamic_extent && kAt + sizeof(T) <= decltype(fields)::extent);
  return LoadLittleEndian<T>(fields, kAt);
}

// TakeCommon reads what both headers have: from the version that is needed to the length of the extra fields.
void TakeCommon(std::span<const std::uint8_t, 26> fields, ZipHeader& out) {
  out.version = NumberAt<std::uint16_t, 0>(fields);
  out.flags = NumberAt<std::uint16_t, 2>(fields);
  out.method = NumberAt<std::uint16_t, 4>(fields);  // then time and date
  out.crc = NumberAt<std::uint32_t, 10>(fields);
  out.stored_size = NumberAt<std::uint32_t, 14>(fields);
  out.size = NumberAt<std::uint32_t, 18>(fields);
}

// DescriptorForm is how a data descriptor may be written.
struct DescriptorForm {
  enum class Signature : std::uint8_t { kNo, kYes } signature;
  enum class Sizes : std::uint8_t { k32, k64 } sizes;
};
constexpr std::array<DescriptorForm, 4> kDescriptorForms{{
    {DescriptorForm::Signature::kYes, DescriptorForm::Sizes::k64},
    {DescriptorForm::Signature::kYes, DescriptorForm::Sizes::k32},
    {DescriptorForm::Signature::kNo, DescriptorForm::Sizes::k64},
    {DescriptorForm::Signature::kNo, DescriptorForm::Sizes::k32},
}};

bool Follows32(ByteReader& reader, std::uint64_t wanted) {
  const auto value = reader.U32();
  return value.ok() && value.value() == wanted;
}

bool Follows64(ByteReader& reader, std::uint64_t wanted) {
  const auto value = reader.U64();
  return value.ok() && value.value() == wanted;
}

// Repeats says whether a descriptor of this form comes next, with the CRC and the sizes of a member.
bool Repeats(ByteReader& reader, const DescriptorForm& form, const ZipEntry& member) {
  const bool starts = form.signature == DescriptorForm::Signature::kNo || Follows32(reader, kDescriptorSignature);
  const auto follows = form.sizes == DescriptorForm::Sizes::k64 ? Follows64 : Follows32;
  return starts && Follows32(reader, member.crc) && follows(reader, member.stored_size) && follows(reader, member.size);
}

}  // namespace

Result<EndOfArchive> ReadEnd(const ByteSource& source) {
  if (source.size() < kEndSize) {
    return Error{Stage::kMalformed, "FILE-MALFORMED",
                 "the zip archive is too short for one; it may be incomplete, get the file again"};
  }
  const std::uint64_t tail_size = std::min(source.size(), kEndSize + kMostComment);
  const std::uint64_t tail_offset = source.size() - tail_size;
  SAFEMODEL_ASSIGN(const ByteBuffer tail, ReadRange(source, tail_offset, tail_size, kEndSize + kMostComment));
  SAFEMODEL_ASSIGN(const std::uint64_t end_offset, FindEnd(tail, tail_offset));
  ByteReader reader(ByteView(tail).subspan(static_cast<std::size_t>(end_offset - tail_offset)), end_offset);
  SAFEMODEL_ASSIGN(const EndRecord end, ReadEndRecord(reader));
  if (end.disk != 0 || end.directory_disk != 0 || end.entries_here != end.entries) {
    return Unsafe("ZIP-END", "the end record speaks of several disks, which readers take differently", end_offset);
  }
  if (end_offset >= kLocatorSize) {
    SAFEMODEL_ASSIGN(const ByteBuffer before, ReadRange(source, end_offset - kLocatorSize, 4, 4));
    SAFEMODEL_ASSIGN(const std::uint32_t signature, ByteReader(before).U32());
    if (signature == kZip64LocatorSignature) return ReadZip64End(source, end, end_offset - kLocatorSize);
  }
  return EndOfArchive{end.entries, end.directory_offset, end.directory_size, end_offset};
}

Result<ZipHeader> ReadCentralRecord(ByteReader& reader) {
  const std::uint64_t at = reader.offset();
  ZipHeader out;
  SAFEMODEL_ASSIGN(const std::uint32_t signature, reader.U32());
  if (signature != kCentralSignature) {
    return Unsafe("ZIP-END", "the directory holds fewer members than the end record counts", at);
  }
  SAFEMODEL_ASSIGN(const auto fields, reader.TakeArray<42>());
  TakeCommon(std::span(fields).subspan<2, 26>(), out);  // behind the version that made it
  const auto comment_size = NumberAt<std::uint16_t, 28>(fields);
  const auto disk = NumberAt<std::uint16_t, 30>(fields);  // and internal attributes
  out.attributes = NumberAt<std::uint32_t, 34>(fields);
  out.header_offset = NumberAt<std::uint32_t, 38>(fields);
  const auto name_size = NumberAt<std::uint16_t, 24>(fields), extra_size = NumberAt<std::uint16_t, 26>(fields);
  SAFEMODEL_ASSIGN(const ByteView name, reader.Take(name_size));
  out.name = AsText(name);
  SAFEMODEL_ASSIGN(const ByteReader extra, reader.Sub(extra_size));
  SAFEMODEL_ASSIGN(const ByteView comment, reader.Take(comment_size));
  if (disk != 0) return Unsafe("ZIP-END", "a member lies on another disk, which readers take differently", at);
  if (!IsPlainText(comment)) return Unsafe("ZIP-OUTSIDE", "the comment of a member is no text and may hide data", at);
  SAFEMODEL_TRY(ApplyExtra(extra, out, true));
  return out;
}

Status ReadLocalHeader(const ByteSource& source, std::uint64_t offset, ZipHeader& out, ExtraFaults faults) {
  constexpr std::uint64_t kFixed = 30;
  const auto cut_off = [&] { return Malformed("a member's header lies outside the file", offset); };
  if (offset > source.size() || source.size() - offset < kFixed) return cut_off();
  std::array<std::uint8_t, kFixed> fixed{};
  SAFEMODEL_TRY(source.ReadAt(offset, fixed));
  if (NumberAt<std::uint32_t, 0>(fixed) != kLocalSignature) {
    return Malformed("the directory points at something that is no member", offset);
  }
  TakeCommon(std::span(fixed).subspan<4, 26>(), out);
  const auto name_size = NumberAt<std::uint16_t, 26>(fixed), extra_size = NumberAt<std::uint16_t, 28>(fixed);
  const std::uint64_t variable = std::uint64_t{name_size} + extra_size;
  if (source.size() - offset - kFixed < variable) return cut_off();
  std::array<std::uint8_t, 256> few{};
  ByteBuffer many;
  if (variable > few.size()) many.resize(static_cast<std::size_t>(variable));  // at most 128 KiB
  const MutableBytes rest = many.empty() ? MutableBytes(few).first(static_cast<std::size_t>(variable)) : many;
  SAFEMODEL_TRY(source.ReadAt(offset + kFixed, rest));
  ByteReader tail(rest, offset + kFixed);
  SAFEMODEL_ASSIGN(const ByteView name, tail.Take(name_size));
  out.name = AsText(name);
  SAFEMODEL_ASSIGN(const ByteReader extra, tail.Sub(extra_size));
  const Status applied = ApplyExtra(extra, out, false);
  if (faults == ExtraFaults::kRefuse && !applied.ok()) return applied.error();
  out.data_offset = offset + kFixed + variable;
  return {};
}

Result<std::uint64_t> ReadDescriptor(const ByteSource& source, std::uint64_t offset, const ZipEntry& member) {
  std::array<std::uint8_t, 24> largest{};
  const MutableBytes bytes = MutableBytes(largest).first(std::min(largest.size(), source.size() - offset));
  SAFEMODEL_TRY(source.ReadAt(offset, bytes));
  // APPNOTE 4.3.9: the signature is optional, sizes have 8 bytes in zip64 archives and 4 in others.
  for (const DescriptorForm& form : kDescriptorForms) {
    ByteReader reader(bytes, offset);
    if (Repeats(reader, form, member)) return reader.offset() - offset;
  }
  return std::uint64_t{0};
}

}  // namespace safemodel::pickle
