// SPDX-License-Identifier: Apache-2.0
// Log entries: what is accepted is written back byte for byte.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fuzz/property.h"
#include "log/entry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;       // NOLINT(google-build-using-namespace)
  using namespace safemodel::log;  // NOLINT(google-build-using-namespace)
  const Limits limits;
  const ByteView bytes(data, size);
  const auto entry = ParseEntry(bytes, limits);
  if (!entry.ok()) {
    SAFEMODEL_PROPERTY(entry.error().stage == Stage::kMalformed || entry.error().stage == Stage::kLimit);
    return 0;
  }
  const auto written = SerializeEntry(entry.value(), limits);
  SAFEMODEL_PROPERTY(written.ok() &&
                     std::equal(written.value().begin(), written.value().end(), bytes.begin(), bytes.end()));
  return 0;
}
