// SPDX-License-Identifier: Apache-2.0
// DSSE v1.0.2 envelopes: one signature over one payload, in JSON. Spec section 11.1.
#pragma once

#include <string>
#include <string_view>

#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "crypto/ed25519.h"

namespace safemodel::trust {

// SignedPayload is what a statement item holds. Nothing of it may be believed before `signature` has verified.
struct SignedPayload {
  std::string payload_type;
  ByteBuffer payload;
  crypto::Ed25519Signature signature{};
  std::string key_id;  // a hint; may be empty
};

// PreAuthEncoding returns the bytes that are signed [S-PAE].
ByteBuffer PreAuthEncoding(std::string_view payload_type, ByteView payload);

// ParseDsse reads one statement item. Errors: kMalformed, kLimit.
Result<SignedPayload> ParseDsse(ByteView item, const Limits& limits);

// SerializeDsse writes a statement item.
ByteBuffer SerializeDsse(const SignedPayload& signed_payload);

}  // namespace safemodel::trust
