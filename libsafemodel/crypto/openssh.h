// SPDX-License-Identifier: Apache-2.0
// OpenSSH's keys (PROTOCOL.key, PROTOCOL.u2f): strings with a big-endian length of four bytes.
//
//   public    "ssh-ed25519" | key 32
//             "sk-ssh-ed25519@openssh.com" | key 32 | application
//   secret    "openssh-key-v1" 00 | cipher "none" | kdf "none" | options "" | u32 1 | public | section
//   section   u32 check, twice | "ssh-ed25519" | key 32 | seed 32, key 32 | comment | 01 02 03 … to 8 bytes
#pragma once

#include <string>
#include <string_view>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "crypto/ed25519.h"

namespace safemodel::crypto {

inline constexpr const char* kOpenSshLabel = "OPENSSH PRIVATE KEY";

struct OpenSshPublicKey {
  Ed25519PublicKey key{};
  std::string application;  // of a key in a FIDO token; empty for a plain key
};

// IsOpenSshLine tells whether a text means to be the line of a public key, of whatever type.
bool IsOpenSshLine(std::string_view text);

// ParseOpenSshPublic reads the line of a .pub file: type, base64 and, if there is one, a comment. Errors: kKey.
Result<OpenSshPublicKey> ParseOpenSshPublic(std::string_view text);
std::string SerializeOpenSshPublic(const OpenSshPublicKey& key, std::string_view comment);

// The bytes in the line, which are also what an agent knows the key by.
Result<OpenSshPublicKey> ParseOpenSshBytes(ByteView bytes);
ByteBuffer SerializeOpenSshBytes(const OpenSshPublicKey& key);

// OpenSshString returns the length and the bytes of a string.
ByteBuffer OpenSshString(ByteView bytes);

// ParseOpenSshSecret reads the decoded block of a private key file. Errors: kKey "encrypted_key" when it has a
// passphrase, "bad_key_file".
Result<Ed25519KeyPair> ParseOpenSshSecret(ByteView bytes);
// SerializeOpenSshSecret leaves the key unprotected.
SecretBytes SerializeOpenSshSecret(const Ed25519KeyPair& pair);

}  // namespace safemodel::crypto
