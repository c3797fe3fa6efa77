// SPDX-License-Identifier: Apache-2.0
#include <safemodel/policy.h>

#include <algorithm>
#include <set>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "trust/attestation.h"
#include "trust/decision.h"
#include "trust/policy_text.h"
#include "trust/statement.h"

namespace safemodel {
namespace {

Error Refuse(const char* code, const char* text, std::string subject = {}) {
  return {Stage::kConfig, code, text, kNoOffset, std::move(subject)};
}

// NameOf is what messages call a key.
std::string NameOf(const TrustedKey& key) { return key.name.empty() ? key.key.KeyId() : key.name; }

Status CheckCount(std::size_t count, const char* code, const char* text, const std::string& subject = {}) {
  return count <= trust::kMostPolicyEntries ? Status() : Refuse(code, text, subject);
}

Status CheckAttests(const TrustedKey& key) {
  std::set<std::string> seen;
  for (const std::string& type : key.attests) {
    if (type.empty() || type.size() > trust::kPredicateTypeBytes || trust::IsReleaseType(type))
      return Refuse("bad_predicate_type", "this is no predicate type of an attestation", type);
    if (!seen.insert(type).second) return Refuse("attestation_twice", "a key may make an attestation twice", type);
  }
  return {};
}

Status CheckKey(const TrustedKey& key) {
  if (key.roles.empty() && key.attests.empty())
    return Refuse("no_roles", "a key of the policy has no role and makes no attestations", NameOf(key));
  SAFEMODEL_TRY(CheckAttests(key));
  std::set<std::string> seen;
  for (const std::string& role : key.roles) {
    if (!trust::IsRole(role)) return Refuse("bad_role", "a role is 1 to 64 letters, digits, '.', '_' or '-'", role);
    if (!seen.insert(role).second) return Refuse("role_twice", "a key of the policy has a role twice", role);
  }
  if (key.not_before.has_value() && key.not_after.has_value() && *key.not_after < *key.not_before) {
    return Refuse("times_reversed", "a key of the policy ends before it begins", NameOf(key));
  }
  return {};
}

Status CheckKeys(const std::vector<TrustedKey>& keys) {
  if (keys.empty()) return Refuse("no_keys", "the policy has no keys; nothing could ever satisfy it");
  SAFEMODEL_TRY(CheckCount(keys.size(), "many_keys", "the policy has more than 4096 keys"));
  std::set<PublicKey> seen;
  std::set<std::string> names;
  for (const TrustedKey& key : keys) {
    SAFEMODEL_TRY(CheckKey(key));
    if (!key.name.empty() && !names.insert(key.name).second)
      return Refuse("name_twice", "two keys of the policy have the same name", key.name);
    // The 32 bytes are compared: a threshold of two must not be met by one key in two files.
    if (!seen.insert(key.key).second) return Refuse("key_twice", "the policy has a key twice", NameOf(key));
  }
  return {};
}

bool IsGlobLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-' || c == '/' || c == '*';
}

bool IsCatchAll(const std::string& glob) {
  return glob.size() >= 2 && std::all_of(glob.begin(), glob.end(), [](char c) { return c == '*'; });
}

Status CheckThresholds(const Rule& rule, const std::vector<TrustedKey>& keys) {
  if (rule.required.empty())
    return Refuse("no_required_roles", "a rule asks for no role: it would accept anything", rule.models);
  std::set<std::string> seen;
  for (const RoleThreshold& threshold : rule.required) {
    if (!trust::IsRole(threshold.role))
      return Refuse("bad_role", "a rule asks for a role without a proper name", threshold.role);
    if (!seen.insert(threshold.role).second)
      return Refuse("role_twice", "a rule asks for a role twice", threshold.role);
    if (threshold.count == 0) return Refuse("bad_threshold", "a threshold of zero asks for nothing", threshold.role);
    const auto holders = std::count_if(keys.begin(), keys.end(), [&](const TrustedKey& key) {
      return std::find(key.roles.begin(), key.roles.end(), threshold.role) != key.roles.end();
    });
    if (threshold.count > static_cast<std::uint64_t>(holders)) {
      return Refuse("bad_threshold", "a threshold is above the number of keys that hold the role", threshold.role);
    }
  }
  return {};
}

// CheckSatisfiable refuses a rule that not even all keys together satisfy, because each may fill one role only.
Status CheckSatisfiable(const Rule& rule, const std::vector<TrustedKey>& keys) {
  std::vector<trust::Vote> votes;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (const std::string& role : keys[i].roles) votes.push_back({i, role, {}});
  }
  if (trust::MissingRoles(rule, votes).empty()) return {};
  return Refuse("unsatisfiable", "the keys of the policy are too few to fill the rule's roles, one role for each",
                rule.models);
}

Status CheckAttestations(const Rule& rule, const std::vector<TrustedKey>& keys) {
  std::set<std::string> seen;
  for (const RequiredAttestation& required : rule.attestations) {
    const std::string& type = required.predicate_type;
    if (!seen.insert(type).second) return Refuse("attestation_twice", "a rule asks for an attestation twice", type);
    if (required.maximum_age.has_value() && *required.maximum_age <= 0)
      return Refuse("bad_age", "the greatest age of an attestation is no time at all", type);
    const bool made = std::any_of(keys.begin(), keys.end(), [&](const TrustedKey& key) {
      return std::find(key.attests.begin(), key.attests.end(), type) != key.attests.end();
    });
    if (!made) return Refuse("nobody_attests", "a rule asks for an attestation that no key may make", type);
  }
  return {};
}

Status CheckMode(const Rule& rule, bool last) {
  if (rule.mode != Rule::Mode::kOff) return {};
  if (!last && std::any_of(rule.models.begin(), rule.models.end(), [](char c) { return c != '*' && c != '/'; }))
    return {};
  return Refuse("off_for_all", "mode off is for models that a rule names, never for the last rule or for every model",
                rule.models);
}

Status CheckLogged(const Rule& rule, const std::vector<TrustedLog>& logs) {
  if (!rule.logged.has_value()) return {};
  if (logs.empty())
    return Refuse("no_logs", "a rule wants signatures to be logged, but the policy lists no log", rule.models);
  const std::string& origin = rule.logged->origin;
  const bool listed =
      std::any_of(logs.begin(), logs.end(), [&](const TrustedLog& log) { return log.origin == origin; });
  if (origin.empty() || listed) return {};
  return Refuse("unknown_log", "a rule wants signatures to be in a log that the policy does not list", origin);
}

Status CheckRules(const PolicyParts& parts) {
  const std::vector<Rule>& rules = parts.rules;
  const std::vector<TrustedKey>& keys = parts.keys;
  if (rules.empty()) return Refuse("no_rules", "the policy has no rules");
  SAFEMODEL_TRY(CheckCount(rules.size(), "many_rules", "the policy has more than 4096 rules"));
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Rule& rule = rules[i];
    const bool last = i + 1 == rules.size();
    if (rule.models.empty() || !std::all_of(rule.models.begin(), rule.models.end(), IsGlobLetter)) {
      return Refuse("bad_glob", "a rule's pattern has letters that no model name has", rule.models);
    }
    if (!last && IsCatchAll(rule.models))
      return Refuse("unreachable_rule", "a rule stands behind one that matches every model");
    if (last && rules.size() > 1 && !IsCatchAll(rule.models)) {
      return Refuse("no_last_rule", "the last rule must be for ** and say what holds for all other models",
                    rule.models);
    }
    SAFEMODEL_TRY(CheckThresholds(rule, keys));
    SAFEMODEL_TRY(CheckSatisfiable(rule, keys));
    SAFEMODEL_TRY(CheckAttestations(rule, keys));
    SAFEMODEL_TRY(CheckMode(rule, last));
    SAFEMODEL_TRY(CheckLogged(rule, parts.logs));
  }
  return {};
}

Status CheckRevoked(const std::vector<RevokedKey>& revoked) {
  SAFEMODEL_TRY(CheckCount(revoked.size(), "many_revoked", "the policy has more than 4096 revoked keys"));
  std::set<PublicKey> seen;
  for (const RevokedKey& entry : revoked) {
    SAFEMODEL_TRY(CheckCount(entry.except_before.size() + entry.except_statements.size(), "many_exceptions",
                             "a revoked key has more than 4096 exceptions", entry.key.KeyId()));
    // Two entries with different exceptions would leave open which of them holds.
    if (!seen.insert(entry.key).second)
      return Refuse("revoked_twice", "a key is revoked twice; one entry is enough, with all its exceptions",
                    entry.key.KeyId());
    for (const LogCheckpoint& checkpoint : entry.except_before) {
      if (checkpoint.origin.empty() || checkpoint.size == 0)
        return Refuse("bad_checkpoint", "a checkpoint of a revoked key has no origin or no entries", checkpoint.origin);
    }
  }
  return {};
}

Status CheckLogs(const PolicyParts& parts) {
  SAFEMODEL_TRY(CheckCount(parts.logs.size(), "many_logs", "the policy has more than 4096 logs"));
  SAFEMODEL_TRY(CheckCount(parts.witnesses.size(), "many_witnesses", "the policy has more than 4096 witnesses"));
  std::set<std::string> names;
  std::set<PublicKey> keys;
  for (const TrustedKey& key : parts.keys) keys.insert(key.key);
  for (const TrustedLog& log : parts.logs) {
    if (log.origin.empty() || !names.insert(log.origin).second)
      return Refuse("log_twice", "a log has no origin, or the origin of another log", log.origin);
    // Who can sign a release must not also be the one who says that it was logged in time.
    if (!keys.insert(log.key).second)
      return Refuse("key_twice", "the key of a log has another use in the policy", log.origin);
  }
  names.clear();
  for (const TrustedWitness& witness : parts.witnesses) {
    if (witness.name.empty() || !names.insert(witness.name).second)
      return Refuse("witness_twice", "a witness has no name, or that of another", witness.name);
    if (!keys.insert(witness.key).second)
      return Refuse("key_twice", "the key of a witness has another use in the policy", witness.name);
  }
  if (parts.witness_threshold > parts.witnesses.size())
    return Refuse("bad_threshold", "more witnesses are needed than there are", "witness_threshold");
  return {};
}

}  // namespace

Result<Policy> Policy::Create(PolicyParts parts) {
  return CatchOutOfMemory([&]() -> Result<Policy> {
    SAFEMODEL_TRY(CheckKeys(parts.keys));
    SAFEMODEL_TRY(CheckRules(parts));
    SAFEMODEL_TRY(CheckRevoked(parts.revoked));
    SAFEMODEL_TRY(CheckLogs(parts));
    Policy policy;
    policy.parts_ = std::move(parts);
    return policy;
  });
}

Result<Policy> Policy::Create(std::vector<TrustedKey> keys, std::vector<Rule> rules) {
  PolicyParts parts;
  parts.keys = std::move(keys);
  parts.rules = std::move(rules);
  return Create(std::move(parts));
}

bool Policy::CanSign(const TrustedKey& key, std::int64_t now) const {
  const bool revoked = std::any_of(parts_.revoked.begin(), parts_.revoked.end(),
                                   [&](const RevokedKey& entry) { return entry.key == key.key; });
  return !revoked && now >= key.not_before.value_or(now) && now <= key.not_after.value_or(now);
}

Result<Policy> Policy::AnyOf(std::vector<PublicKey> keys) {
  return CatchOutOfMemory([&]() -> Result<Policy> {
    std::vector<TrustedKey> trusted;
    for (PublicKey& key : keys) trusted.push_back({std::move(key), {"builder"}, {}, {}});
    return Create(std::move(trusted), {Rule{"**", {{"builder", 1}}}});
  });
}

Expectation Expectation::Model(std::string name, std::optional<std::string> version) {
  Expectation expectation;
  expectation.name_ = std::move(name);
  expectation.version_ = std::move(version);
  return expectation;
}

Expectation Expectation::Any() { return {}; }

}  // namespace safemodel
