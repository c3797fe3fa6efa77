// SPDX-License-Identifier: Apache-2.0
// Statement items. Input: the bytes of an item, in DSSE. What is accepted lies within the limits and is the same item
// when it was written and read again: type, payload, key id and signature, hence also the bytes that were signed.
#include <cstddef>
#include <cstdint>

#include "fuzz/property.h"
#include "trust/dsse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;         // NOLINT(google-build-using-namespace)
  using namespace safemodel::trust;  // NOLINT(google-build-using-namespace)
  const Limits limits;
  const auto dsse = ParseDsse({data, size}, limits);
  if (!dsse.ok()) {
    SAFEMODEL_PROPERTY(dsse.error().stage == Stage::kMalformed || dsse.error().stage == Stage::kLimit);
    return 0;
  }
  const Dsse& parsed = dsse.value();
  SAFEMODEL_PROPERTY(parsed.payload.size() <= limits.statement_bytes);
  const ByteBuffer written = SerializeDsse(parsed);
  const auto again = ParseDsse(written, limits);
  if (!again.ok()) {  // an escape such as \n is written longer, as a code unit: a long item may outgrow its limit
    SAFEMODEL_PROPERTY(again.error().stage == Stage::kLimit && written.size() > size &&
                       written.size() > 2 * std::uint64_t{limits.statement_bytes});
    return 0;
  }
  SAFEMODEL_PROPERTY(again.value().payload_type == parsed.payload_type && again.value().payload == parsed.payload);
  SAFEMODEL_PROPERTY(again.value().key_id == parsed.key_id && again.value().signature == parsed.signature);
  SAFEMODEL_PROPERTY(SerializeDsse(again.value()) == written);
  return 0;
}
