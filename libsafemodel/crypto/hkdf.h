// SPDX-License-Identifier: Apache-2.0
// HKDF-SHA-256 (RFC 5869) on libsodium's HMAC: libsodium has it only from 1.0.19 on.
#pragma once

#include <string_view>

#include <safemodel/bytes.h>

#include "crypto/secret.h"

namespace safemodel::crypto {

inline constexpr std::size_t kHkdfMostBytes = std::size_t{255} * 32;

// HkdfSha256 fills `out`. False, with `out` untouched, when that is more than kHkdfMostBytes.
[[nodiscard]] bool HkdfSha256(ByteView secret, ByteView salt, ByteView info, MutableBytes out);

// DeriveKey returns 32 bytes of HKDF-SHA-256.
SecretBytes DeriveKey(ByteView secret, ByteView salt, std::string_view info);

// HmacSha256 authenticates `message` (RFC 2104).
Digest HmacSha256(ByteView key, ByteView message);

}  // namespace safemodel::crypto
