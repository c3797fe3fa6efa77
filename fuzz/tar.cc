// SPDX-License-Identifier: Apache-2.0
// Tar archives. Input: the archive. Properties: what opens is tiled by its members: each starts where the one before
// ends, the last ends where the zeros begin; names are unique and lead nowhere.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "fuzz/property.h"
#include "pickle/import.h"
#include "pickle/tar.h"

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t kBlock = 512;
  const SharedSource source = MakeMemorySource(ByteBuffer(data, data + size));
  // What torch makes of it, whether or not the archive itself is read.
  const auto model = ImportPickleFamily(source, {});
  SAFEMODEL_PROPERTY(model.ok() || (model.error().stage != Stage::kInternal && model.error().stage != Stage::kIo));
  const auto archive = TarArchive::Open(source, {.entries = 1000, .extension_bytes = 1u << 16, .name_bytes = 1u << 20});
  if (!archive.ok()) {
    SAFEMODEL_PROPERTY(archive.error().stage != Stage::kInternal && archive.error().stage != Stage::kIo);
    return 0;
  }
  std::set<std::string> names;
  std::uint64_t at = 0;
  for (const TarEntry& entry : archive.value().entries()) {
    SAFEMODEL_PROPERTY(entry.begin == at && entry.data_offset >= entry.begin + kBlock);
    SAFEMODEL_PROPERTY(entry.kind == TarEntry::Kind::kFile || entry.size == 0);
    SAFEMODEL_PROPERTY(names.insert(entry.name).second);
    SAFEMODEL_PROPERTY(entry.name.front() != '/' && entry.name.find('\0') == std::string::npos);
    SAFEMODEL_PROPERTY(archive.value().OpenEntry(entry).ok());
    at = entry.data_offset + (entry.size + kBlock - 1) / kBlock * kBlock;
  }
  SAFEMODEL_PROPERTY(archive.value().end() == at && at + 2 * kBlock <= size);
  for (std::size_t i = at; i < size; ++i) SAFEMODEL_PROPERTY(data[i] == 0);
  return 0;
}
