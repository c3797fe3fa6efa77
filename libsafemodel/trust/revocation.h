// SPDX-License-Identifier: Apache-2.0
// Revoked keys. Spec: section 11.5.
#pragma once

#include <optional>

#include <safemodel/policy.h>

#include "container/format.h"

namespace safemodel::trust {

// LoggedBefore says whether the proof items of an envelope show that a log of the policy had the statement with this
// payload digest in the tree of the checkpoint. The one place that asks the log: its items are of kind 3, which this
// version lists and does not read, so it proves nothing and no such exception holds; [P-REVOKED].
bool LoggedBefore(const std::optional<container::Envelope>& envelope, const Policy& policy,
                  const Digest& statement_digest, const Checkpoint& checkpoint);

// IsRevoked says whether the policy voids a signature of `key` over a statement. Times do not matter: they are the
// signer's own word, and whoever stole the key can back-date.
bool IsRevoked(const Policy& policy, const PublicKey& key, const Digest& statement_digest,
               const std::optional<container::Envelope>& envelope);

}  // namespace safemodel::trust
