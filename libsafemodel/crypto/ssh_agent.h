// SPDX-License-Identifier: Apache-2.0
// Keys that an ssh-agent holds (draft-miller-ssh-agent): files, hardware tokens, agents forwarded from elsewhere.
#pragma once

#include <chrono>
#include <memory>

#include <safemodel/keys.h>

namespace safemodel::crypto {

// OpenAgentSigner asks the agent at SSH_AUTH_SOCK whether it holds the key. Each request has its own connection.
// Errors, all kKey: "no_agent", "agent_lacks_key", "agent_refused", "agent_closed", "agent_timeout", "agent_reply".
Result<std::unique_ptr<Signer>> OpenAgentSigner(PublicKey key, std::chrono::seconds timeout);

}  // namespace safemodel::crypto
