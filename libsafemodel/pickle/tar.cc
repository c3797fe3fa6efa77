// SPDX-License-Identifier: Apache-2.0
#include "pickle/tar.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "pickle/member_name.h"
#include "pickle/tar_header.h"

namespace safemodel::pickle {

namespace {

constexpr std::uint64_t kEndBlocks = 2 * kTarBlock;
constexpr std::uint64_t kZeroWindow = 64u << 10;
constexpr std::uint64_t kMostOctal = (std::uint64_t{1} << 33) - 1;  // what eleven octal digits hold

bool IsZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

// Plain drops what does not change where a name leads: empty parts and `.`.
std::string Plain(std::string_view name) {
  std::string plain;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, end);
    name.remove_prefix(std::min(end + 1, name.size()));
    if (part.empty() || part == ".") continue;
    if (!plain.empty()) plain += '/';
    plain += part;
  }
  return plain;
}

bool IsSparse(const std::map<std::string, std::string>& records) {
  const auto next = records.lower_bound("GNU.sparse.");
  return next != records.end() && next->first.starts_with("GNU.sparse.");
}

}  // namespace

// TarWalker walks over the blocks of an archive.
class TarWalker {
 public:
  TarWalker(const SharedSource& source, const TarLimits& limits, TarArchive& archive)
      : source_(*source), limits_(limits), archive_(archive) {}

  Status Walk();

 private:
  // Extension is what headers in front of a member's own say about it.
  struct Extension {
    std::optional<std::string> long_name;  // of GNU
    std::optional<std::map<std::string, std::string>> pax;
  };

  [[nodiscard]] Error Refusal(Stage stage, const char* code, const char* text) const {
    return {stage, code, text, at_, header_.name};
  }
  Result<ByteBuffer> Block() const { return ReadRange(source_, at_, kTarBlock, kTarBlock); }
  Status CheckEnd() const;
  Status CheckZeros(std::uint64_t begin, std::uint64_t end, const char* text) const;
  Result<std::uint64_t> DataEnd(std::uint64_t size) const;
  Result<ByteBuffer> ExtensionData();
  Status LongName();
  Status Pax();
  Status GlobalPax();
  Status Member();
  Result<std::uint64_t> MemberSize() const;
  Result<std::string> MemberName(TarEntry::Kind kind) const;
  Status Add(TarEntry entry);

  const ByteSource& source_;
  const TarLimits& limits_;
  TarArchive& archive_;
  std::uint64_t at_ = 0;  // of the header that is looked at
  TarHeader header_;
  std::optional<Extension> extension_;
  std::optional<std::uint64_t> begin_;  // of the first header in front of the next member, when there is one
  std::uint64_t name_bytes_ = 0;
};

Status TarWalker::Walk() {
  for (;;) {
    if (source_.size() - at_ < kTarBlock) {
      return Refusal(Stage::kMalformed, "TAR-MALFORMED", "the archive ends without the blocks that end it");
    }
    SAFEMODEL_ASSIGN(const ByteBuffer block, Block());
    if (IsZero(block)) return CheckEnd();
    SAFEMODEL_ASSIGN(header_, ReadTarHeader(block, at_));
    switch (header_.type) {
      case 'L': SAFEMODEL_TRY(LongName()); break;
      case 'x': SAFEMODEL_TRY(Pax()); break;
      case 'g': SAFEMODEL_TRY(GlobalPax()); break;
      default: SAFEMODEL_TRY(Member());
    }
  }
}

// CheckEnd: two blocks of zeros, and nothing but zeros behind them.
Status TarWalker::CheckEnd() const {
  if (begin_) {
    return Error{Stage::kMalformed, "TAR-MALFORMED", "the archive ends behind a header without a member", at_};
  }
  if (source_.size() - at_ < kEndBlocks) {
    return Error{Stage::kMalformed, "TAR-MALFORMED", "the archive ends without the blocks that end it", at_};
  }
  archive_.end_ = at_;
  return CheckZeros(at_, source_.size(), "bytes follow the end of the archive");
}

Status TarWalker::CheckZeros(std::uint64_t begin, std::uint64_t end, const char* text) const {
  while (begin < end) {
    const std::uint64_t size = std::min(end - begin, kZeroWindow);
    SAFEMODEL_ASSIGN(const ByteBuffer bytes, ReadRange(source_, begin, size, kZeroWindow));
    const auto found = std::find_if(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte != 0; });
    if (found != bytes.end()) {
      return Error{Stage::kUnsafe, "TAR-OUTSIDE", text, begin + static_cast<std::uint64_t>(found - bytes.begin()),
                   header_.name};
    }
    begin += size;
  }
  return {};
}

// DataEnd returns the offset of the block behind `size` bytes of data, whose last block must be filled with zeros.
Result<std::uint64_t> TarWalker::DataEnd(std::uint64_t size) const {
  const std::uint64_t begin = at_ + kTarBlock;
  const std::uint64_t left = source_.size() - begin;
  if (size > left || (kTarBlock - size % kTarBlock) % kTarBlock > left - size) {
    return Refusal(Stage::kMalformed, "TAR-MALFORMED", "the archive ends inside a member");
  }
  const std::uint64_t end = begin + CeilDiv(size, kTarBlock) * kTarBlock;
  SAFEMODEL_TRY(CheckZeros(begin + size, end, "bytes lie between the members of the archive"));
  return end;
}

// ExtensionData reads the data of a header that is no member, and moves behind it.
Result<ByteBuffer> TarWalker::ExtensionData() {
  if (header_.size > limits_.extension_bytes) {
    return Refusal(Stage::kLimit, "LIMIT-BYTES", "a name in the archive is longer than the limit");
  }
  SAFEMODEL_ASSIGN(const std::uint64_t end, DataEnd(header_.size));
  SAFEMODEL_ASSIGN(ByteBuffer bytes, ReadRange(source_, at_ + kTarBlock, header_.size, limits_.extension_bytes));
  if (!begin_) begin_ = at_;
  at_ = end;
  return bytes;
}

Status TarWalker::LongName() {
  // Of two names for one member, readers take different ones.
  if (extension_) return Refusal(Stage::kUnsafe, "TAR-NAME", "a member has more than one name");
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ExtensionData());
  const std::string_view text = AsText(bytes);
  const std::size_t end = std::min(text.find('\0'), text.size());
  if (text.find_first_not_of('\0', end) != std::string_view::npos) {
    return Refusal(Stage::kUnsafe, "TAR-NAME", "bytes follow the end of a name");
  }
  extension_ = Extension{.long_name = std::string(text.substr(0, end)), .pax = {}};
  return {};
}

Status TarWalker::Pax() {
  if (extension_) return Refusal(Stage::kUnsafe, "TAR-NAME", "a member has more than one name");
  const std::uint64_t begin = at_ + kTarBlock;
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ExtensionData());
  SAFEMODEL_ASSIGN(auto records, ReadPaxRecords(bytes, begin));
  if (IsSparse(records)) return Refusal(Stage::kUnsupported, "TAR-SPARSE", "a member is stored with holes");
  if (records.contains("linkpath")) return Refusal(Stage::kUnsafe, "TAR-NAME", "a member is a link");
  extension_ = Extension{.long_name = {}, .pax = std::move(records)};
  return {};
}

// GlobalPax: comments and times for all members behind it, but nothing that says where their bytes are.
Status TarWalker::GlobalPax() {
  if (extension_) return Refusal(Stage::kUnsafe, "TAR-NAME", "a member has more than one name");
  const std::uint64_t begin = at_ + kTarBlock;
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ExtensionData());
  SAFEMODEL_ASSIGN(const auto records, ReadPaxRecords(bytes, begin));
  if (IsSparse(records)) return Refusal(Stage::kUnsupported, "TAR-SPARSE", "a member is stored with holes");
  for (const char* key : {"path", "linkpath", "size"}) {
    if (records.contains(key))
      return Refusal(Stage::kUnsafe, "TAR-NAME", "all members are given the same name or size");
  }
  return {};
}

Result<std::uint64_t> TarWalker::MemberSize() const {
  if (!extension_ || !extension_->pax) return header_.size;
  const auto found = extension_->pax->find("size");
  if (found == extension_->pax->end()) return header_.size;
  const auto size = ParseTarSize(found->second);
  if (!size) return Refusal(Stage::kMalformed, "TAR-MALFORMED", "the size in a pax header is no number");
  // Readers that know only one of the two would take the bytes of a member for headers, or the other way round.
  if (*size == header_.size || (header_.size == 0 && *size > kMostOctal)) return *size;
  return Refusal(Stage::kUnsafe, "TAR-OUTSIDE", "the two headers of a member state different sizes");
}

Result<std::string> TarWalker::MemberName(TarEntry::Kind kind) const {
  std::string name = header_.name;
  if (extension_ && extension_->long_name) name = *extension_->long_name;
  if (extension_ && extension_->pax) {
    const auto found = extension_->pax->find("path");
    if (found != extension_->pax->end()) name = found->second;
  }
  while (kind == TarEntry::Kind::kFolder && !name.empty() && name.back() == '/') name.pop_back();
  if (name.ends_with('/')) {
    return Error{Stage::kUnsafe, "TAR-NAME", "a file has the name of a folder, for which some readers take it", at_,
                 name};
  }
  if (!IsSafeMemberName(name)) {
    return Error{Stage::kUnsafe, "TAR-NAME", "the name of a member leads out of its folder or holds control characters",
                 at_, name};
  }
  return name;
}

Status TarWalker::Member() {
  const char type = header_.type;
  if (type == 'S') return Refusal(Stage::kUnsupported, "TAR-SPARSE", "a member is stored with holes");
  if ((type >= '1' && type <= '4') || type == '6' || type == 'K') {
    return Refusal(Stage::kUnsafe, "TAR-NAME", "a member is a link or a device");
  }
  const bool file = type == '0' || type == '\0' || type == '7';
  if (!file && type != '5') {
    return Refusal(Stage::kUnsupported, "FILE-UNSUPPORTED", "a member is of a kind that is not read");
  }
  // Before there was a type for folders, they were files whose name ends with a slash.
  const bool folder = type == '5' || (type == '\0' && header_.name.ends_with('/'));
  TarEntry entry;
  entry.kind = folder ? TarEntry::Kind::kFolder : TarEntry::Kind::kFile;
  SAFEMODEL_ASSIGN(entry.name, MemberName(entry.kind));
  SAFEMODEL_ASSIGN(entry.size, MemberSize());
  if (folder && entry.size != 0) {
    return Refusal(Stage::kUnsafe, "TAR-OUTSIDE", "a folder has data, which only some readers skip");
  }
  entry.begin = begin_.value_or(at_);
  entry.data_offset = at_ + kTarBlock;
  SAFEMODEL_ASSIGN(const std::uint64_t end, DataEnd(entry.size));
  SAFEMODEL_TRY(Add(std::move(entry)));
  extension_.reset();
  begin_.reset();
  at_ = end;
  return {};
}

Status TarWalker::Add(TarEntry entry) {
  name_bytes_ += entry.name.size();
  if (archive_.entries_.size() >= limits_.entries) {
    return Refusal(Stage::kLimit, "LIMIT-COUNT", "the archive has more members than the limit");
  }
  if (name_bytes_ > limits_.name_bytes) {
    return Refusal(Stage::kLimit, "LIMIT-BYTES", "the names in the archive are longer than the limit");
  }
  if (!archive_.by_name_.emplace(Plain(entry.name), archive_.entries_.size()).second) {
    return Error{Stage::kUnsafe, "TAR-DUPLICATE", "two members have the same name, and readers take different ones",
                 at_, entry.name};
  }
  archive_.entries_.push_back(std::move(entry));
  return {};
}

Result<TarArchive> TarArchive::Open(SharedSource source, const TarLimits& limits) {
  TarArchive archive;
  archive.source_ = std::move(source);
  SAFEMODEL_TRY(TarWalker(archive.source_, limits, archive).Walk());
  return archive;
}

const TarEntry* TarArchive::Find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return nullptr;
  const TarEntry& entry = entries_[found->second];
  return entry.kind == TarEntry::Kind::kFile && entry.name == name ? &entry : nullptr;
}

Result<SharedSource> TarArchive::OpenEntry(const TarEntry& entry) const {
  return MakeSliceSource(source_, entry.data_offset, entry.size);
}

bool LooksLikeTar(ByteView start) { return HasTarChecksum(start); }

bool OpensAsTar(ByteView start) { return IsPythonTarHeader(start); }

}  // namespace safemodel::pickle
