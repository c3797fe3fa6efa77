// SPDX-License-Identifier: Apache-2.0
// Policy files. Input: the text of one. What is accepted can be satisfied and keeps what a policy promises, whatever
// the text; a refusal is trouble with the configuration.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>

#include <safemodel/policy.h>

#include "fuzz/property.h"
#include "trust/decision.h"
#include "trust/glob.h"
#include "trust/policy_text.h"
#include "trust/statement.h"

namespace {

using safemodel::Policy;
using safemodel::Rule;
using safemodel::TrustedKey;

void CheckKeys(const Policy& policy) {
  std::set<safemodel::PublicKey> keys;
  SAFEMODEL_PROPERTY(!policy.keys().empty() && policy.keys().size() <= safemodel::trust::kMostPolicyEntries);
  for (const TrustedKey& key : policy.keys()) {
    SAFEMODEL_PROPERTY(keys.insert(key.key).second);
    SAFEMODEL_PROPERTY(!key.roles.empty() || !key.attests.empty());
    SAFEMODEL_PROPERTY(std::all_of(key.roles.begin(), key.roles.end(), safemodel::trust::IsRole));
  }
}

// All keys together satisfy each rule; none accepts without a signature.
void CheckRule(const Policy& policy, const Rule& rule, bool last) {
  std::vector<safemodel::trust::Vote> votes;
  for (std::size_t i = 0; i < policy.keys().size(); ++i) {
    for (const std::string& role : policy.keys()[i].roles) votes.push_back({i, role, {}});
  }
  SAFEMODEL_PROPERTY(safemodel::trust::MissingRoles(rule, votes).empty());
  SAFEMODEL_PROPERTY(!safemodel::trust::MissingRoles(rule, {}).empty());
  SAFEMODEL_PROPERTY(!last || rule.mode != Rule::Mode::kOff);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto policy = Policy::FromToml({reinterpret_cast<const char*>(data), size});
  if (!policy.ok()) {
    SAFEMODEL_PROPERTY(policy.error().stage == safemodel::Stage::kConfig);
    return 0;
  }
  CheckKeys(policy.value());
  const auto& rules = policy.value().rules();
  for (const Rule& rule : rules) CheckRule(policy.value(), rule, &rule == &rules.back());
  for (const auto& warning : policy.value().Warnings(1800000000))
    SAFEMODEL_PROPERTY(!std::string_view(warning.code).empty());
  const Rule* rule = safemodel::trust::RuleFor(policy.value(), "acme/tiny");
  SAFEMODEL_PROPERTY(rule == nullptr || safemodel::trust::GlobMatches(rule->models, "acme/tiny"));
  // The last rule is for every model, unless it is the only one.
  SAFEMODEL_PROPERTY(rule != nullptr || rules.size() == 1);
  return 0;
}
