// SPDX-License-Identifier: Apache-2.0
// X25519 (RFC 7748), and the keys of Ed25519 as keys of X25519.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "crypto/ed25519.h"
#include "crypto/secret.h"

namespace safemodel::crypto {

inline constexpr std::size_t kX25519Bytes = 32;

using X25519Public = std::array<std::uint8_t, kX25519Bytes>;
using X25519Scalar = std::span<const std::uint8_t, kX25519Bytes>;

// X25519Shared returns scalar · point. Nothing for a point of low order: its product would be zero, which everybody
// knows.
[[nodiscard]] std::optional<SecretBytes> X25519Shared(X25519Scalar scalar, ByteView point);
// X25519PublicOf returns scalar · base point.
X25519Public X25519PublicOf(X25519Scalar scalar);

// X25519OfEd25519 converts a public key. Nothing for a key that IsUsableKey refuses.
[[nodiscard]] std::optional<X25519Public> X25519OfEd25519(const Ed25519PublicKey& key);
SecretBytes X25519OfEd25519(const Ed25519KeyPair& pair);

}  // namespace safemodel::crypto
