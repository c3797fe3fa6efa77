// SPDX-License-Identifier: Apache-2.0
#include <safemodel/policy.h>

#include <algorithm>
#include <set>

#include "base/try.h"
#include "trust/decision.h"
#include "trust/statement.h"

namespace safemodel {
namespace {

constexpr std::size_t kPolicyKeys = 4096;  // far above any release process; bounds the work of matching

Error Refuse(const char* code, const char* text, std::string subject = {}) {
  return {Stage::kConfig, code, text, kNoOffset, std::move(subject)};
}

Status CheckKey(const TrustedKey& key) {
  if (key.roles.empty()) return Refuse("no_roles", "a key of the policy has no role", key.key.KeyId());
  std::set<std::string> seen;
  for (const std::string& role : key.roles) {
    if (!trust::IsRole(role)) return Refuse("bad_role", "a role is 1 to 64 letters, digits, '.', '_' or '-'", role);
    if (!seen.insert(role).second) return Refuse("role_twice", "a key of the policy has a role twice", role);
  }
  if (key.not_before.has_value() && key.not_after.has_value() && *key.not_after < *key.not_before) {
    return Refuse("times_reversed", "a key of the policy ends before it begins", key.key.KeyId());
  }
  return {};
}

Status CheckKeys(const std::vector<TrustedKey>& keys) {
  if (keys.empty()) return Refuse("no_keys", "the policy has no keys; nothing could ever satisfy it");
  if (keys.size() > kPolicyKeys) return Refuse("many_keys", "the policy has more than 4096 keys");
  std::set<PublicKey> seen;
  for (const TrustedKey& key : keys) {
    SAFEMODEL_TRY(CheckKey(key));
    // The 32 bytes are compared: a threshold of two must not be met by one key in two files.
    if (!seen.insert(key.key).second) return Refuse("key_twice", "the policy has a key twice", key.key.KeyId());
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

Status CheckRules(const std::vector<Rule>& rules, const std::vector<TrustedKey>& keys) {
  if (rules.empty()) return Refuse("no_rules", "the policy has no rules");
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
  }
  return {};
}

}  // namespace

Result<Policy> Policy::Create(std::vector<TrustedKey> keys, std::vector<Rule> rules) {
  SAFEMODEL_TRY(CheckKeys(keys));
  SAFEMODEL_TRY(CheckRules(rules, keys));
  Policy policy;
  policy.keys_ = std::move(keys);
  policy.rules_ = std::move(rules);
  return policy;
}

Result<Policy> Policy::AnyOf(std::vector<PublicKey> keys) {
  std::vector<TrustedKey> trusted;
  for (PublicKey& key : keys) trusted.push_back({std::move(key), {"builder"}, {}, {}});
  return Create(std::move(trusted), {Rule{"**", {{"builder", 1}}}});
}

Expectation Expectation::Model(std::string name, std::optional<std::string> version) {
  Expectation expectation;
  expectation.name_ = std::move(name);
  expectation.version_ = std::move(version);
  return expectation;
}

Expectation Expectation::Any() { return {}; }

}  // namespace safemodel
