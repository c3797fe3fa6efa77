// SPDX-License-Identifier: Apache-2.0
// DSSE v1.0.2: one signed payload as JSON, the bytes of a statement item. Spec: section 11.1.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <safemodel/bytes.h>
#include <safemodel/keys.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "crypto/ed25519.h"

namespace safemodel::trust {

// Touch is what a hardware key signs beside the message.
struct Touch {
  std::uint8_t flags = 0;
  std::uint32_t counter = 0;
  bool operator==(const Touch&) const = default;
};

struct Dsse {
  std::string payload_type;
  ByteBuffer payload;
  std::string key_id;  // a hint; empty when absent
  crypto::Ed25519Signature signature{};
  std::optional<Touch> touch = {};  // of an item of a hardware key, and of no other
};

// Pae returns the bytes that are signed: type and payload with their lengths, so that no two pairs meet; [S-PAE].
ByteBuffer Pae(std::string_view payload_type, ByteView payload);

// ParseDsse reads a statement item. Exactly one signature; other members are ignored. Nothing is verified and the
// payload is not looked at. Errors: kMalformed, kLimit.
Result<Dsse> ParseDsse(ByteView item, const Limits& limits);
// ParseHardwareDsse reads an item of a hardware key, whose signature has `flags` and `counter` beside it. Spec: 11.7.
Result<Dsse> ParseHardwareDsse(ByteView item, const Limits& limits);
ByteBuffer SerializeDsse(const Dsse& dsse);

// Verifies says whether the signature over `message`, the PAE, is by the key. It holds for a key and an item of the
// same kind only: each kind of key signs other bytes; [S-HARDWARE].
[[nodiscard]] bool Verifies(const Dsse& dsse, ByteView message, const PublicKey& key);

}  // namespace safemodel::trust
