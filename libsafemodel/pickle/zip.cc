// SPDX-License-Identifier: Apache-2.0
#include "pickle/zip.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/checked.h"
#include "base/cursor.h"
#include "base/large_pages.h"
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

Error Refusal(Stage stage, const char* code, const char* text, const ZipEntry& entry, std::uint64_t offset) {
  return {stage, code, text, offset, entry.name};
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
  std::uint32_t entry = 0;
  std::uint16_t flags = 0;
};

// EndOf returns where a member ends, with its descriptor if it has one.
Result<std::uint64_t> EndOf(const ByteSource& source, const ZipEntry& entry, const Extent& extent, std::uint64_t next) {
  if ((extent.flags & kFlagDescriptor) == 0) return extent.data_end;
  SAFEMODEL_ASSIGN(const std::uint64_t descriptor, ReadDescriptor(source, extent.data_end, entry));
  if (descriptor == 0 || descriptor > next - extent.data_end) {
    return Refusal(Stage::kUnsafe, "ZIP-SIZES", "the sizes behind a member are not those of the directory", entry,
                   extent.data_end);
  }
  return extent.data_end + descriptor;
}

// CheckTiling proves that members follow one another from the first byte up to the directory.
Status CheckTiling(const ByteSource& source, const std::vector<ZipEntry>& entries, LargeVector<Extent> extents,
                   std::uint64_t directory_offset, Faults& faults) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  if ((extents.empty() ? directory_offset : extents.front().begin) != 0) {
    faults.push_back({Stage::kUnsafe, "ZIP-OUTSIDE", "bytes lie in front of the first member", 0});
  }
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const ZipEntry& entry = entries[extents[i].entry];
    const std::uint64_t next = i + 1 < extents.size() ? extents[i + 1].begin : directory_offset;
    if (extents[i].data_end > next) {
      faults.push_back(Refusal(Stage::kUnsafe, "ZIP-OVERLAP", "two members share bytes", entry, extents[i].begin));
      continue;
    }
    const auto end = EndOf(source, entry, extents[i], next);
    if (!end.ok() && end.error().stage == Stage::kIo) return end.error();
    Note(faults, end.ok() ? CheckPadding(source, end.value(), next) : Status(end.error()));
  }
  return {};
}

// ReadDirectory returns the bytes of the directory.
Result<LargeVector<std::uint8_t>> ReadDirectory(const ByteSource& source, const EndOfArchive& end,
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
  LargeVector<std::uint8_t> bytes;
  bytes.resize(static_cast<std::size_t>(end.directory_size));
  SAFEMODEL_TRY(source.ReadAt(end.directory_offset, bytes));
  return bytes;
}

// NextRecord reads the next record of a directory.
Result<ZipHeader> NextRecord(ByteReader& directory) {
  if (directory.empty()) {
    return Error{Stage::kUnsafe, "ZIP-END", "the end record counts more members than the directory holds",
                 directory.offset()};
  }
  auto header = ReadCentralRecord(directory);
  if (header.ok() || header.error().stage != Stage::kMalformed) return header;
  return Error{Stage::kMalformed, "ZIP-MALFORMED", "a record of the archive's directory is cut off",
               header.error().offset};
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

// ZipSurveyor looks at one member after the other.
class ZipSurveyor {
 public:
  ZipSurveyor(SharedSource source, const ZipLimits& limits) : source_(std::move(source)), records_(*source_) {
    archive_.limits_ = limits;
  }

  Result<ZipSurvey> Survey() {
    SAFEMODEL_ASSIGN(const EndOfArchive end, ReadEnd(*source_));
    SAFEMODEL_ASSIGN(const auto bytes, ReadDirectory(*source_, end, archive_.limits_));
    constexpr std::uint64_t kSmallestRecord = 46;
    Expect(static_cast<std::size_t>(std::min<std::uint64_t>(end.entries, bytes.size() / kSmallestRecord)));
    ByteReader directory(bytes, end.directory_offset);
    for (std::uint64_t i = 0; i < end.entries; ++i) {
      SAFEMODEL_ASSIGN(ZipHeader header, NextRecord(directory));
      SAFEMODEL_TRY(AddMember(std::move(header)));
    }
    if (!directory.empty()) {
      return Error{Stage::kUnsafe, "ZIP-END", "the directory holds more members than the end record counts",
                   directory.offset()};
    }
    if (name_encodings_ == (kUtf8Names | kOtherNames)) {
      faults_.push_back(
          {Stage::kUnsafe, "ZIP-NAME", "names of members are in two encodings, which readers take differently", 0});
    }
    SAFEMODEL_TRY(CheckTiling(records_, entries(), std::move(extents_), end.directory_offset, faults_));
    archive_.source_ = std::move(source_);
    return ZipSurvey{std::move(archive_), std::move(faults_)};
  }

 private:
  static constexpr unsigned kUtf8Names = 1, kOtherNames = 2;

  [[nodiscard]] std::vector<ZipEntry>& entries() { return *archive_.entries_; }

  void Expect(std::size_t members) {
    entries().reserve(members);
    extents_.reserve(members);
    archive_.by_folded_name_.Expect(members);
  }

  // AddMember judges a member and enters it unless nobody could read it. The error is that of the system.
  Status AddMember(ZipHeader header) {
    const Status read = ReadLocalHeader(records_, header.header_offset, local_);
    if (!read.ok()) {
      if (read.error().stage == Stage::kIo) return read;
      faults_.push_back(read.error());
      return {};
    }
    CheckMember(header, local_, faults_);
    const std::uint64_t data_offset = local_.data_offset;
    const auto data_end = CheckedAdd(data_offset, header.stored_size);
    if (!data_end || *data_end > source_->size()) {
      faults_.push_back(
          Refusal(Stage::kUnsafe, "ZIP-OVERLAP", "a member reaches beyond the file", header, header.header_offset));
      return {};
    }
    const auto number = static_cast<std::uint32_t>(entries().size());
    folded_.resize(header.name.size());
    std::transform(header.name.begin(), header.name.end(), folded_.begin(), [](char c) { return FoldAscii(c); });
    if (archive_.EnterFolded(folded_, number)) {
      faults_.push_back(Refusal(Stage::kUnsafe, "ZIP-DUPLICATE",
                                "two members have the same name, and readers take different ones", header,
                                header.header_offset));
    }
    // Python decodes names without the flag as code page 437: an equal name in another encoding is a duplicate in
    // disguise.
    if (!IsAscii(header.name)) name_encodings_ |= (header.flags & kFlagUtf8) != 0 ? kUtf8Names : kOtherNames;
    extents_.push_back({header.header_offset, *data_end, number, header.flags});
    archive_.has_crcs_ = archive_.has_crcs_ || header.crc != 0;
    entries().push_back({std::move(header.name), static_cast<ZipMethod>(header.method), header.crc, header.stored_size,
                         header.size, data_offset});
    return {};
  }

  SharedSource source_;
  ReadAhead records_;
  ZipArchive archive_;
  Faults faults_;
  LargeVector<Extent> extents_;
  unsigned name_encodings_ = 0;
  // Of the member at hand; kept so that not every one allocates anew.
  ZipHeader local_;
  std::string folded_;
};

Result<ZipSurvey> SurveyZip(SharedSource source, const ZipLimits& limits) {
  return ZipSurveyor(std::move(source), limits).Survey();
}

bool ZipArchive::IsNamed(std::uint32_t entry, std::string_view folded) const {
  const std::string& name = (*entries_)[entry].name;
  return std::equal(name.begin(), name.end(), folded.begin(), folded.end(),
                    [](char have, char want) { return FoldAscii(have) == want; });
}

std::optional<std::uint32_t> ZipArchive::FindFolded(std::string_view folded) const {
  return by_folded_name_.Find(folded, [&](std::uint32_t entry) { return IsNamed(entry, folded); });
}

std::optional<std::uint32_t> ZipArchive::EnterFolded(std::string_view folded, std::uint32_t number) {
  return by_folded_name_.FindOrAdd(folded, number, [&](std::uint32_t entry) { return IsNamed(entry, folded); });
}

Result<const ZipEntry*> ZipArchive::Find(std::string_view name) const {
  const auto found = FindFolded(FoldAscii(name));
  if (!found) return static_cast<const ZipEntry*>(nullptr);
  const ZipEntry& entry = (*entries_)[*found];
  if (entry.name != name) {
    return Error{Stage::kUnsafe, "ZIP-CASE",
                 "a member differs from the expected name only in case: PyTorch takes it, Python does not",
                 entry.data_offset, entry.name};
  }
  return &entry;
}

Result<const ZipEntry*> ZipArchive::FindBehind(std::string_view name, std::size_t& last) const {
  // Names are unique: an equal one is the only one, whatever the case of others.
  if (last + 1 < entries_->size() && (*entries_)[last + 1].name == name) return &(*entries_)[++last];
  SAFEMODEL_ASSIGN(const ZipEntry* entry, Find(name));
  if (entry != nullptr) last = static_cast<std::size_t>(entry - entries_->data());
  return entry;
}

Result<SharedSource> ZipArchive::OpenEntry(const ZipEntry& entry, ZipCrc crc) const {
  const bool compare = has_crcs_ && crc == ZipCrc::kCheck;
  if (entry.method == ZipMethod::kStored && compare) {
    return MakeCheckedSource(source_, std::shared_ptr<const ZipEntry>(entries_, &entry));
  }
  SAFEMODEL_ASSIGN(SharedSource stored, MakeSliceSource(source_, entry.data_offset, entry.stored_size));
  if (entry.method == ZipMethod::kStored) return stored;
  const std::optional<std::uint32_t> wanted = compare ? std::optional(entry.crc) : std::nullopt;
  return MakeInflatingSource(std::move(stored), entry.size, wanted, entry.name, limits_);
}

bool LooksLikeZip(ByteView start) {
  ByteReader reader(start);
  const auto signature = reader.U32();
  return signature.ok() && (signature.value() == kLocalSignature || signature.value() == kEndSignature);
}

}  // namespace safemodel::pickle
