// SPDX-License-Identifier: Apache-2.0
#include "trust/revocation.h"

#include <algorithm>

#include "crypto/hash.h"
#include "trust/log_proof.h"
#include "trust/statement.h"

namespace safemodel::trust {

bool IsRevoked(const PublicKey& key, ByteView payload, const Examined& examined) {
  const auto& all = examined.policy.parts().revoked;
  const auto entry =
      std::find_if(all.begin(), all.end(), [&](const RevokedKey& revoked) { return revoked.key == key; });
  if (entry == all.end()) return false;
  const auto& listed = entry->except_statements;
  if (std::find(listed.begin(), listed.end(), crypto::Sha256Of(payload)) != listed.end()) return false;
  if (entry->except_before.empty()) return true;
  const auto statement = ParseStatement(payload, examined.limits, examined.kind);
  if (!statement.ok()) return true;
  const LogEntry expected = EntryOf(payload, statement.value(), key.KeyId());
  return !examined.proofs.LoggedBefore(expected, entry->except_before).ok();
}

}  // namespace safemodel::trust
