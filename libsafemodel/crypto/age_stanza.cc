// SPDX-License-Identifier: Apache-2.0
#include "crypto/age_stanza.h"

#include "base/try.h"
#include "crypto/aead.h"
#include "crypto/hkdf.h"

namespace safemodel::crypto::age {

Status CheckForm(const Stanza& stanza, std::size_t arguments) {
  if (stanza.arguments.size() != arguments) return BadHeader("a stanza has too few or too many arguments");
  if (stanza.body.size() != kFileKeyBytes + kAeadTagBytes) return BadHeader("the body of a stanza has not 32 bytes");
  return {};
}

Status CheckStanzas(const std::vector<Stanza>& stanzas) {
  for (const Stanza& stanza : stanzas) {
    if (stanza.type == kX25519Type) SAFEMODEL_TRY(CheckX25519Stanza(stanza));
    if (stanza.type == kSshType) SAFEMODEL_TRY(CheckSshStanza(stanza));
    if (stanza.type != kScryptType) continue;
    if (stanzas.size() != 1) return BadHeader("a passphrase is not alone in its age file");
    SAFEMODEL_TRY(CheckScryptStanza(stanza));
  }
  return {};
}

SecretBytes WrapKeyOf(std::string_view label, const SecretBytes& shared, const X25519Public& share,
                      const X25519Public& recipient) {
  ByteWriter salt;
  salt.Bytes(share);
  salt.Bytes(recipient);
  return DeriveKey(shared.bytes(), salt.view(), label);
}

ByteBuffer SealFileKey(const SecretBytes& key, ByteView file_key) {
  ByteBuffer body(file_key.size() + kAeadTagBytes);
  SealChaCha20Appended(AeadKey(key.bytes()), ChaCha20Nonce{}, file_key, body);
  return body;
}

std::optional<SecretBytes> OpenFileKey(const SecretBytes& key, ByteView body) {
  SecretBytes file_key(kFileKeyBytes);
  if (body.size() != kFileKeyBytes + kAeadTagBytes) return std::nullopt;
  if (!OpenChaCha20Appended(AeadKey(key.bytes()), ChaCha20Nonce{}, body, file_key.bytes())) return std::nullopt;
  return file_key;
}

}  // namespace safemodel::crypto::age
