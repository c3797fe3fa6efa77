// SPDX-License-Identifier: Apache-2.0
#include <safemodel/policy.h>

#include <algorithm>
#include <set>

#include "base/try.h"
#include "trust/statement.h"

namespace safemodel {
namespace {

Error BadPolicy(const char* code, const char* text, std::string subject = {}) {
  return {Stage::kConfig, code, text, kNoOffset, std::move(subject)};
}

Status CheckKeys(const std::vector<TrustedKey>& keys) {
  if (keys.empty()) return BadPolicy("no_keys", "a policy needs at least one key");
  std::set<PublicKey> seen;
  for (const TrustedKey& key : keys) {
    // The same key twice would look like two signers.
    if (!seen.insert(key.key).second) return BadPolicy("duplicate_key", "a key stands twice in the policy", key.key.KeyId());
    if (key.roles.empty()) return BadPolicy("no_roles", "a key without roles can sign nothing", key.key.KeyId());
    std::set<std::string> roles;
    for (const std::string& role : key.roles) {
      if (!trust::IsRole(role)) return BadPolicy("bad_role", "a role is 1 to 64 of a-z, 0-9, '-', '_' and '.'", role);
      if (!roles.insert(role).second) return BadPolicy("duplicate_role", "a key lists a role twice", role);
    }
    if (key.not_before && key.not_after && *key.not_after < *key.not_before) {
      return BadPolicy("empty_validity", "a key ends before it begins", key.key.KeyId());
    }
  }
  return {};
}

std::uint32_t Holders(const std::vector<TrustedKey>& keys, const std::string& role) {
  const auto holds = [&](const TrustedKey& key) { return std::find(key.roles.begin(), key.roles.end(), role) != key.roles.end(); };
  return static_cast<std::uint32_t>(std::count_if(keys.begin(), keys.end(), holds));
}

Status CheckThresholds(const Rule& rule, const std::vector<TrustedKey>& keys) {
  if (rule.required.empty()) return BadPolicy("no_requirement", "a rule must require a role", rule.models);
  std::set<std::string> roles;
  for (const RoleThreshold& required : rule.required) {
    if (!trust::IsRole(required.role)) return BadPolicy("bad_role", "a role is 1 to 64 of a-z, 0-9, '-', '_' and '.'", required.role);
    if (!roles.insert(required.role).second) return BadPolicy("duplicate_role", "a rule lists a role twice", required.role);
    if (required.count == 0) return BadPolicy("zero_threshold", "a threshold of 0 asks for nothing", required.role);
    if (required.count > Holders(keys, required.role)) {
      return BadPolicy("unreachable_threshold", "fewer keys hold this role than the rule asks for", required.role);
    }
  }
  return {};
}

Status CheckRules(const std::vector<Rule>& rules, const std::vector<TrustedKey>& keys) {
  if (rules.empty()) return BadPolicy("no_rules", "a policy needs at least one rule");
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Rule& rule = rules[i];
    if (rule.models.empty()) return BadPolicy("empty_glob", "a rule must say which models it is about");
    SAFEMODEL_TRY(CheckThresholds(rule, keys));
    const bool last = i + 1 == rules.size();
    if (rule.models == "**" && !last) return BadPolicy("unreachable_rule", "rules behind ** are never reached", rules[i + 1].models);
    // What happens to all other models must be written down, not guessed.
    if (last && rules.size() > 1 && rule.models != "**") return BadPolicy("no_last_rule", "the last of several rules must be for **", rule.models);
    if (rule.minimum_sequence && *rule.minimum_sequence >= std::uint64_t{1} << 53) {
      return BadPolicy("sequence_too_large", "a sequence is at most 2^53-1", rule.models);
    }
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
  for (PublicKey& key : keys) trusted.push_back({key, {"builder"}});
  Rule rule;
  rule.models = "**";
  rule.required = {{"builder", 1}};
  return Create(std::move(trusted), {std::move(rule)});
}

Expectation Expectation::Model(std::string name, std::optional<std::string> version) {
  Expectation expectation;
  expectation.name_ = std::move(name);
  expectation.version_ = std::move(version);
  return expectation;
}

Expectation Expectation::Any() { return {}; }

}  // namespace safemodel
