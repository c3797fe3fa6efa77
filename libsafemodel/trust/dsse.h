// SPDX-License-Identifier: Apache-2.0
// DSSE v1.0.2: one signed payload as JSON, the bytes of a statement item. Spec: section 11.1.
#pragma once

#include <string>
#include <string_view>

#include <safemodel/bytes.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "crypto/ed25519.h"

namespace safemodel::trust {

struct Dsse {
  std::string payload_type;
  ByteBuffer payload;
  std::string key_id;  // a hint; empty when absent
  crypto::Ed25519Signature signature{};
};

// Pae returns the bytes that are signed: type and payload with their lengths, so that no two pairs meet; [S-PAE].
ByteBuffer Pae(std::string_view payload_type, ByteView payload);

// ParseDsse reads a statement item. Exactly one signature; other members are ignored. Nothing is verified and the
// payload is not looked at. Errors: kMalformed, kLimit.
Result<Dsse> ParseDsse(ByteView item, const Limits& limits);
ByteBuffer SerializeDsse(const Dsse& dsse);

}  // namespace safemodel::trust
