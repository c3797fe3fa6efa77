// SPDX-License-Identifier: Apache-2.0
// Checkpoints (C2SP tlog-checkpoint): notes whose text is the origin, the size in decimal and the root in base64, a
// line each. Lines behind them are kept in the note and mean nothing.
#pragma once

#include <safemodel/log.h>

#include "log/note.h"

namespace safemodel::log {

struct SignedCheckpoint {
  LogCheckpoint state;
  Note note;
};

// ParseSignedCheckpoint verifies nothing. kMalformed "bad_note", "bad_checkpoint"; kLimit; [L-CHECKPOINT].
Result<SignedCheckpoint> ParseSignedCheckpoint(ByteView bytes, const Limits& limits);
std::string CheckpointText(const LogCheckpoint& checkpoint);
Result<ByteBuffer> SignCheckpoint(const LogCheckpoint& checkpoint, const Signer& key);

// CheckCheckpoint decides whether a checkpoint counts: its origin is that of a trusted log, that log's key signed it
// under the origin as its name, and enough witnesses did. A signature by a trusted key that does not hold refuses the
// checkpoint, whatever others say. kUntrusted "unknown_log", "log_signature", "witness_signature", "few_witnesses";
// [L-SIGNED], [L-WITNESS].
Status CheckCheckpoint(const SignedCheckpoint& checkpoint, const LogTrust& trust);

// ParseDecimal reads a number as C2SP writes it: digits without leading zeros, below 2^63.
std::optional<std::uint64_t> ParseDecimal(std::string_view text);
// ParseHash reads the base64 of 32 bytes.
std::optional<Digest> ParseHash(std::string_view text);

}  // namespace safemodel::log
