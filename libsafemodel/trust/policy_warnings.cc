// SPDX-License-Identifier: Apache-2.0
// What a policy may say but hardly means.
#include <algorithm>
#include <set>

#include "trust/decision.h"
#include "trust/glob.h"

namespace safemodel {
namespace {

// VotesOf are those of the keys that can sign now, each in every role that it holds.
std::vector<trust::Vote> VotesOf(const Policy& policy, std::int64_t now) {
  std::vector<trust::Vote> votes;
  for (std::size_t i = 0; i < policy.keys().size(); ++i) {
    const TrustedKey& key = policy.keys()[i];
    if (!policy.CanSign(key, now)) continue;
    for (const std::string& role : key.roles) votes.push_back({i, role, {}});
  }
  return votes;
}

// UnfillableRoles are the roles of a rule that the votes leave open, each of them filling one place.
std::set<std::string> UnfillableRoles(const Rule& rule, const std::vector<trust::Vote>& votes) {
  const std::vector<std::string> missing = trust::MissingRoles(rule, votes);
  return {missing.begin(), missing.end()};
}

}  // namespace

std::vector<PolicyWarning> Policy::Warnings(std::int64_t now) const {
  std::vector<PolicyWarning> warnings;
  const std::vector<Rule>& all = rules();
  const std::vector<trust::Vote> votes = VotesOf(*this, now);
  for (std::size_t later = 0; later < all.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      const auto pair = [&] { return all[later].models + " behind " + all[earlier].models; };
      if (trust::GlobCovers(all[earlier].models, all[later].models)) {
        warnings.push_back(
            {"shadowed_rule", "a rule never decides: one in front of it matches all its models", pair()});
      } else if (later + 1 < all.size() && trust::GlobsMeet(all[earlier].models, all[later].models)) {
        warnings.push_back({"overlapping_rules", "some models of a rule are decided by one in front of it", pair()});
      }
    }
    if (all[later].mode != Rule::Mode::kStrict)
      warnings.push_back(
          {"mode_not_strict", "code that asks for it may load models that the rule refuses", all[later].models});
    for (const std::string& role : UnfillableRoles(all[later], votes))
      warnings.push_back({"unfillable_role", "too few keys can still sign in a role that a rule asks for",
                          role + " for " + all[later].models});
  }
  for (const TrustedKey& key : keys()) {
    if (key.not_after.has_value() && *key.not_after < now)
      warnings.push_back({"key_has_ended", "a key is no longer valid: nothing that it signs counts", key.name});
  }
  const bool asked = std::any_of(all.begin(), all.end(), [](const Rule& rule) { return rule.logged.has_value(); });
  if (!parts().logs.empty() && !asked)
    warnings.push_back(
        {"idle_log", "a log is listed, but no rule wants signatures to be logged", parts().logs.front().origin});
  if (!parts().witnesses.empty() && parts().witness_threshold == 0)
    warnings.push_back(
        {"idle_witness", "witnesses are listed, but witness_threshold asks for none", parts().witnesses.front().name});
  for (const RevokedKey& revoked : parts().revoked) {
    if (revoked.except_before.empty() && revoked.except_statements.empty()) continue;
    const bool known =
        std::any_of(keys().begin(), keys().end(), [&](const TrustedKey& k) { return k.key == revoked.key; });
    if (!known)
      warnings.push_back({"exception_without_key", "a revoked key has exceptions, but is not among the keys any more",
                          revoked.key.KeyId()});
  }
  return warnings;
}

}  // namespace safemodel
