// SPDX-License-Identifier: Apache-2.0
#include "trust/sign_core.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "base/try.h"
#include "container/parse.h"
#include "crypto/hardware_key.h"
#include "crypto/hash.h"
#include "trust/candidate.h"
#include "trust/dsse.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

Error BadUsage(const char* code, const char* text, std::string subject = {}) {
  return {Stage::kUsage, code, text, kNoOffset, std::move(subject)};
}

std::uint32_t CountOf(const std::vector<container::EnvelopeItem>& items, container::ItemKind kind) {
  return static_cast<std::uint32_t>(std::count_if(
      items.begin(), items.end(),
      [kind](const container::EnvelopeItem& item) { return item.kind == static_cast<std::uint16_t>(kind); }));
}

// SignDsse signs type and payload. A fault while signing could give the key away, or write a statement that nobody
// accepts, so the signature is verified here whoever made it.
Status SignDsse(const Signer& key, Dsse& dsse) {
  const ByteBuffer message = Pae(dsse.payload_type, dsse.payload);
  ByteBuffer signed_bytes = message;
  if (key.public_key().is_hardware()) {
    SAFEMODEL_ASSIGN(const HardwareSignature signature, key.SignOnHardware(message));
    dsse.signature = signature.bytes;
    dsse.touch = Touch{signature.flags, signature.counter};
    signed_bytes = crypto::HardwareMessage(key.public_key().application(), signature.flags, signature.counter, message);
    if ((signature.flags & crypto::kUserPresent) == 0)
      return Error{Stage::kKey, "no_user_presence",
                   "the hardware key signed without being touched; nobody accepts that"};
  } else {
    SAFEMODEL_ASSIGN(dsse.signature, key.SignBytes(message));
  }
  if (crypto::VerifyEd25519(signed_bytes, dsse.signature, key.public_key().bytes())) return {};
  return Error{Stage::kKey, "signing_failed", "the new signature does not verify; the key or the machine is damaged"};
}

}  // namespace

Status CheckSignOptions(const SignOptions& options) {
  if (!IsRole(options.role))
    return BadUsage("bad_role", "a role is 1 to 64 letters, digits, '.', '_' or '-'", options.role);
  if (options.requires_roles.size() > kRequiredRoles)
    return BadUsage("many_roles", "a statement may require at most 16 roles");
  for (const std::string& role : options.requires_roles) {
    if (!IsRole(role)) return BadUsage("bad_role", "a role is 1 to 64 letters, digits, '.', '_' or '-'", role);
  }
  const std::int64_t issued_at = NowUnless(options.issued_at);
  if (!IsWritableTime(issued_at)) return BadUsage("bad_time", "the time of signing is not between 1970 and 9999");
  if (!options.not_after.has_value()) return {};
  if (!IsWritableTime(*options.not_after))
    return BadUsage("bad_time", "the end of validity is not between 1970 and 9999");
  if (*options.not_after <= issued_at)
    return BadUsage("times_reversed", "the signature would have ended already when it is made");
  return {};
}

Result<container::EnvelopeItem> SignPayload(ByteBuffer payload, const Signer& key, const Limits& limits) {
  Dsse dsse;
  dsse.payload_type = kPayloadType;
  dsse.payload = std::move(payload);
  if (dsse.payload.size() > limits.statement_bytes) {
    return Error{Stage::kLimit, "large_statement", "the statement would be longer than its limit"};
  }
  dsse.key_id = key.public_key().KeyId();
  SAFEMODEL_TRY(SignDsse(key, dsse));
  const auto kind = dsse.touch.has_value() ? container::ItemKind::kHardwareStatement : container::ItemKind::kStatement;
  return container::EnvelopeItem{static_cast<std::uint16_t>(kind), SerializeDsse(dsse)};
}

Result<container::EnvelopeItem> MakeStatementItem(const Release& release, const Digest& manifest_digest,
                                                  const Signer& key, const SignOptions& options, Checked checked) {
  SAFEMODEL_TRY(CheckSignOptions(options));
  Statement statement;
  statement.kind = release.kind;
  statement.manifest_digest = manifest_digest;
  statement.subject_name = release.name + "@" + release.version;
  statement.role = options.role;
  statement.model = release.name;
  statement.version = release.version;
  statement.sequence = release.sequence;
  statement.file_id = crypto::Hex(release.file_id);
  statement.issued_at = NowUnless(options.issued_at);
  statement.not_after = options.not_after;
  statement.checked = checked;
  statement.requires_roles = options.requires_roles;
  return SignPayload(SerializeStatement(statement), key, options.limits);
}

Result<container::Envelope> NextEnvelope(const std::optional<container::Envelope>& current,
                                         const Digest& manifest_digest) {
  container::Envelope envelope;
  envelope.manifest_digest = manifest_digest;
  if (!current.has_value()) return envelope;
  envelope = *current;
  constexpr std::uint64_t kLastGeneration = std::numeric_limits<std::uint64_t>::max() - 1;
  if (envelope.generation >= kLastGeneration) {
    return Error{Stage::kLimit, "last_generation", "the envelope has no next generation; remove it and sign anew"};
  }
  ++envelope.generation;
  return envelope;
}

std::size_t StatementsOf(const container::Envelope& envelope) {
  return static_cast<std::size_t>(std::count_if(envelope.items.begin(), envelope.items.end(), IsStatement));
}

Result<ByteBuffer> FrameBytes(const container::Envelope& envelope, const Limits& limits) {
  if (envelope.items.size() > limits.envelope_items) {
    return Error{Stage::kLimit, "many_items", "the envelope is full: it would have more items than the limit"};
  }
  if (StatementsOf(envelope) > limits.statements) {
    return Error{Stage::kLimit, "many_statements",
                 "the envelope is full: it has as many signatures and attestations as the limit; --replace of sign and "
                 "attest takes out earlier ones by the same key in the same role or of the same type"};
  }
  if (CountOf(envelope.items, container::ItemKind::kKeyWrap) > limits.key_wraps ||
      CountOf(envelope.items, container::ItemKind::kRecipientNote) > limits.key_wraps) {
    return Error{Stage::kLimit, "many_key_wraps", "the envelope is full: it would have more key wraps than the limit"};
  }
  if (CountOf(envelope.items, container::ItemKind::kLogProof) > limits.log_proofs) {
    return Error{Stage::kLimit, "many_log_proofs",
                 "the envelope is full: it would have more log proofs than the limit"};
  }
  ByteBuffer frame = container::SerializeEnvelopeBody(envelope);
  const Digest digest = crypto::Blake3Of(frame);
  frame.insert(frame.end(), digest.begin(), digest.end());
  if (frame.size() > limits.envelope_bytes) {
    return Error{Stage::kLimit, "large_envelope", "the envelope is full: it would be larger than its limit"};
  }
  return frame;
}

Result<ByteBuffer> MakeFirstEnvelope(const container::Manifest& manifest, const Digest& manifest_digest,
                                     std::vector<container::EnvelopeItem> key_items, const Signer* key,
                                     const SignOptions& options) {
  container::Envelope envelope;
  envelope.manifest_digest = manifest_digest;
  envelope.items = std::move(key_items);
  if (key != nullptr) {
    SAFEMODEL_ASSIGN(container::EnvelopeItem item,
                     MakeStatementItem(ReleaseOf(manifest), manifest_digest, *key, options, Checked::kFull));
    envelope.items.push_back(std::move(item));
  }
  return FrameBytes(envelope, options.limits);
}

}  // namespace safemodel::trust
