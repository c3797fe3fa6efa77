// SPDX-License-Identifier: Apache-2.0
// The preamble. Input: size of the file u64, then the bytes of the preamble. What is accepted lies within the limits
// and is written back byte for byte.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "container/parse.h"
#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;             // NOLINT(google-build-using-namespace)
  using namespace safemodel::container;  // NOLINT(google-build-using-namespace)
  ByteReader reader(ByteView(data, size));
  const auto file_bytes = reader.U64();
  if (!file_bytes.ok()) return 0;
  const ByteView bytes = reader.TakeRest();
  const Limits limits;
  const auto preamble = ParsePreamble(bytes, file_bytes.value(), limits);
  if (!preamble.ok()) {
    const Stage stage = preamble.error().stage;
    SAFEMODEL_PROPERTY(stage == Stage::kMalformed || stage == Stage::kUnsupported || stage == Stage::kLimit);
    return 0;
  }
  SAFEMODEL_PROPERTY(preamble.value().manifest_length <= limits.manifest_bytes);
  SAFEMODEL_PROPERTY(preamble.value().manifest_offset <= file_bytes.value());
  SAFEMODEL_PROPERTY(preamble.value().manifest_length <= file_bytes.value() - preamble.value().manifest_offset);
  const ByteBuffer again = SerializePreamble(preamble.value());
  SAFEMODEL_PROPERTY(again.size() == kPreambleBytes && std::equal(again.begin(), again.end(), bytes.begin()));
  return 0;
}
