// SPDX-License-Identifier: Apache-2.0
#include "log/checkpoint.h"

#include <algorithm>
#include <set>

#include "base/cursor.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "crypto/base64.h"

namespace safemodel::log {
namespace {

constexpr std::size_t kHashLetters = 44;
constexpr std::size_t kDecimalDigits = 19;  // of 2^63 - 1
constexpr std::size_t kCheckpointLines = 3;

Error BadCheckpoint() {
  return {Stage::kMalformed, "bad_checkpoint",
          "a checkpoint is not an origin, a size without leading zeros and a root hash, a line each"};
}

Error Untrusted(const char* code, const char* text, const std::string& subject) {
  return {Stage::kUntrusted, code, text, kNoOffset, subject};
}

// TakeLine returns the first line without its end and removes it.
std::string_view TakeLine(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

Status CheckWitnesses(const SignedCheckpoint& checkpoint, const LogTrust& trust) {
  std::set<PublicKey> held;
  for (const TrustedWitness& witness : trust.witnesses) {
    const Fate fate = FateOf(checkpoint.note, witness.name, SignatureType::kCosignature, witness.key);
    if (fate == Fate::kFails) {
      return Untrusted("witness_signature", "a checkpoint has a cosignature by a witness that does not verify",
                       witness.name);
    }
    if (fate == Fate::kHolds) held.insert(witness.key);
  }
  if (held.size() >= trust.witness_threshold) return {};
  return Untrusted("few_witnesses", "a checkpoint has fewer cosignatures by witnesses than the threshold",
                   checkpoint.state.origin);
}

}  // namespace

std::optional<std::uint64_t> ParseDecimal(std::string_view text) {
  if (text.empty() || text.size() > kDecimalDigits || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value >= std::uint64_t{1} << 63) return std::nullopt;
  return value;
}

std::optional<Digest> ParseHash(std::string_view text) {
  Digest hash{};
  if (text.size() != kHashLetters) return std::nullopt;
  const auto size = crypto::DecodeBase64(text, crypto::Base64Alphabet::kStandard, hash);
  if (!size.ok() || size.value() != hash.size()) return std::nullopt;
  return hash;
}

Result<SignedCheckpoint> ParseSignedCheckpoint(ByteView bytes, const Limits& limits) {
  SignedCheckpoint checkpoint;
  SAFEMODEL_ASSIGN(checkpoint.note, ParseNote(bytes, limits));
  std::string_view text = checkpoint.note.text;
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  if (lines < kCheckpointLines || text.starts_with('\n') || text.find("\n\n") != std::string_view::npos) {
    return BadCheckpoint();
  }
  checkpoint.state.origin = TakeLine(text);
  const auto size = ParseDecimal(TakeLine(text));
  const auto root = ParseHash(TakeLine(text));
  if (!size.has_value() || !root.has_value()) return BadCheckpoint();
  checkpoint.state.size = *size;
  checkpoint.state.root = *root;
  return checkpoint;
}

std::string CheckpointText(const LogCheckpoint& checkpoint) {
  return checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" + crypto::EncodeBase64(checkpoint.root) +
         "\n";
}

Result<ByteBuffer> SignCheckpoint(const LogCheckpoint& checkpoint, const Signer& key) {
  Note note;
  note.text = CheckpointText(checkpoint);
  SAFEMODEL_ASSIGN(NoteSignature signature, SignNote(note.text, checkpoint.origin, key));
  note.signatures.push_back(std::move(signature));
  return SerializeNote(note);
}

Status CheckCheckpoint(const SignedCheckpoint& checkpoint, const LogTrust& trust) {
  const std::string& origin = checkpoint.state.origin;
  bool known = false;
  bool holds = false;
  for (const TrustedLog& log : trust.logs) {
    if (log.origin != origin) continue;
    known = true;
    const Fate fate = FateOf(checkpoint.note, origin, SignatureType::kEd25519, log.key);
    if (fate == Fate::kFails) {
      return Untrusted("log_signature", "the log's signature of a checkpoint does not verify", origin);
    }
    holds = holds || fate == Fate::kHolds;
  }
  if (!known) return Untrusted("unknown_log", "a checkpoint is of another log than the trusted ones", origin);
  if (!holds) return Untrusted("log_signature", "a checkpoint has no signature by the log's key", origin);
  return CheckWitnesses(checkpoint, trust);
}

}  // namespace safemodel::log

namespace safemodel {

Result<LogCheckpoint> ParseCheckpoint(ByteView note, const Limits& limits) {
  return CatchOutOfMemory([&]() -> Result<LogCheckpoint> {
    SAFEMODEL_ASSIGN(const log::SignedCheckpoint checkpoint, log::ParseSignedCheckpoint(note, limits));
    return checkpoint.state;
  });
}

}  // namespace safemodel
