// SPDX-License-Identifier: Apache-2.0
// Ed25519 (RFC 8032) with the strict profile of the spec, [S-ED25519].
#pragma once

#include <array>
#include <cstdint>

#include <safemodel/bytes.h>

#include "crypto/secret.h"

namespace safemodel::crypto {

using Ed25519PublicKey = std::array<std::uint8_t, 32>;
using Ed25519Signature = std::array<std::uint8_t, 64>;
inline constexpr std::size_t kEd25519SeedBytes = 32;

// VerifyEd25519 holds only when S < L, neither A nor R is of low order or encoded in a non-canonical way, and
// R = S·B − k·A without multiplying by the cofactor: one signature, one verdict, whoever implements it.
[[nodiscard]] bool VerifyEd25519(ByteView message, const Ed25519Signature& signature, const Ed25519PublicKey& key);

// HoldsWithoutCofactor says whether R is, byte for byte, the encoding of S·B − k·A, for a key that IsUsableKey accepts.
// libsodium up to 1.0.20 asks the same; later sources let R differ by a point of low order. It is a part of
// VerifyEd25519, which has compared S with L before: here the highest bit of S is not looked at.
[[nodiscard]] bool HoldsWithoutCofactor(ByteView message, const Ed25519Signature& signature,
                                        const Ed25519PublicKey& key);

// IsUsableKey refuses what no honest generator makes: an encoding that is not canonical or not on the curve, a point of
// low order (under which one signature can hold for many messages) or outside the prime-order subgroup.
[[nodiscard]] bool IsUsableKey(const Ed25519PublicKey& key);

// Ed25519KeyPair is a secret key in libsodium's form: 32 bytes of seed, then the public key.
class Ed25519KeyPair {
 public:
  static Ed25519KeyPair Generate();
  // FromSeed derives the pair of a seed of kEd25519SeedBytes.
  static Ed25519KeyPair FromSeed(ByteView seed);

  [[nodiscard]] const Ed25519PublicKey& public_key() const { return public_key_; }
  [[nodiscard]] const SecretBytes& secret() const { return secret_; }
  [[nodiscard]] Ed25519Signature Sign(ByteView message) const;

 private:
  Ed25519KeyPair();
  SecretBytes secret_;
  Ed25519PublicKey public_key_{};
};

}  // namespace safemodel::crypto
