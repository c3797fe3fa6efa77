// SPDX-License-Identifier: Apache-2.0
#include "pickle/zip.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "pickle/member_name.h"
#include "pickle/zip_member.h"
#include "pickle/zip_records.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint16_t kNewestVersion = 63;         // what Python reads
constexpr std::uint32_t kDirectoryAttribute = 0x10;  // MS-DOS; for PyTorch such a member has no bytes
constexpr std::uint64_t kMostPadding = 64u << 10;    // zeros between members

Error Refusal(Stage stage, const char* code, const char* text, const ZipHeader& header, std::uint64_t offset) {
  return {stage, code, text, offset, header.name};
}

char FoldCase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Folded(std::string_view name) {
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), FoldCase);
  return out;
}

bool IsAscii(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Faults collects what is wrong with an archive.
using Faults = std::vector<Error>;

void Note(Faults& faults, const Status& status) {
  if (!status.ok()) faults.push_back(status.error());
}

Status CheckFlags(const ZipHeader& central, const ZipHeader& local) {
  const std::uint64_t at = central.header_offset;
  if (((local.flags ^ central.flags) & ~kFlagDeflateLevel) != 0) {
    return Refusal(Stage::kUnsafe, "ZIP-FLAGS", "the two headers of a member have different flags", local, at);
  }
  if ((central.flags & kFlagMasked) != 0) {
    return Refusal(Stage::kUnsafe, "ZIP-FLAGS", "a member claims masked headers, which only some readers refuse", local,
                   at);
  }
  if ((central.flags & (kFlagPatch | kFlagStrong)) != 0) {
    return Refusal(Stage::kUnsupported, "ZIP-FLAGS", "a member is a patch or uses strong encryption", local, at);
  }
  if ((central.flags & kFlagEncrypted) != 0) {
    return Refusal(Stage::kUnsupported, "FILE-ENCRYPTED", "a member is encrypted; decrypt the archive first", local,
                   at);
  }
  if ((central.flags & ~(kFlagDeflateLevel | kFlagDescriptor | kFlagUtf8)) != 0) {
    return Refusal(Stage::kUnsupported, "ZIP-FLAGS", "a member has flags that this reader does not know", local, at);
  }
  return {};
}

Status CheckSizes(const ZipHeader& central, const ZipHeader& local) {
  const std::uint64_t at = central.header_offset;
  const auto refuse = [&](const char* text) { return Refusal(Stage::kUnsafe, "ZIP-SIZES", text, local, at); };
  // PyTorch copies `size` bytes of a stored member: more than there are would be those of its neighbours.
  const bool encrypted = (central.flags & kFlagEncrypted) != 0;  // adds 12 bytes, and is refused already
  if (central.method == static_cast<std::uint16_t>(ZipMethod::kStored) && !encrypted &&
      central.size != central.stored_size) {
    return refuse("a stored member is longer or shorter than its bytes");
  }
  const bool equal = local.size == central.size && local.stored_size == central.stored_size;
  const bool absent = local.size == 0 && local.stored_size == 0;
  const bool later = (central.flags & kFlagDescriptor) != 0;
  if (!equal && !(later && absent)) return refuse("the two headers of a member state different sizes");
  if (local.crc != central.crc && !(later && local.crc == 0)) {
    return Refusal(Stage::kMalformed, "ZIP-CRC", "the two headers of a member state different checksums", local, at);
  }
  return {};
}

Status CheckMethod(const ZipHeader& central, const ZipHeader& local) {
  const std::uint64_t at = central.header_offset;
  if (local.method != central.method) {
    return Refusal(Stage::kUnsafe, "ZIP-METHOD-MISMATCH", "the two headers of a member state different methods",
                   central, at);
  }
  if (central.method != static_cast<std::uint16_t>(ZipMethod::kStored) &&
      central.method != static_cast<std::uint16_t>(ZipMethod::kDeflated)) {
    return Refusal(Stage::kUnsupported, "FILE-UNSUPPORTED", "a member is compressed by a method other than deflate",
                   central, at);
  }
  if (central.version > kNewestVersion || local.version > kNewestVersion) {
    return Refusal(Stage::kUnsafe, "ZIP-VERSION", "a member claims to need a newer zip, which only some readers refuse",
                   central, at);
  }
  return {};
}

Status CheckAttributes(const ZipHeader& central) {
  const bool named_folder = central.name.ends_with('/');
  const bool marked_folder = (central.attributes & kDirectoryAttribute) != 0;
  if ((named_folder && central.size != 0) || (marked_folder && !named_folder)) {
    return Refusal(Stage::kUnsafe, "ZIP-ATTR",
                   "a member is marked as a folder; PyTorch would return memory it never wrote", central,
                   central.header_offset);
  }
  return {};
}

void CheckMember(const ZipHeader& central, const ZipHeader& local, Faults& faults) {
  const std::uint64_t at = central.header_offset;
  if (local.name != central.name) {
    faults.push_back(
        Refusal(Stage::kUnsafe, "ZIP-NAME-MISMATCH", "the two headers of a member have different names", central, at));
  }
  if (!IsSafeMemberName(central.name)) {
    faults.push_back(Refusal(Stage::kUnsafe, "ZIP-NAME",
                             "the name of a member leads out of its folder or holds control characters", central, at));
  }
  Note(faults, CheckFlags(central, local));
  Note(faults, CheckMethod(central, local));
  Note(faults, CheckSizes(central, local));
  Note(faults, CheckAttributes(central));
}

// CheckPadding: what no header explains must be zeros, and few of them.
Status CheckPadding(const ByteSource& source, std::uint64_t begin, std::uint64_t end) {
  const Error outside{Stage::kUnsafe, "ZIP-OUTSIDE", "bytes lie between the members that the directory does not know",
                      begin};
  if (end - begin > kMostPadding) return outside;
  SAFEMODEL_ASSIGN(const ByteBuffer gap, ReadRange(source, begin, end - begin, kMostPadding));
  ByteReader reader(gap, begin);
  if (!reader.ExpectZeros(gap.size()).ok()) return outside;
  return {};
}

// Extent is what one member covers: its header, data and descriptor.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t data_end = 0;
  std::size_t member = 0;
};

// EndOf returns where a member ends, with its descriptor if it has one.
Result<std::uint64_t> EndOf(const ByteSource& source, const ZipHeader& header, std::uint64_t data_end,
                            std::uint64_t next) {
  if ((header.flags & kFlagDescriptor) == 0) return data_end;
  SAFEMODEL_ASSIGN(const std::uint64_t descriptor, ReadDescriptor(source, data_end, header));
  if (descriptor == 0 || descriptor > next - data_end) {
    return Refusal(Stage::kUnsafe, "ZIP-SIZES", "the sizes behind a member are not those of the directory", header,
                   data_end);
  }
  return data_end + descriptor;
}

// CheckTiling proves that members follow one another from the first byte up to the directory.
Status CheckTiling(const ByteSource& source, const std::vector<ZipHeader>& members, std::vector<Extent> extents,
                   std::uint64_t directory_offset, Faults& faults) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  if ((extents.empty() ? directory_offset : extents.front().begin) != 0) {
    faults.push_back({Stage::kUnsafe, "ZIP-OUTSIDE", "bytes lie in front of the first member", 0});
  }
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const ZipHeader& header = members[extents[i].member];
    const std::uint64_t next = i + 1 < extents.size() ? extents[i + 1].begin : directory_offset;
    if (extents[i].data_end > next) {
      faults.push_back(Refusal(Stage::kUnsafe, "ZIP-OVERLAP", "two members share bytes", header, extents[i].begin));
      continue;
    }
    const auto end = EndOf(source, header, extents[i].data_end, next);
    if (!end.ok() && end.error().stage == Stage::kIo) return end.error();
    Note(faults, end.ok() ? CheckPadding(source, end.value(), next) : Status(end.error()));
  }
  return {};
}

Result<std::vector<ZipHeader>> ReadDirectory(const ByteSource& source, const EndOfArchive& end,
                                             const ZipLimits& limits) {
  if (end.entries > limits.entries) {
    return Error{Stage::kLimit, "LIMIT-COUNT", "the archive has more members than the limit", end.end_offset};
  }
  if (end.directory_size > limits.directory_bytes) {
    return Error{Stage::kLimit, "LIMIT-BYTES", "the directory of the archive is larger than the limit", end.end_offset};
  }
  const auto directory_end = CheckedAdd(end.directory_offset, end.directory_size);
  // Python moves all offsets when the directory does not end here, PyTorch does not.
  if (!directory_end || *directory_end != end.end_offset) {
    return Error{Stage::kUnsafe, "ZIP-OUTSIDE",
                 "the directory does not end at the end record, so offsets are ambiguous", end.end_offset};
  }
  SAFEMODEL_ASSIGN(const ByteBuffer bytes,
                   ReadRange(source, end.directory_offset, end.directory_size, limits.directory_bytes));
  ByteReader reader(bytes, end.directory_offset);
  constexpr std::uint64_t kSmallestRecord = 46;
  std::vector<ZipHeader> headers;
  headers.reserve(static_cast<std::size_t>(std::min(end.entries, end.directory_size / kSmallestRecord)));
  for (std::uint64_t i = 0; i < end.entries; ++i) {
    if (reader.empty()) {
      return Error{Stage::kUnsafe, "ZIP-END", "the end record counts more members than the directory holds",
                   reader.offset()};
    }
    auto header = ReadCentralRecord(reader);
    if (!header.ok() && header.error().stage == Stage::kMalformed) {
      return Error{Stage::kMalformed, "ZIP-MALFORMED", "a record of the archive's directory is cut off",
                   header.error().offset};
    }
    if (!header.ok()) return header.error();
    headers.push_back(std::move(header).value());
  }
  if (!reader.empty()) {
    return Error{Stage::kUnsafe, "ZIP-END", "the directory holds more members than the end record counts",
                 reader.offset()};
  }
  return headers;
}

}  // namespace

namespace {

// FirstUnsafe returns the first unsafe fault, or the first.
const Error& FirstUnsafe(const Faults& faults) {
  const auto unsafe =
      std::find_if(faults.begin(), faults.end(), [](const Error& fault) { return fault.stage == Stage::kUnsafe; });
  return unsafe != faults.end() ? *unsafe : faults.front();
}

}  // namespace

Result<ZipArchive> ZipArchive::Open(SharedSource source, const ZipLimits& limits) {
  SAFEMODEL_ASSIGN(ZipSurvey survey, SurveyZip(std::move(source), limits));
  if (!survey.faults.empty()) return FirstUnsafe(survey.faults);
  return std::move(survey.archive);
}

Result<ZipSurvey> SurveyZip(SharedSource source, const ZipLimits& limits) {
  SAFEMODEL_ASSIGN(const EndOfArchive end, ReadEnd(*source));
  SAFEMODEL_ASSIGN(const std::vector<ZipHeader> headers, ReadDirectory(*source, end, limits));
  ZipArchive archive;
  Faults faults;
  archive.limits_ = limits;
  archive.entries_.reserve(headers.size());
  std::vector<Extent> extents;
  extents.reserve(headers.size());
  archive.by_folded_name_.Expect(headers.size());
  const ReadAhead records(*source);
  unsigned name_encodings = 0;
  for (std::size_t member = 0; member < headers.size(); ++member) {
    const ZipHeader& header = headers[member];
    const auto local = ReadLocalHeader(records, header.header_offset);
    if (!local.ok()) {
      if (local.error().stage == Stage::kIo) return local.error();
      faults.push_back(local.error());
      continue;
    }
    CheckMember(header, local.value(), faults);
    const std::uint64_t data_offset = local.value().data_offset;
    const auto data_end = CheckedAdd(data_offset, header.stored_size);
    if (!data_end || *data_end > source->size()) {
      faults.push_back(
          Refusal(Stage::kUnsafe, "ZIP-OVERLAP", "a member reaches beyond the file", header, header.header_offset));
      continue;
    }
    const std::string folded = Folded(header.name);
    if (!archive.FindFolded(folded)) {
      archive.by_folded_name_.Add(folded, static_cast<std::uint32_t>(archive.entries_.size()));
    } else {
      faults.push_back(Refusal(Stage::kUnsafe, "ZIP-DUPLICATE",
                               "two members have the same name, and readers take different ones", header,
                               header.header_offset));
    }
    // Python decodes names without the flag as code page 437: an equal name in another encoding is a duplicate in
    // disguise.
    if (!IsAscii(header.name)) name_encodings |= (header.flags & kFlagUtf8) != 0 ? 1u : 2u;
    extents.push_back({header.header_offset, *data_end, member});
    archive.entries_.push_back(
        {header.name, static_cast<ZipMethod>(header.method), header.crc, header.stored_size, header.size, data_offset});
    archive.has_crcs_ = archive.has_crcs_ || header.crc != 0;
  }
  if (name_encodings == 3) {
    faults.push_back(
        {Stage::kUnsafe, "ZIP-NAME", "names of members are in two encodings, which readers take differently", 0});
  }
  SAFEMODEL_TRY(CheckTiling(records, headers, std::move(extents), end.directory_offset, faults));
  archive.source_ = std::move(source);
  return ZipSurvey{std::move(archive), std::move(faults)};
}

std::optional<std::uint32_t> ZipArchive::FindFolded(std::string_view folded) const {
  return by_folded_name_.Find(folded, [&](std::uint32_t entry) {
    const std::string& name = entries_[entry].name;
    return std::equal(name.begin(), name.end(), folded.begin(), folded.end(),
                      [](char have, char want) { return FoldCase(have) == want; });
  });
}

Result<const ZipEntry*> ZipArchive::Find(std::string_view name) const {
  const auto found = FindFolded(Folded(name));
  if (!found) return static_cast<const ZipEntry*>(nullptr);
  const ZipEntry& entry = entries_[*found];
  if (entry.name != name) {
    return Error{Stage::kUnsafe, "ZIP-CASE",
                 "a member differs from the expected name only in case: PyTorch takes it, Python does not",
                 entry.data_offset, entry.name};
  }
  return &entry;
}

Result<SharedSource> ZipArchive::OpenEntry(const ZipEntry& entry, ZipCrc crc) const {
  SAFEMODEL_ASSIGN(SharedSource stored, MakeSliceSource(source_, entry.data_offset, entry.stored_size));
  const bool compare = has_crcs_ && crc == ZipCrc::kCheck;
  const std::optional<std::uint32_t> wanted = compare ? std::optional(entry.crc) : std::nullopt;
  if (entry.method == ZipMethod::kStored) {
    return wanted ? MakeCheckedSource(std::move(stored), *wanted, entry.name) : stored;
  }
  return MakeInflatingSource(std::move(stored), entry.size, wanted, entry.name, limits_);
}

Result<std::optional<std::uint64_t>> FindArchiveEnd(const ByteSource& source) {
  constexpr std::uint64_t kEndBytes = 22;
  constexpr std::uint64_t kMostTail = kEndBytes + 0xFFFF;
  const std::uint64_t size = std::min(source.size(), kMostTail);
  if (size < kEndBytes) return std::optional<std::uint64_t>();
  const std::uint64_t begin = source.size() - size;
  SAFEMODEL_ASSIGN(const ByteBuffer tail, ReadRange(source, begin, size, kMostTail));
  for (std::uint64_t at = size - kEndBytes + 1; at-- > 0;) {
    if (tail[static_cast<std::size_t>(at)] != 'P') continue;
    ByteReader end(ByteView(tail).subspan(static_cast<std::size_t>(at)), begin + at);
    SAFEMODEL_ASSIGN(const std::uint32_t signature, end.U32());
    if (signature != kEndSignature) continue;
    SAFEMODEL_TRY(end.Take(8));
    SAFEMODEL_ASSIGN(const std::uint32_t directory_size, end.U32());
    if (directory_size == 0 || directory_size > begin + at) continue;
    SAFEMODEL_ASSIGN(const ByteBuffer record, ReadRange(source, begin + at - directory_size, 4, 4));
    if (ByteReader(record).U32().value() == kCentralSignature) return std::optional(begin + at);
  }
  return std::optional<std::uint64_t>();
}

bool LooksLikeZip(ByteView start) {
  ByteReader reader(start);
  const auto signature = reader.U32();
  return signature.ok() && (signature.value() == kLocalSignature || signature.value() == kEndSignature);
}

}  // namespace safemodel::pickle
