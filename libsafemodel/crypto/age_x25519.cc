// SPDX-License-Identifier: Apache-2.0
#include "base/try.h"
#include "crypto/age_stanza.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"

namespace safemodel::crypto::age {
namespace {

constexpr std::string_view kLabel = "age-encryption.org/v1/X25519";

}  // namespace

Status CheckX25519Stanza(const Stanza& stanza) {
  SAFEMODEL_TRY(CheckForm(stanza, 1));
  SAFEMODEL_TRY(BytesOf<kX25519Bytes>(stanza.arguments[0]));
  return {};
}

Result<Stanza> WrapFileKey(const X25519Recipient& recipient, ByteView file_key) {
  const X25519Identity ephemeral = GenerateIdentity();
  const auto shared = X25519Shared(X25519Scalar(ephemeral.secret.bytes()), recipient.key);
  if (!shared.has_value()) return Error{Stage::kKey, "unusable_key", "this recipient's key is of low order"};
  const SecretBytes key = WrapKeyOf(kLabel, *shared, ephemeral.public_key, recipient.key);
  return Stanza{std::string(kX25519Type), {EncodeUnpaddedBase64(ephemeral.public_key)}, SealFileKey(key, file_key)};
}

Result<std::optional<SecretBytes>> UnwrapFileKey(const X25519Identity& identity, const Stanza& stanza) {
  if (stanza.type != kX25519Type) return std::optional<SecretBytes>();
  SAFEMODEL_ASSIGN(const auto share, BytesOf<kX25519Bytes>(stanza.arguments[0]));
  const auto shared = X25519Shared(X25519Scalar(identity.secret.bytes()), share);
  if (!shared.has_value()) return BadHeader("the share of an X25519 stanza is of low order");
  return OpenFileKey(WrapKeyOf(kLabel, *shared, share, identity.public_key), stanza.body);
}

X25519Identity GenerateIdentity() {
  SecretBytes secret(kX25519Bytes);
  RandomBytes(secret.bytes());
  const X25519Public public_key = X25519PublicOf(X25519Scalar(secret.bytes()));
  return {std::move(secret), public_key};
}

}  // namespace safemodel::crypto::age
