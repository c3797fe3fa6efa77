// SPDX-License-Identifier: Apache-2.0
// Proofs that a log has an entry (C2SP tlog-proof v1), the bytes of a log proof item. Our entry stands in the line
// "extra", because a leaf cannot be recomputed from the statement alone; it counts only through the leaf it hashes to.
#pragma once

#include <optional>

#include "log/checkpoint.h"

namespace safemodel::log {

struct Proof {
  std::optional<ByteBuffer> extra;
  std::uint64_t index = 0;
  std::vector<Digest> hashes;
  ByteBuffer note;  // the checkpoint as its signers made it
  SignedCheckpoint checkpoint;
};

// ParseProof verifies nothing. kMalformed "bad_proof", and those of the checkpoint; kLimit; [L-PROOF].
Result<Proof> ParseProof(ByteView bytes, const Limits& limits);
ByteBuffer SerializeProof(const Proof& proof);

// EntryIn returns the entry that a proof is about. kMalformed, kLimit.
Result<LogEntry> EntryIn(const Proof& proof, const Limits& limits);
// CheckInclusion asks whether the hashes lead from the entry to the root of the checkpoint. kUntrusted "not_in_log";
// kMalformed; [L-INCLUSION].
Status CheckInclusion(const Proof& proof);

}  // namespace safemodel::log
