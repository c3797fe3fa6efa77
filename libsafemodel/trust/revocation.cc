// SPDX-License-Identifier: Apache-2.0
#include "trust/revocation.h"

#include <algorithm>

namespace safemodel::trust {

bool LoggedBefore(const std::optional<container::Envelope>& /*envelope*/, const Policy& /*policy*/,
                  const Digest& /*statement_digest*/, const Checkpoint& /*checkpoint*/) {
  return false;
}

bool IsRevoked(const Policy& policy, const PublicKey& key, const Digest& statement_digest,
               const std::optional<container::Envelope>& envelope) {
  const auto& all = policy.parts().revoked;
  const auto entry =
      std::find_if(all.begin(), all.end(), [&](const RevokedKey& revoked) { return revoked.key == key; });
  if (entry == all.end()) return false;
  const auto& listed = entry->except_statements;
  if (std::find(listed.begin(), listed.end(), statement_digest) != listed.end()) return false;
  return std::none_of(entry->except_before.begin(), entry->except_before.end(), [&](const Checkpoint& checkpoint) {
    return LoggedBefore(envelope, policy, statement_digest, checkpoint);
  });
}

}  // namespace safemodel::trust
