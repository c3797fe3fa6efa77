// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648), strict: padded, no space, no trailing bits, so that a byte string has one encoding in an alphabet.
#pragma once

#include <string>
#include <string_view>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel::crypto {

enum class Base64Alphabet : std::uint8_t { kStandard, kUrlSafe };

std::string EncodeBase64(ByteView bytes);

// DecodeBase64 decodes into `out`, which the caller owns (guarded memory for secrets), and returns the number of bytes.
// kMalformed "bad_base64" when the text is not strict or does not fit.
Result<std::size_t> DecodeBase64(std::string_view text, Base64Alphabet alphabet, MutableBytes out);

// DecodeEitherBase64 accepts both alphabets, but not mixed in one text.
Result<ByteBuffer> DecodeEitherBase64(std::string_view text);

// The standard alphabet without padding, as strict: what age writes.
std::string EncodeUnpaddedBase64(ByteView bytes);
Result<std::size_t> DecodeUnpaddedBase64(std::string_view text, MutableBytes out);

}  // namespace safemodel::crypto
