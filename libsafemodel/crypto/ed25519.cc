// SPDX-License-Identifier: Apache-2.0
#include "crypto/ed25519.h"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>

#include "crypto/sodium.h"

namespace safemodel::crypto {

static_assert(std::tuple_size_v<Ed25519PublicKey> == crypto_sign_PUBLICKEYBYTES);
static_assert(std::tuple_size_v<Ed25519Signature> == crypto_sign_BYTES);
static_assert(kEd25519SeedBytes == crypto_sign_SEEDBYTES);

// A key that IsUsableKey refuses is no PublicKey; for one of mixed order libsodium's answer has to do.
bool VerifyEd25519(ByteView message, const Ed25519Signature& signature, const Ed25519PublicKey& key) {
  PrepareSodium();
  if (crypto_sign_verify_detached(signature.data(), message.data(), message.size(), key.data()) != 0) return false;
  return !IsUsableKey(key) || HoldsWithoutCofactor(message, signature, key);
}

bool HoldsWithoutCofactor(ByteView message, const Ed25519Signature& signature, const Ed25519PublicKey& key) {
  PrepareSodium();
  const std::uint8_t* r = signature.data();
  const std::uint8_t* s = r + crypto_core_ed25519_BYTES;
  crypto_hash_sha512_state state;
  std::array<std::uint8_t, crypto_hash_sha512_BYTES> hash{};
  crypto_hash_sha512_init(&state);
  crypto_hash_sha512_update(&state, r, crypto_core_ed25519_BYTES);
  crypto_hash_sha512_update(&state, key.data(), key.size());
  crypto_hash_sha512_update(&state, message.data(), message.size());
  crypto_hash_sha512_final(&state, hash.data());
  std::array<std::uint8_t, crypto_core_ed25519_SCALARBYTES> k{};
  crypto_core_ed25519_scalar_reduce(k.data(), hash.data());
  std::array<std::uint8_t, crypto_core_ed25519_BYTES> of_base{};
  std::array<std::uint8_t, crypto_core_ed25519_BYTES> of_key{};
  std::array<std::uint8_t, crypto_core_ed25519_BYTES> expected{};
  return crypto_scalarmult_ed25519_base_noclamp(of_base.data(), s) == 0 &&
         crypto_scalarmult_ed25519_noclamp(of_key.data(), k.data(), key.data()) == 0 &&
         crypto_core_ed25519_sub(expected.data(), of_base.data(), of_key.data()) == 0 &&
         std::equal(expected.begin(), expected.end(), r);
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
