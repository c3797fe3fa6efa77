// SPDX-License-Identifier: Apache-2.0
// The only maker of TrustedManifest. The order of the steps is the spec's, section 11.3.
#include "trust/authenticate.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

#include "base/try.h"
#include "container/parse.h"
#include "trust/decision.h"
#include "trust/dsse.h"
#include "trust/statement.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

constexpr std::int64_t kClockSkewSeconds = 300;

// Candidate is one statement item on its way through the checks. It is out as soon as it has a refusal.
struct Candidate {
  SignatureReport report;
  std::optional<Error> refusal;
  std::size_t key = 0;  // among the policy's keys; meaningful once the signature verified
  std::optional<Statement> statement;

  [[nodiscard]] bool alive() const { return !refusal.has_value(); }
  void Refuse(Error error) { refusal = std::move(error); }
};

Error Untrusted(const char* code, const char* text) { return {Stage::kUntrusted, code, text}; }

// IsLogProof tells the items that are about statements, and no statements themselves.
bool IsLogProof(const container::EnvelopeItem& item) {
  return item.kind == static_cast<std::uint16_t>(container::ItemKind::kLogProof);
}

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
                  Candidate& candidate) {
  SAFEMODEL_ASSIGN(const Dsse dsse, ParseDsse(item, limits));
  candidate.report.key_id = dsse.key_id;
  const auto key = VerifyingKey(dsse, policy);
  if (!key.has_value()) return NoKeyVerifies(dsse, policy);
  candidate.key = *key;
  if (dsse.payload_type != kPayloadType) {
    return Untrusted("other_statement", "this is another kind of statement than a release and counts for nothing");
  }
  SAFEMODEL_ASSIGN(candidate.statement, ParseStatement(dsse.payload, limits));
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
Status CheckStatement(const Statement& statement, const TrustedKey& key, const container::Manifest& manifest,
                      std::int64_t now) {
  if (!Matches(statement, manifest)) {
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

class Authentication {
 public:
  Authentication(const OpenedContainer& opened, const Policy& policy, std::int64_t now, const Limits& limits)
      : opened_(opened), policy_(policy), now_(now), limits_(limits) {}

  // VerifyItems checks every signature over the raw bytes. True when a key of the policy vouches for this manifest.
  bool VerifyItems() {
    if (!opened_.envelope.has_value()) return false;
    for (const container::EnvelopeItem& item : opened_.envelope->items) {
      if (IsLogProof(item)) continue;
      if (item.kind != static_cast<std::uint16_t>(container::ItemKind::kStatement)) {
        ++other_items_;
        continue;
      }
      Candidate candidate;
      const Status verified = VerifyItem(item.bytes, policy_, opened_.manifest_digest, limits_, candidate);
      if (!verified.ok()) candidate.Refuse(verified.error());
      candidates_.push_back(std::move(candidate));
    }
    return std::any_of(candidates_.begin(), candidates_.end(), [](const Candidate& c) { return c.alive(); });
  }

  void CheckStatements(const container::Manifest& manifest) {
    for (Candidate& candidate : candidates_) {
      if (!candidate.alive()) continue;
      const Status fits = CheckStatement(*candidate.statement, policy_.keys()[candidate.key], manifest, now_);
      if (!fits.ok()) candidate.Refuse(fits.error());
    }
  }

  // Evaluate decides which statements count and returns the roles that the rule still misses.
  std::vector<std::string> Evaluate(const Rule& rule) {
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

  // Refusal is the answer when the policy is not satisfied: the worst word among the items.
  [[nodiscard]] Error Refusal(const std::vector<std::string>& missing_roles) const {
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

  [[nodiscard]] std::vector<SignatureReport> Reports() const {
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

 private:
  const OpenedContainer& opened_;
  const Policy& policy_;
  std::int64_t now_;
  const Limits& limits_;
  std::vector<Candidate> candidates_;
  std::size_t other_items_ = 0;  // of kinds that this version does not read: listed, worth nothing
};

Status CheckExpectation(const Expectation& expectation, const container::Manifest& manifest) {
  const bool name_fits = !expectation.name().has_value() || *expectation.name() == manifest.name;
  const bool version_fits = !expectation.version().has_value() || *expectation.version() == manifest.version;
  if (name_fits && version_fits) return {};
  return Error{Stage::kUntrusted, "unexpected_model", "this is a signed model, but not the one that was asked for",
               kNoOffset, manifest.name + "@" + manifest.version};
}

Status CheckSequence(const Rule& rule, const container::Manifest& manifest) {
  if (!rule.minimum_sequence.has_value() || manifest.sequence >= *rule.minimum_sequence) return {};
  return Untrusted("old_sequence", "the release is older than the policy's minimum sequence");
}

}  // namespace

struct TrustedManifestMaker {
  static TrustedManifest Make(OpenedContainer opened, container::Manifest manifest,
                              std::vector<SignatureReport> signatures, std::optional<Rule> rule) {
    TrustedManifest trusted;
    trusted.manifest_ = std::move(manifest);
    trusted.digest_ = opened.manifest_digest;
    trusted.core_bytes_ = opened.preamble.manifest_offset + opened.preamble.manifest_length;
    trusted.file_ = std::move(opened.file);
    trusted.signatures_ = std::move(signatures);
    trusted.rule_ = std::move(rule);
    return trusted;
  }
};

Result<TrustedManifest> Authenticate(OpenedContainer opened, const Policy& policy, const Expectation& expectation,
                                     std::int64_t now, const Limits& limits, AuthenticationTrace* trace) {
  AuthenticationTrace unused;
  AuthenticationTrace& seen = trace != nullptr ? *trace : unused;
  Authentication authentication(opened, policy, now, limits);
  const bool vouched = authentication.VerifyItems();
  seen.signatures = authentication.Reports();
  if (!vouched) return authentication.Refusal({});

  // Not before here: the FlatBuffers verifier never sees bytes that no key of the policy signed; [S-BEFORE].
  SAFEMODEL_ASSIGN(container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, limits));
  seen.manifest = manifest;
  authentication.CheckStatements(manifest);
  seen.signatures = authentication.Reports();
  SAFEMODEL_TRY(CheckExpectation(expectation, manifest));

  const Rule* rule = RuleFor(policy, manifest.name);
  if (rule == nullptr) return Untrusted("no_rule", "no rule of the policy is for a model of this name");
  seen.rule = rule->models;
  seen.missing_roles = authentication.Evaluate(*rule);
  seen.signatures = authentication.Reports();
  if (!seen.missing_roles.empty()) return authentication.Refusal(seen.missing_roles);
  SAFEMODEL_TRY(CheckSequence(*rule, manifest));
  return TrustedManifestMaker::Make(std::move(opened), std::move(manifest), seen.signatures, *rule);
}

std::vector<SignatureReport> ListSignatures(const std::optional<container::Envelope>& envelope, const Limits& limits) {
  std::vector<SignatureReport> reports;
  if (!envelope.has_value()) return reports;
  for (const container::EnvelopeItem& item : envelope->items) {
    if (IsLogProof(item)) continue;
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

Result<TrustedManifest> SkipAuthentication(OpenedContainer opened, InsecureSkipVerification /*token*/,
                                           const Limits& limits) {
  SAFEMODEL_ASSIGN(container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, limits));
  std::vector<SignatureReport> signatures = ListSignatures(opened.envelope, limits);
  return TrustedManifestMaker::Make(std::move(opened), std::move(manifest), std::move(signatures), std::nullopt);
}

}  // namespace safemodel::trust
