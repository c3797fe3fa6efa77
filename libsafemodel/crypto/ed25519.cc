// SPDX-License-Identifier: Apache-2.0
#include "crypto/ed25519.h"

#include <sodium.h>

#include <cstdlib>

#include "crypto/sodium.h"

namespace safemodel::crypto {

static_assert(std::tuple_size_v<Ed25519PublicKey> == crypto_sign_PUBLICKEYBYTES);
static_assert(std::tuple_size_v<Ed25519Signature> == crypto_sign_BYTES);
static_assert(kEd25519SeedBytes == crypto_sign_SEEDBYTES);

bool VerifyEd25519(ByteView message, const Ed25519Signature& signature, const Ed25519PublicKey& key) {
  PrepareSodium();
  return crypto_sign_verify_detached(signature.data(), message.data(), message.size(), key.data()) == 0;
}

bool IsUsableKey(const Ed25519PublicKey& key) {
  PrepareSodium();
  return crypto_core_ed25519_is_valid_point(key.data()) == 1;
}

Ed25519KeyPair::Ed25519KeyPair() : secret_(crypto_sign_SECRETKEYBYTES) {}

Ed25519KeyPair Ed25519KeyPair::Generate() {
  Ed25519KeyPair pair;
  crypto_sign_keypair(pair.public_key_.data(), pair.secret_.bytes().data());
  return pair;
}

Ed25519KeyPair Ed25519KeyPair::FromSeed(ByteView seed) {
  if (seed.size() != kEd25519SeedBytes) std::abort();  // a bug in the caller
  Ed25519KeyPair pair;
  crypto_sign_seed_keypair(pair.public_key_.data(), pair.secret_.bytes().data(), seed.data());
  return pair;
}

Ed25519Signature Ed25519KeyPair::Sign(ByteView message) const {
  Ed25519Signature signature{};
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), secret_.bytes().data());
  return signature;
}

}  // namespace safemodel::crypto
