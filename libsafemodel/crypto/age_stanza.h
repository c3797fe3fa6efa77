// SPDX-License-Identifier: Apache-2.0
// The stanzas that we make and open ourselves. Each holds the file key under ChaCha20-Poly1305 with a nonce of zeros
// and a key that is used once:
//
//   X25519 SHARE           HKDF of ephemeral · recipient; salt: share, recipient
//   ssh-ed25519 TAG SHARE  the same of tweak · (ephemeral · converted recipient); the tweak is HKDF of the OpenSSH key
//   scrypt SALT N          scrypt of the passphrase
#pragma once

#include <optional>

#include "crypto/age_format.h"
#include "crypto/age_keys.h"
#include "crypto/base64.h"

namespace safemodel::crypto::age {

inline constexpr std::size_t kFileKeyBytes = 16;

// WrapFileKey seals the file key for a recipient. Errors: kKey "unusable_key"; kUsage "work_factor"; kIo "no_memory".
Result<Stanza> WrapFileKey(const X25519Recipient& recipient, ByteView file_key);
Result<Stanza> WrapFileKey(const SshRecipient& recipient, ByteView file_key);
Result<Stanza> WrapFileKey(const PassphraseRecipient& recipient, ByteView file_key);

// UnwrapFileKey returns the file key, or nothing when the stanza is not for this identity. The stanza passed
// CheckStanzas. Errors end the search: kMalformed "age_header" for a share of low order; kLimit "scrypt_cost"; those of
// asking for a passphrase; kIo "no_memory".
Result<std::optional<SecretBytes>> UnwrapFileKey(const X25519Identity& identity, const Stanza& stanza);
Result<std::optional<SecretBytes>> UnwrapFileKey(const SshIdentity& identity, const Stanza& stanza);
Result<std::optional<SecretBytes>> UnwrapFileKey(const PassphraseIdentity& identity, const Stanza& stanza);

// CheckStanzas checks the shape of the stanzas of the three kinds, whoever they are for, and that a passphrase is
// alone: so a header gets the same answer from everybody. Other kinds are not ours to judge. kMalformed "age_header";
// kLimit "scrypt_cost".
Status CheckStanzas(const std::vector<Stanza>& stanzas);

// What the three kinds share.
inline constexpr std::string_view kX25519Type = "X25519";
inline constexpr std::string_view kSshType = "ssh-ed25519";
inline constexpr std::string_view kScryptType = "scrypt";

Status CheckX25519Stanza(const Stanza& stanza);
Status CheckSshStanza(const Stanza& stanza);
Status CheckScryptStanza(const Stanza& stanza);
// CheckForm wants this many arguments, and the size of a sealed file key: a body of another size could be made to open
// under many keys and so to tell which one was tried.
Status CheckForm(const Stanza& stanza, std::size_t arguments);

// BytesOf decodes an argument of exactly N bytes.
template <std::size_t N>
Result<std::array<std::uint8_t, N>> BytesOf(const std::string& argument) {
  std::array<std::uint8_t, N> bytes{};
  const auto size = DecodeUnpaddedBase64(argument, bytes);
  if (!size.ok() || size.value() != N) return BadHeader("an argument of a stanza has the wrong size or is no base64");
  return bytes;
}

// WrapKeyOf derives the key under which a file key is sealed for a recipient of X25519, bound to both sides.
SecretBytes WrapKeyOf(std::string_view label, const SecretBytes& shared, const X25519Public& share,
                      const X25519Public& recipient);
ByteBuffer SealFileKey(const SecretBytes& key, ByteView file_key);
std::optional<SecretBytes> OpenFileKey(const SecretBytes& key, ByteView body);

}  // namespace safemodel::crypto::age
