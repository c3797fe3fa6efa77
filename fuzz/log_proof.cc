// SPDX-License-Identifier: Apache-2.0
// Log proofs. What is accepted lies within the limits and is written back byte for byte, and an entry counts only when
// the hashes lead to the root.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fuzz/property.h"
#include "log/merkle.h"
#include "log/proof.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;       // NOLINT(google-build-using-namespace)
  using namespace safemodel::log;  // NOLINT(google-build-using-namespace)
  const Limits limits;
  const ByteView bytes(data, size);
  const auto proof = ParseProof(bytes, limits);
  if (!proof.ok()) {
    SAFEMODEL_PROPERTY(proof.error().stage == Stage::kMalformed || proof.error().stage == Stage::kLimit);
    return 0;
  }
  SAFEMODEL_PROPERTY(size <= limits.log_proof_bytes && proof.value().hashes.size() <= kMostProofHashes);
  const ByteBuffer written = SerializeProof(proof.value());
  SAFEMODEL_PROPERTY(std::equal(written.begin(), written.end(), bytes.begin(), bytes.end()));
  const auto entry = EntryIn(proof.value(), limits);
  SAFEMODEL_PROPERTY(entry.ok() || entry.error().stage == Stage::kMalformed || entry.error().stage == Stage::kLimit);
  if (!CheckInclusion(proof.value()).ok()) return 0;
  Proof moved = proof.value();
  moved.index = moved.checkpoint.state.size;
  SAFEMODEL_PROPERTY(!CheckInclusion(moved).ok());
  return 0;
}
