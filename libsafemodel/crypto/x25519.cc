// SPDX-License-Identifier: Apache-2.0
#include "crypto/x25519.h"

#include <sodium.h>

#include <cstdlib>

#include "crypto/sodium.h"

namespace safemodel::crypto {

static_assert(kX25519Bytes == crypto_scalarmult_BYTES && kX25519Bytes == crypto_scalarmult_SCALARBYTES);
static_assert(kX25519Bytes == crypto_scalarmult_curve25519_BYTES);

std::optional<SecretBytes> X25519Shared(X25519Scalar scalar, ByteView point) {
  if (point.size() != kX25519Bytes) std::abort();  // a bug in the caller
  SecretBytes shared(kX25519Bytes);
  // libsodium refuses the points of low order.
  if (crypto_scalarmult_curve25519(shared.bytes().data(), scalar.data(), point.data()) != 0) return std::nullopt;
  return shared;
}

X25519Public X25519PublicOf(X25519Scalar scalar) {
  PrepareSodium();
  X25519Public point{};
  crypto_scalarmult_curve25519_base(point.data(), scalar.data());
  return point;
}

std::optional<X25519Public> X25519OfEd25519(const Ed25519PublicKey& key) {
  X25519Public point{};
  if (!IsUsableKey(key) || crypto_sign_ed25519_pk_to_curve25519(point.data(), key.data()) != 0) return std::nullopt;
  return point;
}

SecretBytes X25519OfEd25519(const Ed25519KeyPair& pair) {
  SecretBytes scalar(kX25519Bytes);
  crypto_sign_ed25519_sk_to_curve25519(scalar.bytes().data(), pair.secret().bytes().data());
  return scalar;
}

}  // namespace safemodel::crypto
