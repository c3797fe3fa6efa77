// SPDX-License-Identifier: Apache-2.0
// The manifest. Input: a preamble of 64 bytes, then the manifest's bytes. What is accepted lies within the limits,
// agrees with the preamble, and is the same when it was written and read again (FlatBuffers is not canonical, so bytes
// may differ).
#include <cstddef>
#include <cstdint>
#include <limits>

#include "container/parse.h"
#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;             // NOLINT(google-build-using-namespace)
  using namespace safemodel::container;  // NOLINT(google-build-using-namespace)
  const Limits limits;
  if (size < kPreambleBytes) return 0;
  const auto preamble = ParsePreamble({data, kPreambleBytes}, std::numeric_limits<std::uint64_t>::max(), limits);
  if (!preamble.ok()) return 0;
  const auto manifest = ParseManifest({data + kPreambleBytes, size - kPreambleBytes}, preamble.value(), limits);
  if (!manifest.ok()) {
    const Stage stage = manifest.error().stage;
    SAFEMODEL_PROPERTY(stage == Stage::kMalformed || stage == Stage::kUnsupported || stage == Stage::kLimit);
    return 0;
  }
  const Manifest& parsed = manifest.value();
  SAFEMODEL_PROPERTY(parsed.file_id == preamble.value().file_id &&
                     parsed.manifest_offset == preamble.value().manifest_offset);
  SAFEMODEL_PROPERTY(parsed.object_count <= limits.objects && parsed.chunk_count <= limits.chunks);
  SAFEMODEL_PROPERTY(parsed.chunk_size >= limits.chunk_bytes_min && parsed.chunk_size <= limits.chunk_bytes_max);
  SAFEMODEL_PROPERTY(parsed.table_offset + kObjectRecordBytes * parsed.object_count == parsed.manifest_offset);
  const auto written = SerializeManifest(parsed);
  SAFEMODEL_PROPERTY(written.ok() || written.error().stage == Stage::kLimit);  // a shared text is written twice
  if (!written.ok()) return 0;
  const auto again = ParseManifest(written.value(), preamble.value(), limits);
  SAFEMODEL_PROPERTY(again.ok() && again.value() == parsed);
  return 0;
}
