// SPDX-License-Identifier: Apache-2.0
#include "crypto/subkey.h"

#include <blake3.h>
#include <sodium.h>

namespace safemodel::crypto {
namespace {

// What the compression function leaves on the stack: its state, in the widest registers there are.
constexpr std::size_t kStackBytes = 4096;

}  // namespace

void DeriveSubkey(const char* context, ByteView secret, ByteView material, MutableBytes out) {
  blake3_hasher hasher;
  blake3_hasher_init_derive_key(&hasher, context);
  blake3_hasher_update(&hasher, secret.data(), secret.size());
  blake3_hasher_update(&hasher, material.data(), material.size());
  blake3_hasher_finalize(&hasher, out.data(), out.size());
  sodium_memzero(&hasher, sizeof(hasher));
  sodium_stackzero(kStackBytes);
}

}  // namespace safemodel::crypto
