// SPDX-License-Identifier: Apache-2.0
// Releases that are older than what was accepted before. Spec: section 11.6.
#pragma once

#include <safemodel/policy.h>

#include "trust/release.h"

namespace safemodel::trust {

// CheckRollback compares a release with the state file of the policy, if it names one, and changes nothing.
// kUntrusted "rollback", "equivocation", "unsequenced", "clock_behind"; kConfig.
Status CheckRollback(const Policy& policy, const Release& release, const Digest& manifest_digest, std::int64_t now,
                     RollbackReport& report);

// RememberRelease compares again, under the lock of the file, and writes what is new. For what was accepted as a whole:
// a release that is refused later must not keep its predecessor from being used. kUsage "bad_time".
Status RememberRelease(const Policy& policy, const Release& release, const Digest& manifest_digest, std::int64_t now);

}  // namespace safemodel::trust
