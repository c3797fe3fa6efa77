// SPDX-License-Identifier: Apache-2.0
// Which valid statements satisfy a rule. Spec: section 11.3.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/policy.h>

namespace safemodel::trust {

// Vote is one valid statement by a key of the policy, in a role that the key holds.
struct Vote {
  std::size_t key = 0;  // its place among the policy's keys: the same key has one place
  std::string role;
  std::vector<std::string> requires_roles;
};

// KeepSupported says for each vote whether it counts: the largest set of votes each of which finds all roles that it
// requires among the roles of the set (the greatest fixpoint). So votes may require each other, and a vote whose
// companion was removed from the envelope falls, with all that require it; [S-REQUIRES].
std::vector<bool> KeepSupported(const std::vector<Vote>& votes);

// MissingRoles returns the roles that the votes leave open, one entry for each missing key; empty when the rule is
// satisfied. A key fills one role only, unless the rule lets roles overlap: whether a choice exists that fills all is
// decided by a maximum matching of keys and places, so the order of the votes does not matter; [S-THRESHOLD].
std::vector<std::string> MissingRoles(const Rule& rule, const std::vector<Vote>& votes);

// RuleFor returns the first rule whose glob matches, or null.
[[nodiscard]] const Rule* RuleFor(const Policy& policy, std::string_view model_name);

}  // namespace safemodel::trust
