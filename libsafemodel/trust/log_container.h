// SPDX-License-Identifier: Apache-2.0
// Release statements of a container as a log sees them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <safemodel/log.h>

#include "trust/authenticate.h"
#include "trust/statement.h"

namespace safemodel::trust {

// SignedRelease is a release statement of an envelope, about the manifest beside it.
struct SignedRelease {
  ByteBuffer payload;
  Statement statement;
  std::string key_id;  // of the signer that verified it, else as stated beside it
  std::optional<PublicKey> signer = {};
};

// ReadReleases returns the release statements of a container; with signers, only those that one of them verifies.
// kUntrusted "no_signature" when there are none.
Result<std::vector<SignedRelease>> ReadReleases(const OpenedContainer& opened, const std::vector<PublicKey>& signers,
                                                const Limits& limits);

// LogLastStatement adds an entry for the last item of an envelope, a new statement by `signer`, and the proof behind
// it.
Result<LoggedStatement> LogLastStatement(container::Envelope& envelope, const PublicKey& signer, const LogOwner& owner,
                                         const Limits& limits);

}  // namespace safemodel::trust
