// SPDX-License-Identifier: Apache-2.0
// Revoked keys. Spec: section 11.5.
#pragma once

#include "trust/candidate.h"

namespace safemodel::trust {

// IsRevoked says whether the policy voids a verified signature of `key` over a payload. Times do not matter: they are
// the signer's own word, and whoever stole the key can back-date. What counts is a list of statements, or a proof in
// the envelope that a log had the statement in the tree of a checkpoint that the policy names; only for that is the
// payload parsed; [P-REVOKED].
bool IsRevoked(const PublicKey& key, ByteView payload, const Examined& examined);

}  // namespace safemodel::trust
