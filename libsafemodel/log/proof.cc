// SPDX-License-Identifier: Apache-2.0
#include "log/proof.h"

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/base64.h"
#include "log/entry.h"
#include "log/merkle.h"

namespace safemodel::log {
namespace {

constexpr std::string_view kHead = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ";
constexpr std::string_view kIndex = "index ";

Error BadProof(const char* text) { return {Stage::kMalformed, "bad_proof", text}; }

Error NoEntry() { return BadProof("a log proof has no entry in its extra data"); }

Result<ByteBuffer> ParseExtra(std::string_view text) {
  ByteBuffer bytes(text.size() / 4 * 3);
  const auto size = crypto::DecodeBase64(text, crypto::Base64Alphabet::kStandard, bytes);
  if (!size.ok()) return BadProof("the extra data of a log proof is not base64");
  bytes.resize(size.value());
  return bytes;
}

Status ParseHashes(ByteReader& reader, Proof& proof) {
  while (true) {
    SAFEMODEL_ASSIGN(const ByteView line, reader.TakeLine());
    if (line.empty()) return {};
    const auto hash = ParseHash(AsText(line));
    if (!hash.has_value()) return BadProof("a line of a log proof is not the base64 of a hash");
    if (proof.hashes.size() == kMostProofHashes) return BadProof("a log proof has more hashes than any tree is high");
    proof.hashes.push_back(*hash);
  }
}

}  // namespace

Result<Proof> ParseProof(ByteView bytes, const Limits& limits) {
  if (bytes.size() > limits.log_proof_bytes) {
    return Error{Stage::kLimit, "large_proof", "a log proof is longer than its limit"};
  }
  ByteReader reader(bytes);
  SAFEMODEL_ASSIGN(const ByteView head, reader.TakeLine());
  if (AsText(head) != kHead) return BadProof("a log proof does not begin with its version");
  Proof proof;
  SAFEMODEL_ASSIGN(ByteView line, reader.TakeLine());
  if (AsText(line).starts_with(kExtra)) {
    SAFEMODEL_ASSIGN(proof.extra, ParseExtra(AsText(line).substr(kExtra.size())));
    SAFEMODEL_ASSIGN(line, reader.TakeLine());
  }
  if (!AsText(line).starts_with(kIndex)) return BadProof("a log proof has no index");
  const auto index = ParseDecimal(AsText(line).substr(kIndex.size()));
  if (!index.has_value()) return BadProof("the index of a log proof is no number");
  proof.index = *index;
  SAFEMODEL_TRY(ParseHashes(reader, proof));
  const ByteView note = reader.TakeRest();
  proof.note.assign(note.begin(), note.end());
  SAFEMODEL_ASSIGN(proof.checkpoint, ParseSignedCheckpoint(note, limits));
  return proof;
}

ByteBuffer SerializeProof(const Proof& proof) {
  ByteWriter writer;
  writer.Text(std::string(kHead) + "\n");
  if (proof.extra.has_value()) writer.Text(std::string(kExtra) + crypto::EncodeBase64(*proof.extra) + "\n");
  writer.Text(std::string(kIndex) + std::to_string(proof.index) + "\n");
  for (const Digest& hash : proof.hashes) writer.Text(crypto::EncodeBase64(hash) + "\n");
  writer.Text("\n");
  writer.Bytes(proof.note);
  return std::move(writer).Finish();
}

Result<LogEntry> EntryIn(const Proof& proof, const Limits& limits) {
  if (!proof.extra.has_value()) return NoEntry();
  return ParseEntry(*proof.extra, limits);
}

Status CheckInclusion(const Proof& proof) {
  if (!proof.extra.has_value()) return NoEntry();
  const LogCheckpoint& state = proof.checkpoint.state;
  if (HoldsInclusion(proof.index, state.size, LeafHash(*proof.extra), proof.hashes, state.root)) return {};
  return Error{Stage::kUntrusted, "not_in_log", "the hashes of a log proof do not lead to the root of its checkpoint",
               kNoOffset, state.origin};
}

}  // namespace safemodel::log
