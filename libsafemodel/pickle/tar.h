// SPDX-License-Identifier: Apache-2.0
// Tar archives (ustar, GNU, pax), read so that every reader would see the same members. Readers disagree about which of
// equal names counts, which of two sizes, and where an archive with a broken header ends, so an archive in which two of
// them could find different bytes is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "base/source.h"

namespace safemodel::pickle {

// TarLimits bound what an archive may make its reader do.
struct TarLimits {
  std::uint64_t entries = 1'000'000;
  std::uint64_t extension_bytes = 1u << 20;  // of one long name or pax header
  std::uint64_t name_bytes = 64u << 20;      // of all names together
};

// TarEntry is one member.
struct TarEntry {
  std::string name;  // raw bytes, without slashes at its end
  enum class Kind : std::uint8_t { kFile, kFolder } kind = Kind::kFile;
  std::uint64_t begin = 0;  // of the first header that belongs to it
  std::uint64_t data_offset = 0;
  std::uint64_t size = 0;
};

// TarArchive is an archive whose every byte is explained: headers and data of the members tile the file up to two
// blocks of zeros, only zeros follow, and no two names are equal. Immutable; safe to use from several threads.
class TarArchive {
 public:
  // Open reads all headers, no data. Refusals carry a rule id as code and the member as subject: kUnsafe where readers
  // would disagree or be led astray (TAR-DUPLICATE, TAR-NAME for links, devices, and names that lead out of a folder or
  // are given twice, TAR-OUTSIDE for bytes that only some readers see), kMalformed TAR-MALFORMED, kUnsupported
  // (TAR-SPARSE, FILE-UNSUPPORTED), kLimit (LIMIT-COUNT, LIMIT-BYTES).
  static Result<TarArchive> Open(SharedSource source, const TarLimits& limits = {});

  // entries returns the members in the order of the file.
  [[nodiscard]] const std::vector<TarEntry>& entries() const { return entries_; }
  // end returns the offset of the zeros behind the last member.
  [[nodiscard]] std::uint64_t end() const { return end_; }
  // Find returns the file of this name, or nothing.
  [[nodiscard]] const TarEntry* Find(std::string_view name) const;
  [[nodiscard]] Result<SharedSource> OpenEntry(const TarEntry& entry) const;

 private:
  friend class TarWalker;
  TarArchive() = default;
  SharedSource source_;
  std::vector<TarEntry> entries_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::uint64_t end_ = 0;
};

// LooksLikeTar says whether bytes at the start of a file are what tarfile takes for a first header: their sum stands in
// them. PyTorch looks for nothing else, so a file of any other format may be a tar archive too.
bool LooksLikeTar(ByteView start);

// OpensAsTar says the same of the tarfile of Python 3 alone, and hardly ever by chance: enough to call a file two
// things.
bool OpensAsTar(ByteView start);

}  // namespace safemodel::pickle
