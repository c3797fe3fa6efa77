// SPDX-License-Identifier: Apache-2.0
#include "base/try.h"
#include "crypto/age_stanza.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"
#include "crypto/openssh.h"

namespace safemodel::crypto::age {
namespace {

constexpr std::string_view kLabel = "age-encryption.org/v1/ssh-ed25519";
constexpr std::size_t kTagBytes = 4;

// TagOf lets the holder of many keys find the one to try; it also tells everybody who a recipient is.
std::string TagOf(const Ed25519PublicKey& key) {
  const Digest digest = Sha256Of(SerializeOpenSshBytes({key, {}}));
  return EncodeUnpaddedBase64(ByteView(digest).first(kTagBytes));
}

Error Unusable() { return {Stage::kKey, "unusable_key", "this ssh-ed25519 key is of low order or not canonical"}; }

// Tweaked multiplies by a number that is derived from the OpenSSH key, so that a share for the key's other life as a
// key of X25519 means nothing here.
std::optional<SecretBytes> Tweaked(const SecretBytes& shared, const Ed25519PublicKey& key) {
  const SecretBytes tweak = DeriveKey({}, SerializeOpenSshBytes({key, {}}), kLabel);
  return X25519Shared(X25519Scalar(tweak.bytes()), shared.bytes());
}

}  // namespace

Status CheckSshStanza(const Stanza& stanza) {
  SAFEMODEL_TRY(CheckForm(stanza, 2));
  SAFEMODEL_TRY(BytesOf<kTagBytes>(stanza.arguments[0]));
  SAFEMODEL_TRY(BytesOf<kX25519Bytes>(stanza.arguments[1]));
  return {};
}

Result<Stanza> WrapFileKey(const SshRecipient& recipient, ByteView file_key) {
  const auto point = X25519OfEd25519(recipient.key);
  if (!point.has_value()) return Unusable();
  const X25519Identity ephemeral = GenerateIdentity();
  auto shared = X25519Shared(X25519Scalar(ephemeral.secret.bytes()), *point);
  if (shared.has_value()) shared = Tweaked(*shared, recipient.key);
  if (!shared.has_value()) return Unusable();
  const SecretBytes key = WrapKeyOf(kLabel, *shared, ephemeral.public_key, *point);
  return Stanza{std::string(kSshType),
                {TagOf(recipient.key), EncodeUnpaddedBase64(ephemeral.public_key)},
                SealFileKey(key, file_key)};
}

Result<std::optional<SecretBytes>> UnwrapFileKey(const SshIdentity& identity, const Stanza& stanza) {
  if (stanza.type != kSshType || stanza.arguments[0] != TagOf(identity.public_key)) return std::optional<SecretBytes>();
  SAFEMODEL_ASSIGN(const auto share, BytesOf<kX25519Bytes>(stanza.arguments[1]));
  auto shared = X25519Shared(X25519Scalar(identity.secret.bytes()), share);
  if (shared.has_value()) shared = Tweaked(*shared, identity.public_key);
  if (!shared.has_value()) return BadHeader("the share of an ssh-ed25519 stanza is of low order");
  const X25519Public own = X25519PublicOf(X25519Scalar(identity.secret.bytes()));
  return OpenFileKey(WrapKeyOf(kLabel, *shared, share, own), stanza.body);
}

}  // namespace safemodel::crypto::age
