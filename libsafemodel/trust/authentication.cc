// SPDX-License-Identifier: Apache-2.0
#include "trust/authentication.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

#include "base/try.h"
#include "crypto/hash.h"
#include "trust/candidate.h"
#include "trust/decision.h"
#include "trust/rollback.h"

namespace safemodel::trust {
namespace {

Error Untrusted(const char* code, const char* text, std::string subject = {}) {
  return {Stage::kUntrusted, code, text, kNoOffset, std::move(subject)};
}

// Rank orders refusals so that the answer does not depend on the order of the items; [S-WORST], [S-ORDER].
std::tuple<std::size_t, std::size_t, std::string_view> Rank(const Error& error) {
  constexpr std::array kStages = {Stage::kBadSignature, Stage::kDigestMismatch, Stage::kMalformed,
                                  Stage::kUnsupported,  Stage::kLimit,          Stage::kUntrusted};
  // The nearer a statement came to counting, the more its fate explains.
  constexpr std::array<std::string_view, 17> kCodes = {
      "missing_role",        "missing_attestation", "missing_required_role", "few_witnesses",
      "witness_signature",   "log_signature",       "unknown_log",           "not_in_log",
      "not_logged",          "checked_too_little",  "attestation_old",       "expired",
      "issued_in_future",    "outside_key_window",  "revoked_key",           "wrong_role",
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

Status CheckSequence(const Rule& rule, const Release& release) {
  if (!rule.minimum_sequence.has_value() || release.sequence >= *rule.minimum_sequence) return {};
  return Untrusted("old_sequence", "the release is older than the policy's minimum sequence");
}

// LogTrustOf returns whose word a rule takes for what is logged.
LogTrust LogTrustOf(const PolicyParts& parts, const RequiredLog& required) {
  LogTrust trust{parts.logs, parts.witnesses, parts.witness_threshold};
  if (!required.origin.empty())
    std::erase_if(trust.logs, [&required](const TrustedLog& log) { return log.origin != required.origin; });
  return trust;
}

// NotLogged is the fate of a statement without a good proof. What else is wrong with proofs that are not about it, or
// cannot be read, is no news about the statement: anybody may have added them.
Error NotLogged(const Error& failure) {
  const bool about_it = failure.stage == Stage::kUntrusted && std::string_view(failure.code) != "other_entry";
  return about_it ? failure : NoLogProof();
}

// CheckRule asks what the rule wants of the release itself.
Status CheckRule(const Rule& rule, const Release& release, const Expectation& expectation) {
  if (rule.expectation == Rule::Expected::kDemanded && !expectation.name().has_value())
    return Untrusted("no_expectation", "the policy wants you to say which model you expect", release.name);
  SAFEMODEL_TRY(CheckEncryption(rule, release));
  return CheckSequence(rule, release);
}

}  // namespace

bool Authentication::VerifyItems() {
  if (!envelope_.has_value()) return false;
  LogProofs proofs(envelope_->items, {}, limits_);
  const Examined examined{proofs, manifest_digest_, policy_, limits_, kind_};
  for (const container::EnvelopeItem& item : envelope_->items) {
    if (IsLogProof(item) || IsKeyItem(item)) continue;
    if (!IsStatement(item)) {
      ++other_items_;
      continue;
    }
    Candidate candidate;
    const Status verified = VerifyItem(item, examined, candidate);
    if (!verified.ok()) candidate.Refuse(verified.error());
    candidates_.push_back(std::move(candidate));
  }
  // An attestation vouches for nothing: its key may be anybody's whom the policy lets make one.
  return std::any_of(candidates_.begin(), candidates_.end(), [](const Candidate& c) { return c.releases(); });
}

void Authentication::CheckStatements(const Release& release) {
  for (Candidate& candidate : candidates_) {
    if (!candidate.alive()) continue;
    const Status fits = CheckAgainst(release, policy_, now_, candidate);
    if (!fits.ok()) candidate.Refuse(fits.error());
  }
}

void Authentication::CheckMinimum(const Rule& rule) {
  for (Candidate& candidate : candidates_) {
    if (!candidate.releases()) continue;
    const Statement& statement = *candidate.statement;
    const auto wanted = std::find_if(rule.required.begin(), rule.required.end(),
                                     [&](const RoleThreshold& threshold) { return threshold.role == statement.role; });
    if (wanted == rule.required.end() || statement.checked >= wanted->minimum) continue;
    candidate.Refuse(Untrusted("checked_too_little", "a signer had checked less of the container than the rule wants",
                               std::string(CheckedName(statement.checked))));
  }
}

void Authentication::CheckLogged(const Rule& rule) {
  if (!rule.logged.has_value()) return;
  LogProofs proofs(envelope_->items, LogTrustOf(policy_.parts(), *rule.logged), limits_);
  for (Candidate& candidate : candidates_) {
    if (!candidate.releases()) continue;
    const auto logged = proofs.Logged(candidate.entry);
    if (logged.ok()) {
      candidate.report.logged = LogPlace{logged.value().checkpoint.origin, logged.value().index};
    } else {
      candidate.Refuse(NotLogged(logged.error()));
    }
  }
}

std::vector<std::string> Authentication::Evaluate(const Rule& rule) {
  std::vector<Candidate*> voters;
  std::vector<Vote> votes;
  for (Candidate& candidate : candidates_) {
    if (!candidate.releases()) continue;
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

std::vector<std::string> Authentication::MissingAttestations(const Rule& rule) {
  std::vector<std::string> missing;
  for (const RequiredAttestation& required : rule.attestations) {
    bool found = false;
    for (Candidate& candidate : candidates_) {
      if (!candidate.attests() || candidate.attestation->predicate_type != required.predicate_type) continue;
      const auto time = candidate.attestation->time;
      // One that does not say when is as good as one of any age.
      if (required.maximum_age.has_value() && (!time.has_value() || *time < now_ - *required.maximum_age)) {
        candidate.Refuse(Untrusted("attestation_old", "an attestation is older than the rule allows, or does not say",
                                   required.predicate_type));
        continue;
      }
      found = true;
    }
    if (!found) missing.push_back(required.predicate_type);
  }
  return missing;
}

Error Authentication::Worst(Error refusal) const {
  bool any = std::any_of(candidates_.begin(), candidates_.end(), [](const Candidate& c) { return c.alive(); });
  for (const Candidate& candidate : candidates_) {
    if (candidate.alive() || (any && Rank(refusal) <= Rank(*candidate.refusal))) continue;
    refusal = *candidate.refusal;
    any = true;
  }
  if (any) return refusal;
  return Untrusted("no_signature", "the container is not signed; sign it, or get its envelope");
}

Error Authentication::Refusal(const std::vector<std::string>& missing_roles) const {
  Error worst = Worst(Untrusted("missing_role", "the signatures do not fill the roles that the policy asks for"));
  if (worst.subject.empty()) worst.subject = Joined(missing_roles);
  return worst;
}

std::vector<SignatureReport> Authentication::Reports() const {
  std::vector<SignatureReport> reports;
  for (const Candidate& candidate : candidates_) {
    SignatureReport report = candidate.report;
    report.counted = candidate.releases();
    report.code = candidate.releases() ? "counted" : candidate.attests() ? "attests" : candidate.refusal->code;
    report.stage = candidate.alive() ? Stage::kUntrusted : candidate.refusal->stage;
    reports.push_back(std::move(report));
  }
  SignatureReport other;
  other.code = "unknown_item";
  reports.insert(reports.end(), other_items_, other);
  return reports;
}

Status Authentication::Satisfy(const Rule& rule, AuthenticationTrace& seen) {
  CheckMinimum(rule);
  CheckLogged(rule);
  seen.missing_roles = Evaluate(rule);
  seen.missing_attestations = MissingAttestations(rule);
  seen.signatures = Reports();
  if (!seen.missing_roles.empty()) return Refusal(seen.missing_roles);
  if (seen.missing_attestations.empty()) return {};
  return Worst(Untrusted("missing_attestation", "an attestation that the rule asks for is missing",
                         Joined(seen.missing_attestations)));
}

Result<Rule> Authentication::Decide(const Release& release, const Expectation& expectation, AuthenticationTrace& seen) {
  CheckStatements(release);
  seen.signatures = Reports();
  SAFEMODEL_TRY(CheckManifestDenials(policy_, manifest_digest_));
  SAFEMODEL_TRY(CheckExpectation(expectation, release));
  const Rule* rule = RuleFor(policy_, release.name);
  if (rule == nullptr) return Untrusted("no_rule", "no rule of the policy is for a model of this name");
  seen.rule = rule->models;
  SAFEMODEL_TRY(Satisfy(*rule, seen));
  SAFEMODEL_TRY(CheckRule(*rule, release, expectation));
  SAFEMODEL_TRY(CheckRollback(policy_, release, manifest_digest_, now_, seen.rollback));
  return *rule;
}

Status CheckEncryption(const Rule& rule, const Release& release) {
  if (rule.encryption == Rule::Encryption::kRequired && release.content == Release::Content::kPlain)
    return Untrusted("not_encrypted", "the policy wants models of this name to be encrypted");
  if (rule.encryption == Rule::Encryption::kForbidden && release.content == Release::Content::kEncrypted)
    return Untrusted("encrypted", "the policy wants models of this name not to be encrypted");
  return {};
}

Status CheckExpectation(const Expectation& expectation, const Release& release) {
  const bool name_fits = !expectation.name().has_value() || *expectation.name() == release.name;
  const bool version_fits = !expectation.version().has_value() || *expectation.version() == release.version;
  if (name_fits && version_fits) return {};
  return Error{Stage::kUntrusted, "unexpected_model", "this is a signed model, but not the one that was asked for",
               kNoOffset, release.name + "@" + release.version};
}

Status CheckManifestDenials(const Policy& policy, const Digest& manifest_digest) {
  const auto& denied = policy.parts().denied_manifests;
  if (std::find(denied.begin(), denied.end(), manifest_digest) == denied.end()) return {};
  return Untrusted("denied_manifest", "the policy denies this very container", crypto::Hex(manifest_digest));
}

Status CheckContentDenials(const Policy& policy, const Digest& content_digest) {
  const auto& denied = policy.parts().denied_contents;
  if (std::find(denied.begin(), denied.end(), content_digest) == denied.end()) return {};
  return Untrusted("denied_content", "the policy denies this content, in whatever container",
                   crypto::Hex(content_digest));
}

std::vector<SignatureReport> ListSignatures(const std::optional<container::Envelope>& envelope, const Limits& limits) {
  std::vector<SignatureReport> reports;
  if (!envelope.has_value()) return reports;
  for (const container::EnvelopeItem& item : envelope->items) {
    SignatureReport report;
    report.code = "not_checked";
    if (IsLogProof(item) || IsKeyItem(item)) continue;
    if (!IsStatement(item)) {
      report.code = "unknown_item";
      reports.push_back(std::move(report));
      continue;
    }
    const auto dsse = ParseStatementItem(item, limits);
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
