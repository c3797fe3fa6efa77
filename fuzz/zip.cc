// SPDX-License-Identifier: Apache-2.0
// Zip archives. Input: the archive. Properties: what opens has members whose bytes lie in the file without overlap,
// names are unique and lead nowhere; a member yields exactly its size or fails, and reading it in pieces, out of order,
// yields the same bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "fuzz/property.h"
#include "pickle/zip.h"

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::uint64_t kMostRead = 4u << 20;

void CheckMember(const ZipArchive& archive, const ZipEntry& entry) {
  const auto source = archive.OpenEntry(entry);
  if (!source.ok() || entry.size > kMostRead) return;
  SAFEMODEL_PROPERTY(source.value()->size() == entry.size);
  const auto all = ReadRange(*source.value(), 0, entry.size, kMostRead);
  if (!all.ok()) {
    SAFEMODEL_PROPERTY(all.error().stage == Stage::kMalformed);
    return;
  }
  const std::uint64_t half = entry.size / 2;
  const auto back = ReadRange(*source.value(), half, entry.size - half, kMostRead);
  const auto front = ReadRange(*source.value(), 0, half, kMostRead);
  SAFEMODEL_PROPERTY(back.ok() && front.ok());
  SAFEMODEL_PROPERTY(std::equal(front.value().begin(), front.value().end(), all.value().begin()));
  SAFEMODEL_PROPERTY(std::equal(back.value().rbegin(), back.value().rend(), all.value().rbegin()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto archive = ZipArchive::Open(MakeMemorySource(ByteBuffer(data, data + size)));
  if (!archive.ok()) {
    SAFEMODEL_PROPERTY(archive.error().stage != Stage::kInternal && archive.error().stage != Stage::kIo);
    return 0;
  }
  std::set<std::string> names;
  std::uint64_t stored = 0;
  for (const ZipEntry& entry : archive.value().entries()) {
    SAFEMODEL_PROPERTY(names.insert(entry.name).second);
    SAFEMODEL_PROPERTY(entry.name.front() != '/' && entry.name.find('\0') == std::string::npos);
    SAFEMODEL_PROPERTY(entry.data_offset <= size && entry.stored_size <= size - entry.data_offset);
    stored += entry.stored_size;
    CheckMember(archive.value(), entry);
  }
  SAFEMODEL_PROPERTY(stored <= size);  // members share no bytes
  return 0;
}
