// SPDX-License-Identifier: Apache-2.0
#include "trust/authentication.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

#include "base/try.h"
#include "trust/decision.h"
#include "trust/dsse.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

constexpr std::int64_t kClockSkewSeconds = 300;

Error Untrusted(const char* code, const char* text) { return {Stage::kUntrusted, code, text}; }

void Describe(const Statement& statement, SignatureReport& report) {
  report.role = statement.role.value_or("");
  report.issued_at = FormatTimestamp(statement.issued_at);
  if (statement.not_after.has_value()) report.not_after = FormatTimestamp(*statement.not_after);
}

// VerifyingKey returns the policy's key under which the signature holds. The key id decides nothing: every key is
// tried.
std::optional<std::size_t> VerifyingKey(const Dsse& dsse, const Policy& policy) {
  const ByteBuffer message = Pae(dsse.payload_type, dsse.payload);
  const auto& keys = policy.keys();
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const TrustedKey& trusted) {
    return crypto::VerifyEd25519(message, dsse.signature, trusted.key.bytes());
  });
  if (found == keys.end()) return std::nullopt;
  return static_cast<std::size_t>(found - keys.begin());
}

Error NoKeyVerifies(const Dsse& dsse, const Policy& policy) {
  const bool named = std::any_of(policy.keys().begin(), policy.keys().end(),
                                 [&](const TrustedKey& trusted) { return trusted.key.KeyId() == dsse.key_id; });
  if (!named) return Untrusted("unknown_key", "the signature is not by a key that the policy knows");
  return {Stage::kBadSignature, "bad_signature", "a signature in the name of a key of the policy does not verify"};
}

// VerifyItem takes an item as far as it goes without the manifest's content: signature over raw bytes, then statement,
// then the digest of its subject.
Status VerifyItem(ByteView item, const Policy& policy, const Digest& manifest_digest, const Limits& limits,
                  ReleaseKind kind, Candidate& candidate) {
  SAFEMODEL_ASSIGN(const Dsse dsse, ParseDsse(item, limits));
  candidate.report.key_id = dsse.key_id;
  const auto key = VerifyingKey(dsse, policy);
  if (!key.has_value()) return NoKeyVerifies(dsse, policy);
  candidate.key = *key;
  if (dsse.payload_type != kPayloadType) {
    return Untrusted("other_statement", "this is another kind of statement than a release and counts for nothing");
  }
  SAFEMODEL_ASSIGN(candidate.statement, ParseStatement(dsse.payload, limits, kind));
  Describe(*candidate.statement, candidate.report);
  if (candidate.statement->manifest_digest == manifest_digest) return {};
  return Error{Stage::kDigestMismatch, "other_manifest",
               "a signed statement is about another manifest than this file's"};
}

Status CheckTimes(const Statement& statement, const TrustedKey& key, std::int64_t now) {
  if (statement.issued_at > now + kClockSkewSeconds) {
    return Untrusted("issued_in_future", "a statement was issued in the future; check the clock of this machine");
  }
  if (statement.not_after.has_value() && *statement.not_after < now)
    return Untrusted("expired", "the signature has expired");
  // Both are compared: issued-at is the signer's own word, so a key that has ended must not sign by back-dating.
  for (const std::int64_t time : {now, statement.issued_at}) {
    if ((key.not_before.has_value() && time < *key.not_before) ||
        (key.not_after.has_value() && time > *key.not_after)) {
      return Untrusted("outside_key_window", "the policy trusts this key only at other times");
    }
  }
  return {};
}

// CheckStatement compares a verified statement with the manifest that it is about, its key, and the clock.
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

// Rank orders refusals so that the answer does not depend on the order of the items; [S-WORST], [S-ORDER].
std::tuple<std::size_t, std::size_t, std::string_view> Rank(const Error& error) {
  constexpr std::array kStages = {Stage::kBadSignature, Stage::kDigestMismatch, Stage::kMalformed,
                                  Stage::kUnsupported,  Stage::kLimit,          Stage::kUntrusted};
  // The nearer a statement came to counting, the more its fate explains.
  constexpr std::array<std::string_view, 7> kCodes = {"missing_role",        "missing_required_role", "expired",
                                                      "issued_in_future",    "outside_key_window",    "wrong_role",
                                                      "contradicts_manifest"};
  const auto stage = std::find(kStages.begin(), kStages.end(), error.stage) - kStages.begin();
  const auto code = std::find(kCodes.begin(), kCodes.end(), std::string_view(error.code)) - kCodes.begin();
  return {static_cast<std::size_t>(stage), static_cast<std::size_t>(code), error.code};
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

Status CheckExpectation(const Expectation& expectation, const Release& release) {
  const bool name_fits = !expectation.name().has_value() || *expectation.name() == release.name;
  const bool version_fits = !expectation.version().has_value() || *expectation.version() == release.version;
  if (name_fits && version_fits) return {};
  return Error{Stage::kUntrusted, "unexpected_model", "this is a signed model, but not the one that was asked for",
               kNoOffset, release.name + "@" + release.version};
}

Status CheckSequence(const Rule& rule, const Release& release) {
  if (!rule.minimum_sequence.has_value() || release.sequence >= *rule.minimum_sequence) return {};
  return Untrusted("old_sequence", "the release is older than the policy's minimum sequence");
}

}  // namespace

bool Authentication::VerifyItems() {
  if (!envelope_.has_value()) return false;
  for (const container::EnvelopeItem& item : envelope_->items) {
    if (item.kind != static_cast<std::uint16_t>(container::ItemKind::kStatement)) {
      ++other_items_;
      continue;
    }
    Candidate candidate;
    const Status verified = VerifyItem(item.bytes, policy_, manifest_digest_, limits_, kind_, candidate);
    if (!verified.ok()) candidate.Refuse(verified.error());
    candidates_.push_back(std::move(candidate));
  }
  return std::any_of(candidates_.begin(), candidates_.end(), [](const Candidate& c) { return c.alive(); });
}

void Authentication::CheckStatements(const Release& release) {
  for (Candidate& candidate : candidates_) {
    if (!candidate.alive()) continue;
    const Status fits = CheckStatement(*candidate.statement, policy_.keys()[candidate.key], release, now_);
    if (!fits.ok()) candidate.Refuse(fits.error());
  }
}

std::vector<std::string> Authentication::Evaluate(const Rule& rule) {
  std::vector<Candidate*> voters;
  std::vector<Vote> votes;
  for (Candidate& candidate : candidates_) {
    if (!candidate.alive()) continue;
    voters.push_back(&candidate);
    votes.push_back({candidate.key, *candidate.statement->role, candidate.statement->requires_roles});
  }
  const std::vector<bool> counts = KeepSupported(votes);
  std::vector<Vote> counting;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (counts[i]) {
      counting.push_back(votes[i]);
    } else {
      voters[i]->Refuse(Untrusted("missing_required_role", "a statement requires a role in which nobody signed"));
    }
  }
  return MissingRoles(rule, counting);
}

Error Authentication::Refusal(const std::vector<std::string>& missing_roles) const {
  Error worst = Untrusted("missing_role", "the signatures do not fill the roles that the policy asks for");
  bool any = std::any_of(candidates_.begin(), candidates_.end(), [](const Candidate& c) { return c.alive(); });
  for (const Candidate& candidate : candidates_) {
    if (candidate.alive() || (any && Rank(worst) <= Rank(*candidate.refusal))) continue;
    worst = *candidate.refusal;
    any = true;
  }
  if (!any) worst = Untrusted("no_signature", "the container is not signed; sign it, or get its envelope");
  if (worst.subject.empty()) worst.subject = Joined(missing_roles);
  return worst;
}

std::vector<SignatureReport> Authentication::Reports() const {
  std::vector<SignatureReport> reports;
  for (const Candidate& candidate : candidates_) {
    SignatureReport report = candidate.report;
    report.counted = candidate.alive();
    report.code = candidate.alive() ? "counted" : candidate.refusal->code;
    report.stage = candidate.alive() ? Stage::kUntrusted : candidate.refusal->stage;
    reports.push_back(std::move(report));
  }
  SignatureReport other;
  other.code = "unknown_item";
  reports.insert(reports.end(), other_items_, other);
  return reports;
}

Result<Rule> Authentication::Decide(const Release& release, const Expectation& expectation, AuthenticationTrace& seen) {
  CheckStatements(release);
  seen.signatures = Reports();
  SAFEMODEL_TRY(CheckExpectation(expectation, release));
  const Rule* rule = RuleFor(policy_, release.name);
  if (rule == nullptr) return Untrusted("no_rule", "no rule of the policy is for a model of this name");
  seen.rule = rule->models;
  seen.missing_roles = Evaluate(*rule);
  seen.signatures = Reports();
  if (!seen.missing_roles.empty()) return Refusal(seen.missing_roles);
  SAFEMODEL_TRY(CheckSequence(*rule, release));
  return *rule;
}

std::vector<SignatureReport> ListSignatures(const std::optional<container::Envelope>& envelope, const Limits& limits) {
  std::vector<SignatureReport> reports;
  if (!envelope.has_value()) return reports;
  for (const container::EnvelopeItem& item : envelope->items) {
    SignatureReport report;
    report.code = "not_checked";
    if (item.kind != static_cast<std::uint16_t>(container::ItemKind::kStatement)) {
      report.code = "unknown_item";
      reports.push_back(std::move(report));
      continue;
    }
    const auto dsse = ParseDsse(item.bytes, limits);
    if (dsse.ok()) report.key_id = dsse.value().key_id;
    const auto statement = dsse.ok() ? ParseStatement(dsse.value().payload, limits) : Result<Statement>(dsse.error());
    if (statement.ok()) {
      Describe(statement.value(), report);
    } else {
      report.code = statement.error().code;
      report.stage = statement.error().stage;
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace safemodel::trust
