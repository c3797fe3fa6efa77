// SPDX-License-Identifier: Apache-2.0
#include "trust/candidate.h"

#include <algorithm>
#include <string_view>

#include "base/try.h"
#include "crypto/hardware_key.h"
#include "trust/revocation.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

Error Untrusted(const char* code, const char* text) { return {Stage::kUntrusted, code, text}; }

Error OtherStatement() {
  return Untrusted("other_statement", "this is another kind of statement than a release and counts for nothing");
}

Error RevokedKeyError() {
  return Untrusted("revoked_key", "the policy has revoked this key, and excepts this statement in no way");
}

bool IsOfKind(const container::EnvelopeItem& item, container::ItemKind kind) {
  return item.kind == static_cast<std::uint16_t>(kind);
}

// VerifyingKey returns the policy's key under which the signature holds. The key id decides nothing: every key is
// tried.
std::optional<std::size_t> VerifyingKey(const Dsse& dsse, ByteView message, const Policy& policy) {
  const auto& keys = policy.keys();
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const TrustedKey& trusted) { return Verifies(dsse, message, trusted.key); });
  if (found == keys.end()) return std::nullopt;
  return static_cast<std::size_t>(found - keys.begin());
}

Error NoKeyVerifies(const Dsse& dsse, ByteView message, const Policy& policy) {
  const auto& revoked = policy.parts().revoked;
  const bool void_anyway = std::any_of(revoked.begin(), revoked.end(),
                                       [&](const RevokedKey& entry) { return Verifies(dsse, message, entry.key); });
  if (void_anyway) return RevokedKeyError();
  const bool named = std::any_of(policy.keys().begin(), policy.keys().end(),
                                 [&](const TrustedKey& trusted) { return trusted.key.KeyId() == dsse.key_id; });
  if (!named) return Untrusted("unknown_key", "the signature is not by a key that the policy knows");
  return {Stage::kBadSignature, "bad_signature", "a signature in the name of a key of the policy does not verify"};
}

Status VerifyRelease(Statement statement, ByteView payload, const Examined& examined, Candidate& candidate) {
  Describe(statement, candidate.report);
  candidate.entry = EntryOf(payload, statement, examined.policy.keys()[candidate.key].key.KeyId());
  candidate.statement = std::move(statement);
  if (candidate.statement->manifest_digest == examined.manifest_digest) return {};
  return Error{Stage::kDigestMismatch, "other_manifest",
               "a signed statement is about another manifest than this file's"};
}

Status VerifyAttestation(ByteView payload, const Examined& examined, Candidate& candidate) {
  const auto& allowed = examined.policy.keys()[candidate.key].attests;
  if (allowed.empty()) return OtherStatement();
  SAFEMODEL_ASSIGN(Attestation attestation, ParseAttestation(payload, examined.limits));
  Describe(attestation, candidate.report);
  if (std::find(allowed.begin(), allowed.end(), attestation.predicate_type) == allowed.end())
    return Untrusted("attestation_not_allowed", "the policy does not let this key make this kind of attestation");
  if (attestation.manifest_digest != examined.manifest_digest)
    return Untrusted("other_subject", "an attestation is about another manifest than this file's");
  candidate.attestation = std::move(attestation);
  return {};
}

// CheckWindow compares with now too: times in statements are the signer's own word, so a key that has ended must not
// sign by back-dating.
Status CheckWindow(const TrustedKey& key, std::int64_t now, std::int64_t stated) {
  for (const std::int64_t time : {now, stated}) {
    if ((key.not_before.has_value() && time < *key.not_before) ||
        (key.not_after.has_value() && time > *key.not_after)) {
      return Untrusted("outside_key_window", "the policy trusts this key only at other times");
    }
  }
  return {};
}

Status CheckTimes(const Statement& statement, const TrustedKey& key, std::int64_t now) {
  if (statement.issued_at > now + kClockSkewSeconds) {
    return Untrusted("issued_in_future", "a statement was issued in the future; check the clock of this machine");
  }
  if (statement.not_after.has_value() && *statement.not_after < now)
    return Untrusted("expired", "the signature has expired");
  return CheckWindow(key, now, statement.issued_at);
}

Status CheckStatement(const Statement& statement, const TrustedKey& key, const Release& release, std::int64_t now) {
  if (!Matches(statement, release)) {
    return Untrusted("contradicts_manifest",
                     "a statement names another model, version, sequence or file id than the manifest");
  }
  const auto& roles = key.roles;
  if (!statement.role.has_value() || std::find(roles.begin(), roles.end(), *statement.role) == roles.end()) {
    return Untrusted("wrong_role", "the key does not hold the role in which it signed");
  }
  return CheckTimes(statement, key, now);
}

Status CheckAttestation(const Attestation& attestation, const TrustedKey& key, const Release& release,
                        std::int64_t now) {
  if (attestation.subject_name != release.name + "@" + release.version)
    return Untrusted("contradicts_manifest", "an attestation names another model or version than the manifest");
  SAFEMODEL_TRY(CheckScan(attestation));
  const std::int64_t time = attestation.time.value_or(now);
  if (time > now + kClockSkewSeconds)
    return Untrusted("issued_in_future", "an attestation is about the future; check the clock of this machine");
  return CheckWindow(key, now, time);
}

}  // namespace

bool IsLogProof(const container::EnvelopeItem& item) { return IsOfKind(item, container::ItemKind::kLogProof); }

bool IsKeyItem(const container::EnvelopeItem& item) {
  return IsOfKind(item, container::ItemKind::kKeyWrap) || IsOfKind(item, container::ItemKind::kRecipientNote);
}

bool IsStatement(const container::EnvelopeItem& item) {
  return IsOfKind(item, container::ItemKind::kStatement) || IsOfKind(item, container::ItemKind::kHardwareStatement);
}

Result<Dsse> ParseStatementItem(const container::EnvelopeItem& item, const Limits& limits) {
  return IsOfKind(item, container::ItemKind::kStatement) ? ParseDsse(item.bytes, limits)
                                                         : ParseHardwareDsse(item.bytes, limits);
}

Status VerifyItem(const container::EnvelopeItem& item, const Examined& examined, Candidate& candidate) {
  const Policy& policy = examined.policy;
  SAFEMODEL_ASSIGN(const Dsse dsse, ParseStatementItem(item, examined.limits));
  candidate.report.key_id = dsse.key_id;
  const ByteBuffer message = Pae(dsse.payload_type, dsse.payload);
  const auto key = VerifyingKey(dsse, message, policy);
  if (!key.has_value()) return NoKeyVerifies(dsse, message, policy);
  candidate.key = *key;
  const TrustedKey& trusted = policy.keys()[*key];
  candidate.report.key_name = trusted.name;
  if (dsse.touch.has_value() && (dsse.touch->flags & crypto::kUserPresent) == 0)
    return Untrusted("no_user_presence", "a hardware key signed without being touched");
  if (dsse.payload_type != kPayloadType) return OtherStatement();
  if (IsRevoked(trusted.key, dsse.payload, examined)) return RevokedKeyError();
  auto statement = ParseStatement(dsse.payload, examined.limits, examined.kind);
  if (statement.ok()) return VerifyRelease(std::move(statement).value(), dsse.payload, examined, candidate);
  if (statement.error().stage != Stage::kUntrusted) return statement.error();
  return VerifyAttestation(dsse.payload, examined, candidate);
}

Status CheckAgainst(const Release& release, const Policy& policy, std::int64_t now, const Candidate& candidate) {
  const TrustedKey& key = policy.keys()[candidate.key];
  if (candidate.attestation.has_value()) return CheckAttestation(*candidate.attestation, key, release, now);
  return CheckStatement(*candidate.statement, key, release, now);
}

void Describe(const Statement& statement, SignatureReport& report) {
  report.role = statement.role.value_or("");
  report.issued_at = FormatTimestamp(statement.issued_at);
  if (statement.not_after.has_value()) report.not_after = FormatTimestamp(*statement.not_after);
}

void Describe(const Attestation& attestation, SignatureReport& report) {
  report.predicate_type = attestation.predicate_type;
  const auto time = attestation.time;
  if (time.has_value() && IsWritableTime(*time)) report.issued_at = FormatTimestamp(*time);
}

}  // namespace safemodel::trust
