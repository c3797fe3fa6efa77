// SPDX-License-Identifier: Apache-2.0
#include "trust/authenticate.h"

#include <algorithm>
#include <array>

#include "base/try.h"
#include "container/parse.h"
#include "trust/decision.h"
#include "trust/dsse.h"
#include "trust/glob.h"
#include "trust/statement.h"
#include "trust/timestamp.h"

namespace safemodel::trust {

// Fills the private parts of a TrustedManifest: the one place where "trusted" is said.
struct TrustedManifestMaker {
  static TrustedManifest Make(container::Manifest manifest, const OpenedContainer& opened, std::vector<SignatureReport> signatures,
                              std::optional<Rule> rule) {
    TrustedManifest out;
    out.manifest_ = std::move(manifest);
    out.digest_ = opened.manifest_digest;
    out.file_ = opened.file;
    out.core_bytes_ = opened.preamble.manifest_offset + opened.preamble.manifest_length;
    out.signatures_ = std::move(signatures);
    out.rule_ = std::move(rule);
    return out;
  }
};

namespace {

constexpr std::int64_t kClockSkew = 300;  // seconds that a signer's clock may be ahead of ours

// Examined is one statement item with its fate so far.
struct Examined {
  SignatureReport report;
  Error error;                         // why it does not count
  std::optional<std::size_t> key;      // index in Policy::keys(), once the signature verified
  std::optional<Statement> statement;  // once parsed, with the right subject
};

void Reject(Examined& item, Error error) {
  item.report.code = error.code;
  item.report.stage = error.stage;
  item.error = std::move(error);
}

std::optional<std::size_t> SignerOf(const SignedPayload& payload, const Policy& policy) {
  const ByteBuffer message = PreAuthEncoding(payload.payload_type, payload.payload);
  // Every key is tried: a key id is a hint and changes no verdict.
  for (std::size_t i = 0; i < policy.keys().size(); ++i) {
    if (crypto::VerifyEd25519(message, payload.signature, policy.keys()[i].key.bytes())) return i;
  }
  return std::nullopt;
}

bool NamesKey(const std::string& key_id, const Policy& policy) {
  return std::any_of(policy.keys().begin(), policy.keys().end(), [&](const TrustedKey& key) { return key.key.KeyId() == key_id; });
}

void Describe(const Statement& statement, SignatureReport& report) {
  report.role = statement.role;
  report.issued_at = SerializeTimestamp(statement.issued_at);
  if (statement.not_after) report.not_after = SerializeTimestamp(*statement.not_after);
}

// Signature over raw bytes, then the statement, then its subject: all that needs no manifest [S-FIRST].
Examined Examine(const container::EnvelopeItem& item, const Digest& manifest_digest, const Policy& policy, const Limits& limits) {
  Examined out;
  auto payload = ParseDsse(item.bytes, limits);
  if (!payload.ok()) return Reject(out, payload.error()), out;
  out.report.key_id = payload.value().key_id;
  if (payload.value().payload_type != kPayloadType) {
    return Reject(out, {Stage::kUntrusted, "foreign_payload_type", "the signed payload is no in-toto statement"}), out;
  }
  out.key = SignerOf(payload.value(), policy);
  if (!out.key) {
    if (NamesKey(out.report.key_id, policy)) {
      return Reject(out, {Stage::kBadSignature, "bad_signature", "a signature by a trusted key does not verify"}), out;
    }
    return Reject(out, {Stage::kUntrusted, "unknown_key", "the signature is by a key that is not trusted"}), out;
  }
  auto statement = ParseStatement(payload.value().payload, limits);
  if (!statement.ok()) return Reject(out, statement.error()), out;
  Describe(statement.value(), out.report);
  if (statement.value().subject_digest != manifest_digest) {
    return Reject(out, {Stage::kDigestMismatch, "wrong_subject", "a statement is about another manifest"}), out;
  }
  out.statement = std::move(statement).value();
  return out;
}

std::vector<Examined> ExamineAll(const container::Envelope& envelope, const Digest& manifest_digest, const Policy& policy, const Limits& limits) {
  std::vector<Examined> items;
  for (const container::EnvelopeItem& item : envelope.items) {
    if (item.kind == static_cast<std::uint16_t>(container::ItemKind::kStatement)) {
      items.push_back(Examine(item, manifest_digest, policy, limits));
      continue;
    }
    Examined other;  // listed, worth nothing
    Reject(other, {Stage::kUntrusted, "not_a_statement", "an item of the envelope is no statement that this version reads"});
    items.push_back(std::move(other));
  }
  return items;
}

bool Holds(const TrustedKey& key, const std::string& role) { return std::find(key.roles.begin(), key.roles.end(), role) != key.roles.end(); }

bool ValidAt(const TrustedKey& key, std::int64_t time) {
  return (!key.not_before || time >= *key.not_before) && (!key.not_after || time <= *key.not_after);
}

// What can be said against a statement once the manifest is known.
Status CheckStatement(const Statement& statement, const TrustedKey& key, const container::Manifest& manifest, std::int64_t now) {
  if (!Agrees(statement, manifest)) {
    return Error{Stage::kUntrusted, "contradicts_manifest", "a statement's name, version, sequence or file id is not the manifest's"};
  }
  if (!Holds(key, statement.role)) return Error{Stage::kUntrusted, "wrong_role", "a trusted key signed in a role that it does not hold"};
  if (statement.issued_at > now + kClockSkew) return Error{Stage::kUntrusted, "issued_in_future", "a statement was issued in the future"};
  if (statement.not_after && *statement.not_after < now) return Error{Stage::kUntrusted, "expired", "a statement has expired"};
  // Issued-at is self-asserted, so a leaked key could be dated back: the time of verification counts too.
  if (!ValidAt(key, now) || !ValidAt(key, statement.issued_at)) {
    return Error{Stage::kUntrusted, "key_not_valid", "a key is outside the time in which the policy trusts it"};
  }
  return {};
}

void DropUnsupported(std::vector<Examined>& items, std::vector<std::size_t>& counting, std::vector<Vote>& votes) {
  const std::vector<bool> kept = KeepSupported(votes);
  std::vector<std::size_t> remaining;
  std::vector<Vote> remaining_votes;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (kept[i]) {
      remaining.push_back(counting[i]);
      remaining_votes.push_back(std::move(votes[i]));
    } else {
      Reject(items[counting[i]], {Stage::kUntrusted, "required_role_missing", "a statement requires a role that nobody fills"});
    }
  }
  counting = std::move(remaining);
  votes = std::move(remaining_votes);
}

// Votes of the statements that count; the others learn why they do not.
std::vector<Vote> CountVotes(std::vector<Examined>& items, const Policy& policy, const container::Manifest& manifest, std::int64_t now) {
  std::vector<std::size_t> counting;
  std::vector<Vote> votes;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Examined& item = items[i];
    if (!item.statement) continue;
    if (Status status = CheckStatement(*item.statement, policy.keys()[*item.key], manifest, now); !status.ok()) {
      Reject(item, status.error());
      continue;
    }
    counting.push_back(i);
    votes.push_back({*item.key, item.statement->role, item.statement->requires_roles});
  }
  DropUnsupported(items, counting, votes);
  for (const std::size_t i : counting) {
    items[i].report.counted = true;
    items[i].report.code = "counted";
  }
  return votes;
}

// The worst word of the items answers when the policy is not satisfied [S-WORST].
std::optional<Error> WorstOf(const std::vector<Examined>& items) {
  constexpr std::array<Stage, 6> kOrder = {Stage::kBadSignature, Stage::kDigestMismatch, Stage::kMalformed,
                                           Stage::kUnsupported,  Stage::kLimit,          Stage::kUntrusted};
  for (const Stage stage : kOrder) {
    for (const Examined& item : items) {
      if (!item.report.counted && item.report.stage == stage) return item.error;
    }
  }
  return std::nullopt;
}

std::vector<SignatureReport> ReportsOf(const std::vector<Examined>& items) {
  std::vector<SignatureReport> reports;
  for (const Examined& item : items) reports.push_back(item.report);
  return reports;
}

Result<const Rule*> RuleFor(const Policy& policy, const container::Manifest& manifest) {
  for (const Rule& rule : policy.rules()) {
    if (GlobMatches(rule.models, manifest.name)) return &rule;
  }
  return Error{Stage::kUntrusted, "no_rule", "no rule of the policy is about a model of this name", kNoOffset, manifest.name};
}

Status CheckRule(const Rule& rule, const std::vector<Examined>& items, const std::vector<std::string>& missing, const container::Manifest& manifest) {
  if (!missing.empty()) {
    if (auto worst = WorstOf(items)) return *worst;
    return Error{Stage::kUntrusted, "missing_role", "the policy wants more signatures in this role", kNoOffset, missing.front()};
  }
  if (rule.minimum_sequence && manifest.sequence < *rule.minimum_sequence) {
    return Error{Stage::kUntrusted, "sequence_too_low", "the policy wants a newer release", kNoOffset, manifest.name};
  }
  return {};
}

Status CheckExpectation(const Expectation& expectation, const container::Manifest& manifest) {
  const bool name_differs = expectation.name() && *expectation.name() != manifest.name;
  const bool version_differs = expectation.version() && *expectation.version() != manifest.version;
  if (!name_differs && !version_differs) return {};
  return Error{Stage::kUntrusted, "unexpected_model", "this is a validly signed model, but not the one that was asked for", kNoOffset,
               manifest.name + "@" + manifest.version};
}

}  // namespace

Result<TrustedManifest> Authenticate(OpenedContainer opened, const Policy& policy, const Expectation& expectation, std::int64_t now,
                                     const Limits& limits, AuthenticationTrace* trace) {
  AuthenticationTrace unused;
  AuthenticationTrace& told = trace == nullptr ? unused : *trace;
  if (!opened.envelope) return Error{Stage::kUntrusted, "not_signed", "nobody has signed this container"};
  std::vector<Examined> items = ExamineAll(*opened.envelope, opened.manifest_digest, policy, limits);
  told.signatures = ReportsOf(items);
  const bool vouched = std::any_of(items.begin(), items.end(), [](const Examined& item) { return item.statement.has_value(); });
  if (!vouched) {  // so the manifest stays unparsed [S-BEFORE]
    return WorstOf(items).value_or(Error{Stage::kUntrusted, "not_signed", "nobody has signed this container"});
  }
  SAFEMODEL_ASSIGN(container::Manifest manifest, container::ParseManifest(opened.manifest_bytes, opened.preamble, limits));
  told.manifest = manifest;
  const std::vector<Vote> votes = CountVotes(items, policy, manifest, now);
  told.signatures = ReportsOf(items);
  SAFEMODEL_ASSIGN(const Rule* rule, RuleFor(policy, manifest));
  told.rule = rule->models;
  told.missing_roles = MissingRoles(*rule, votes);
  SAFEMODEL_TRY(CheckRule(*rule, items, told.missing_roles, manifest));
  SAFEMODEL_TRY(CheckExpectation(expectation, manifest));
  return TrustedManifestMaker::Make(std::move(manifest), opened, told.signatures, *rule);
}

Result<TrustedManifest> SkipAuthentication(OpenedContainer opened, InsecureSkipVerification, const Limits& limits) {
  SAFEMODEL_ASSIGN(container::Manifest manifest, container::ParseManifest(opened.manifest_bytes, opened.preamble, limits));
  return TrustedManifestMaker::Make(std::move(manifest), opened, {}, std::nullopt);
}

}  // namespace safemodel::trust
