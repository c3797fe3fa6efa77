// SPDX-License-Identifier: Apache-2.0
// Signing by another program: for key management services and hardware modules.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <safemodel/keys.h>

namespace safemodel::crypto {

// OpenExecSigner finds the program of a command, whose words are split at spaces. Nothing runs before something is to
// be signed. Errors, all kKey: "program_missing", and when signing "program_failed", "program_timeout",
// "program_output" (not 64 bytes and not their base64), "wrong_signature".
Result<std::unique_ptr<Signer>> OpenExecSigner(const std::string& command, PublicKey key, std::chrono::seconds timeout);

}  // namespace safemodel::crypto
