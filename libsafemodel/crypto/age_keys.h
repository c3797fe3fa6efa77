// SPDX-License-Identifier: Apache-2.0
// Whom an age file is for (recipients) and who can open it (identities), in age's and OpenSSH's texts.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <safemodel/keys.h>

#include "crypto/x25519.h"

namespace safemodel::crypto::age {

inline constexpr unsigned kWrittenWorkFactor = 18;  // 256 MiB and about a second for each guess, as age writes
inline constexpr unsigned kMostWorkFactor = 20;     // 1 GiB; above it a wrap is refused (kLimit)
inline constexpr std::size_t kMostKeys = 64;        // in one file of recipients or identities
inline constexpr std::uint64_t kKeysFileBytes = 256u << 10;

// X25519Recipient is age1…
struct X25519Recipient {
  X25519Public key{};
};

// SshRecipient is an ssh-ed25519 line.
struct SshRecipient {
  Ed25519PublicKey key{};
};

// PassphraseRecipient stands alone in its file, as age demands: who knows the passphrase could otherwise not tell that
// the file was not made by somebody with any other key.
struct PassphraseRecipient {
  Passphrase passphrase;
  unsigned work_factor = kWrittenWorkFactor;  // scrypt's N is 2 to this; 1 to kWrittenWorkFactor
};

// ProgramRecipient is one that only the installed `age` knows: age1NAME1…, for a plugin or a hybrid key.
struct ProgramRecipient {
  std::string text;
};

using Recipient = std::variant<X25519Recipient, SshRecipient, PassphraseRecipient, ProgramRecipient>;

// X25519Identity is AGE-SECRET-KEY-1…
struct X25519Identity {
  SecretBytes secret;
  X25519Public public_key{};
};

// SshIdentity is an unencrypted OpenSSH private key file, converted.
struct SshIdentity {
  SecretBytes secret;  // of X25519
  Ed25519PublicKey public_key{};
};

// PassphraseIdentity is asked once for each file that a passphrase protects, and for no other.
struct PassphraseIdentity {
  PassphraseSource ask;
};

// ProgramIdentity is one that only the installed `age` knows: AGE-PLUGIN-NAME-1… or AGE-SECRET-KEY-PQ-1…
struct ProgramIdentity {
  SecretBytes text;
};

using Identity = std::variant<X25519Identity, SshIdentity, PassphraseIdentity, ProgramIdentity>;

// ParseRecipient reads one recipient. kKey: "bad_recipient" for what is no recipient, "unusable_key" for a key of low
// order, "bad_plugin_name" for a plugin that is not named in letters, digits and "+-._".
Result<Recipient> ParseRecipient(std::string_view text);
// ParseRecipients reads a recipients file: one a line; empty lines and lines that start with "#" do not count.
// Errors: those of ParseRecipient; kLimit "too_many_keys".
Result<std::vector<Recipient>> ParseRecipients(std::string_view text);

// ParseIdentity reads one line of an identity file. kKey: "bad_identity", "bad_plugin_name".
Result<Identity> ParseIdentity(std::string_view text);
// ParseIdentities reads an identity file of age (several keys, comments) or an unencrypted OpenSSH private key. The
// caller owns the text, and keeps it in guarded memory. Errors: kKey, kLimit "too_many_keys".
Result<std::vector<Identity>> ParseIdentities(std::string_view text);

// The same from files, with kIo of File::Open and ReadAt, and kLimit "keys_file" over kKeysFileBytes. Errors name the
// path.
Result<std::vector<Recipient>> ReadRecipients(const std::string& path);
Result<std::vector<Identity>> ReadIdentities(const std::string& path);

X25519Identity GenerateIdentity();
// SerializeIdentity returns AGE-SECRET-KEY-1…, SerializeRecipient age1…
SecretBytes SerializeIdentity(const X25519Identity& identity);
std::string SerializeRecipient(const X25519Recipient& recipient);
// SerializeRecipient returns a line as in a .pub file of OpenSSH, without a comment.
std::string SerializeRecipient(const SshRecipient& recipient);

}  // namespace safemodel::crypto::age
