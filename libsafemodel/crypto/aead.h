// SPDX-License-Identifier: Apache-2.0
// Authenticated encryption with associated data. Nothing here allocates; plain and sealed bytes may be the same memory.
//
// Neither algorithm commits to its key: a ciphertext that opens under two keys is easily made. Whoever chooses among
// keys compares a commitment to the key first.
#pragma once

#include <array>
#include <span>

#include <safemodel/bytes.h>

namespace safemodel::crypto {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadTagBytes = 16;

using AeadKey = std::span<const std::uint8_t, kAeadKeyBytes>;
using XChaCha20Nonce = std::array<std::uint8_t, 24>;
using ChaCha20Nonce = std::array<std::uint8_t, 12>;

// SealXChaCha20Appended encrypts with XChaCha20-Poly1305-IETF and puts the tag behind the ciphertext: `sealed` is
// kAeadTagBytes longer than `plain`. A nonce serves once for each key.
void SealXChaCha20Appended(AeadKey key, const XChaCha20Nonce& nonce, ByteView associated, ByteView plain,
                           MutableBytes sealed);
// OpenXChaCha20Appended is false, with `plain` all zeros, when key, nonce, associated data, bytes or tag are not those
// that were sealed.
[[nodiscard]] bool OpenXChaCha20Appended(AeadKey key, const XChaCha20Nonce& nonce, ByteView associated, ByteView sealed,
                                         MutableBytes plain);

// ChaCha20-Poly1305 (RFC 8439) without associated data, the tag appended: what age uses.
void SealChaCha20Appended(AeadKey key, const ChaCha20Nonce& nonce, ByteView plain, MutableBytes sealed);
[[nodiscard]] bool OpenChaCha20Appended(AeadKey key, const ChaCha20Nonce& nonce, ByteView sealed, MutableBytes plain);

}  // namespace safemodel::crypto
