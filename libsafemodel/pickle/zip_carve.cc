// SPDX-License-Identifier: Apache-2.0
// Members of archives whose directory cannot be trusted.
#include <algorithm>
#include <array>

#include "base/try.h"
#include "pickle/carved_storages.h"
#include "pickle/wrapper_codecs.h"
#include "pickle/zip.h"
#include "pickle/zip_member.h"
#include "pickle/zip_records.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kWindow = 1u << 20;
constexpr std::array<std::uint8_t, 4> kSignature = {'P', 'K', 3, 4};

// FindSignatures returns where the signature of a local header stands, in ascending order.
Result<std::vector<std::uint64_t>> FindSignatures(const ByteSource& source, const ZipLimits& limits) {
  std::vector<std::uint64_t> found;
  const std::uint64_t size = source.size();
  // Windows overlap by what a signature may reach into the next one.
  for (std::uint64_t begin = 0; begin + kSignature.size() <= size; begin += kWindow) {
    const std::uint64_t length = std::min<std::uint64_t>(kWindow + kSignature.size() - 1, size - begin);
    SAFEMODEL_ASSIGN(const ByteBuffer window, ReadRange(source, begin, length, kWindow + kSignature.size()));
    for (auto at = window.begin();; ++at) {
      at = std::search(at, window.end(), kSignature.begin(), kSignature.end());
      if (at == window.end()) break;
      found.push_back(begin + static_cast<std::uint64_t>(at - window.begin()));
    }
    if (found.size() > limits.entries) {
      return Error{Stage::kLimit, "LIMIT-COUNT", "the archive has more members than the limit", begin};
    }
  }
  return found;
}

bool Before(const ZipEntry& entry, std::uint64_t data_offset) { return entry.data_offset < data_offset; }

bool SameBytes(const ZipEntry& a, const ZipEntry& b) {
  return a.data_offset == b.data_offset && a.method == b.method && a.stored_size == b.stored_size && a.size == b.size;
}

// AddListed adds the members that a directory lists, where it describes other bytes than those carved. Members that
// share bytes are not added without end.
void AddListed(const ByteSource& source, const std::vector<ZipEntry>& listed, std::vector<ZipEntry>& entries) {
  std::ranges::sort(entries, {}, &ZipEntry::data_offset);  // a header may stand inside the name of another
  const std::size_t carved = entries.size();
  std::uint64_t budget = source.size();
  for (ZipEntry entry : listed) {
    if (entry.method == ZipMethod::kStored) {
      // PyTorch copies as many bytes as the size says, Python as many as are stored.
      const std::uint64_t room = source.size() - entry.data_offset;
      entry.stored_size = entry.size = std::min(std::max(entry.size, entry.stored_size), room);
    }
    const auto end = entries.begin() + static_cast<std::ptrdiff_t>(carved);
    const auto same = std::lower_bound(entries.begin(), end, entry.data_offset, Before);
    if (same != end && SameBytes(*same, entry) && same->name == entry.name) continue;
    if (entry.stored_size > budget) continue;
    budget -= entry.stored_size;
    entries.push_back(std::move(entry));
  }
}

}  // namespace

Result<std::vector<ZipEntry>> CarveZip(const ByteSource& source, const std::vector<ZipEntry>& listed,
                                       const ZipLimits& limits) {
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> headers, FindSignatures(source, limits));
  SAFEMODEL_ASSIGN(const std::optional<FoundArchive> end, FindArchive(source));
  std::vector<ZipEntry> entries;
  ZipHeader header;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const Status local = ReadLocalHeader(source, headers[i], header, ExtraFaults::kIgnore);
    if (!local.ok() && local.error().stage == Stage::kIo) return local.error();
    if (!local.ok()) continue;  // the bytes of a signature in the middle of data
    const std::uint64_t next = i + 1 < headers.size() ? headers[i + 1] : source.size();
    if (header.data_offset > next) continue;
    const std::uint64_t room = next - header.data_offset;
    const bool stated = header.stored_size != 0 && header.stored_size <= room;
    const std::uint64_t stored = stated ? header.stored_size : room;
    const auto method = static_cast<ZipMethod>(header.method);
    entries.push_back({header.name, method, header.crc, stored,
                       stated && method != ZipMethod::kStored ? header.size : stored, header.data_offset,
                       !end && !stated && next == source.size()});
  }
  AddListed(source, listed, entries);
  return entries;
}

Result<Decoded> OpenCarved(const SharedSource& source, const ZipEntry& entry, const WrapperLimits& limits) {
  SAFEMODEL_ASSIGN(SharedSource stored, MakeSliceSource(source, entry.data_offset, entry.stored_size));
  if (entry.method == ZipMethod::kStored) return Decoded{std::move(stored), {}};
  if (entry.method == ZipMethod::kDeflated)
    return DecodeAll(std::move(stored), MakeInflateDecoder(), entry.stored_size, limits);
  return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "a member is compressed by a method other than deflate",
               entry.data_offset, entry.name};
}

Result<SharedSource> CarvedStorages::Open(std::string_view key) {
  const auto found = storages_.find(key);
  if (found == storages_.end()) {
    return Error{Stage::kMalformed, "FILE-MISSING", "the archive has no record for a storage", kNoOffset,
                 "data/" + std::string(key)};
  }
  Storage& storage = found->second;
  if (storage.opened) return *storage.opened;
  WrapperLimits limits;
  limits.kept_bytes = 0;  // many storages together must not fill the memory; few of their bytes are ever looked at
  auto decoded = OpenCarved(archive_, *storage.entry, limits);
  if (decoded.ok() && storage.entry->cut) {
    storage.opened.emplace(Error{Stage::kMalformed, "FILE-MALFORMED", "the archive ends inside a storage", kNoOffset,
                                 storage.entry->name});
  } else if (decoded.ok()) {
    storage.opened.emplace(std::move(decoded.value().plain));
  } else {
    storage.opened.emplace(decoded.error());
  }
  return *storage.opened;
}

}  // namespace safemodel::pickle
