// SPDX-License-Identifier: Apache-2.0
// The envelope. Input: a frame; its digest is taken to be right, as an attacker would make it. What is accepted lies
// within the limits and is written back byte for byte; the head alone tells the length that the whole has.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "container/parse.h"
#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;             // NOLINT(google-build-using-namespace)
  using namespace safemodel::container;  // NOLINT(google-build-using-namespace)
  const ByteView frame(data, size);
  const Limits limits;
  Digest stated{};
  if (size >= stated.size())
    std::copy_n(frame.end() - static_cast<std::ptrdiff_t>(stated.size()), stated.size(), stated.begin());
  const auto length = MeasureEnvelope(frame.first(std::min<std::size_t>(size, kEnvelopeHeadBytes)), size, limits);
  const auto envelope = ParseEnvelope(frame, stated, limits);
  if (!envelope.ok()) {
    const Stage stage = envelope.error().stage;
    SAFEMODEL_PROPERTY(stage == Stage::kMalformed || stage == Stage::kUnsupported || stage == Stage::kLimit);
    return 0;
  }
  SAFEMODEL_PROPERTY(length.ok() && length.value() == size && size <= limits.envelope_bytes);
  SAFEMODEL_PROPERTY(envelope.value().items.size() <= limits.envelope_items);
  const ByteBuffer body = SerializeEnvelopeBody(envelope.value());
  SAFEMODEL_PROPERTY(body.size() + kEnvelopeTailBytes == size && std::equal(body.begin(), body.end(), frame.begin()));
  Digest other = stated;
  other[0] = static_cast<std::uint8_t>(other[0] ^ 1);
  SAFEMODEL_PROPERTY(!ParseEnvelope(frame, other, limits).ok());
  return 0;
}
