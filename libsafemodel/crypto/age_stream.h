// SPDX-License-Identifier: Apache-2.0
// The payload of an age file: a nonce of 16 bytes, then STREAM: ChaCha20-Poly1305 of chunks of 64 KiB, of which only
// the last may be shorter. It is empty only when there is nothing else.
//
//   key     HKDF-SHA-256 of the file key, salt: the nonce, info: "payload"
//   nonce   of a chunk: its number, 11 bytes big-endian; 1 for the last chunk, else 0
#pragma once

#include <safemodel/result.h>

#include "crypto/secret.h"

namespace safemodel::crypto::age {

inline constexpr std::size_t kPayloadNonceBytes = 16;

// SealPayload draws the nonce; it is the first part of the result.
ByteBuffer SealPayload(ByteView file_key, ByteView plain);

// OpenPayload takes the nonce and the chunks. Errors, code "age_payload": kMalformed when the lengths cannot be those
// of a payload, kKey when a chunk was not sealed so. Nothing of a payload comes out unless all of it opens.
Result<SecretBytes> OpenPayload(ByteView file_key, ByteView nonce, ByteView chunks);

}  // namespace safemodel::crypto::age
