// SPDX-License-Identifier: Apache-2.0
// OpenSigner: signing with the keys that people already have, wherever the private half lives.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <safemodel/keys.h>
#include <safemodel/result.h>

namespace safemodel {

struct OpenSignerOptions {
  PassphraseSource passphrase = {};  // asked when a minisign key is protected
  // The key that has to sign. Needed for exec:, where nothing else says it; for the others it must be the right one.
  std::optional<PublicKey> public_key = {};
  std::chrono::seconds timeout{120};  // for each answer of an agent or a program: somebody may have to touch a token
};

// OpenSigner returns the signer that `spec` names:
//
//   PATH              a secret key file, see SecretKey::FromFile
//   -                 such a file on standard input
//   fd:N              such a file on the open descriptor N, which is closed
//   env:VAR           its text in an environment variable, which is wiped and removed, so that no child inherits it
//   ssh-agent:PUBKEY  the agent at SSH_AUTH_SOCK, which must hold this key (a text or a path); FIDO keys too
//   exec:CMD ARG...   a program that gets the bytes to sign on standard input and prints the signature, 64 bytes or
//                     their base64. There is no shell: the words are split at spaces, and nothing quotes. The program
//                     is a path, or is searched in the absolute folders of PATH. Its environment is ours without
//                     variables that hold secret keys.
//
// A signature of an agent or a program is returned only when it verifies under the public key.
// Errors: kIo (file), kUsage (a secret key as `spec`: it would show in the list of processes), and kKey for the rest.
// Changes the environment for env:, so not to be called beside threads that read it.
Result<std::unique_ptr<Signer>> OpenSigner(const std::string& spec, const OpenSignerOptions& options = {});

// IsSecretKeyText tells whether a text holds a secret key, so that it can be kept out of messages.
bool IsSecretKeyText(std::string_view text);

}  // namespace safemodel
