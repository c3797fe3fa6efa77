// SPDX-License-Identifier: Apache-2.0
// Zip archives, read so that every reader would see the same members. Readers disagree about almost every field of the
// format (PyTorch's miniz finds names without regard to case and checks no CRC, Python's zipfile takes the last of
// equal names, both search for the end record), so an archive in which two readers could find different bytes is
// refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/text_index.h"
#include "pickle/wrapper.h"

namespace safemodel::pickle {

// ZipLimits bound what an archive may make its reader do.
struct ZipLimits {
  std::uint64_t entries = 1'000'000;  // checkpoints with 50 000 tensors exist
  std::uint64_t directory_bytes = 256ull << 20;
  std::uint64_t ratio = 250;  // plain bytes from one deflated byte, beyond the bytes below
  std::uint64_t ratio_free_bytes = 16ull << 20;
};

// ZipMethod is how a member is stored. Others are refused when the archive is opened.
enum class ZipMethod : std::uint8_t { kStored = 0, kDeflated = 8 };

// ZipEntry is one member. All fields are those on which the central directory and the local header agree.
struct ZipEntry {
  std::string name;  // raw bytes
  ZipMethod method = ZipMethod::kStored;
  std::uint32_t crc = 0;
  std::uint64_t stored_size = 0;
  std::uint64_t size = 0;
  std::uint64_t data_offset = 0;  // of the stored bytes
  bool cut = false;               // carved: the file may end inside it
  [[nodiscard]] bool directory() const { return !name.empty() && name.back() == '/'; }
};

struct ZipSurvey;

// ZipCrc says whether reading a member compares its checksum.
enum class ZipCrc : std::uint8_t { kCheck, kIgnore };

// ZipArchive is an archive whose every byte is explained: local headers, member data and descriptors tile the file up
// to the central directory (zero padding aside), both headers of each member agree, and no two names are equal.
// Immutable; safe to use from several threads.
class ZipArchive {
 public:
  // Open reads the directory and all local headers, no member data. Of several faults the first unsafe one is the
  // answer, or the first. Refusals carry a rule id as code and the member as subject: kUnsafe where readers would
  // disagree (ZIP-DUPLICATE, ZIP-NAME, ZIP-NAME-MISMATCH, ZIP-FLAGS, ZIP-VERSION, ZIP-METHOD-MISMATCH, ZIP-SIZES,
  // ZIP-OVERLAP, ZIP-ATTR, ZIP-OUTSIDE, ZIP-END), kMalformed (ZIP-MALFORMED, FILE-MALFORMED), kUnsupported
  // (FILE-ENCRYPTED, FILE-UNSUPPORTED, ZIP-FLAGS), kLimit (LIMIT-COUNT, LIMIT-BYTES, LIMIT-RATIO).
  static Result<ZipArchive> Open(SharedSource source, const ZipLimits& limits = {});

  // entries returns the members in the order of the central directory.
  [[nodiscard]] const std::vector<ZipEntry>& entries() const { return *entries_; }

  // source is the archive itself.
  [[nodiscard]] const ByteSource& source() const { return *source_; }

  // Find returns the member of this name, or nothing. kUnsafe ZIP-CASE when there is one that differs only in case:
  // PyTorch would take it, Python would not.
  [[nodiscard]] Result<const ZipEntry*> Find(std::string_view name) const;
  // FindBehind is Find for who looks for many members in the order of the directory: it tries the one behind number
  // `last` first, and leaves the number of what it found there.
  [[nodiscard]] Result<const ZipEntry*> FindBehind(std::string_view name, std::size_t& last) const;

  // OpenEntry returns the plain bytes of a member, one of entries(). Deflated members are inflated on the way: such a
  // source is sequential(). The CRC is checked once all bytes have been read, in whatever order (ZIP-CRC from the last
  // read), unless all CRCs of the archive are zero, as PyTorch writes them when told not to compute any.
  [[nodiscard]] Result<SharedSource> OpenEntry(const ZipEntry& entry, ZipCrc crc = ZipCrc::kCheck) const;

 private:
  friend class ZipSurveyor;
  ZipArchive() = default;
  SharedSource source_;
  ZipLimits limits_;
  std::shared_ptr<std::vector<ZipEntry>> entries_ = std::make_shared<std::vector<ZipEntry>>();  // open members use them
  // FindFolded returns the number of the entry whose name in lower case (ASCII) is this. EnterFolded does the same, and
  // enters a number under this name when there is none.
  [[nodiscard]] std::optional<std::uint32_t> FindFolded(std::string_view folded) const;
  std::optional<std::uint32_t> EnterFolded(std::string_view folded, std::uint32_t number);
  [[nodiscard]] bool IsNamed(std::uint32_t entry, std::string_view folded) const;
  TextIndex by_folded_name_;
  bool has_crcs_ = false;
};

// ZipSurvey is an archive with all that is wrong with it, in the order found. Its entries are those of the directory
// that have a header; with faults among them readers may see others.
struct ZipSurvey {
  ZipArchive archive;
  std::vector<Error> faults;
};

// SurveyZip is Open that goes on behind a fault of a member. An Error when the directory itself cannot be read.
Result<ZipSurvey> SurveyZip(SharedSource source, const ZipLimits& limits = {});

// CarveZip returns whatever looks like a member, found by the signature of its header alone: for archives that hide
// members from some readers. `size` and `stored_size` reach to the next signature where the header does not state them.
// Members that a directory lists come after them where it says something else of their bytes.
Result<std::vector<ZipEntry>> CarveZip(const ByteSource& source, const std::vector<ZipEntry>& listed = {},
                                       const ZipLimits& limits = {});

// OpenCarved opens a carved member. Nothing that its header says of the plain bytes is believed: a deflated member is
// what its data inflate to, together with what is wrong behind that. Unsupported methods are kUnsupported
// FILE-UNSUPPORTED. It inflates all of the member: whoever needs one several times keeps it.
Result<Decoded> OpenCarved(const SharedSource& source, const ZipEntry& entry, const WrapperLimits& limits = {});

// FoundArchive is an archive that readers find by its end, wherever it starts.
struct FoundArchive {
  std::uint64_t end_record = 0;  // where it stands
  // The archive as one piece, from which its offsets count and which begins with a member; without one the size is 0.
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  bool scattered = false;  // it is no such piece, or not the same one for all readers, and some of them open members
};

// FindArchive looks for an end record with a directory at the end of a file: Python's zipfile opens archives in front
// of 64 KiB of anything and behind anything, with 64-bit records too. Nothing when there is none.
Result<std::optional<FoundArchive>> FindArchive(const ByteSource& source);

// LooksLikeZip says whether bytes at the start of a file are those of a zip archive's first record.
bool LooksLikeZip(ByteView start);

}  // namespace safemodel::pickle
