// SPDX-License-Identifier: Apache-2.0
// The decision of a rule over statements that count. Knows nothing of bytes or signatures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <safemodel/policy.h>

namespace safemodel::trust {

// Vote is a statement that counts: who made it, in which role, and what it requires.
struct Vote {
  std::size_t key = 0;  // index in Policy::keys()
  std::string role;
  std::vector<std::string> requires_roles;
};

// KeepSupported returns which votes remain when each one whose required roles nobody fills is dropped, until none is: the
// greatest fixpoint [S-REQUIRES], so that two statements may require each other.
std::vector<bool> KeepSupported(const std::vector<Vote>& votes);

// MissingRoles returns the roles that distinct keys cannot fill, empty when the rule is satisfied [S-THRESHOLD]. A key fills one place
// only unless the rule lets roles overlap; the places are matched, so that the order of the votes does not matter.
std::vector<std::string> MissingRoles(const Rule& rule, const std::vector<Vote>& votes);

}  // namespace safemodel::trust
