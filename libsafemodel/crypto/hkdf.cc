// SPDX-License-Identifier: Apache-2.0
#include "crypto/hkdf.h"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>

#include "base/cursor.h"
#include "crypto/not_null.h"

namespace safemodel::crypto {
namespace {

static_assert(std::tuple_size_v<Digest> == crypto_auth_hmacsha256_BYTES);

// Hmac is wiped when it goes: its state is as good as the key.
class Hmac {
 public:
  explicit Hmac(ByteView key) { crypto_auth_hmacsha256_init(&state_, NotNull(key), key.size()); }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;
  ~Hmac() { sodium_memzero(&state_, sizeof state_); }
  void Update(ByteView bytes) { crypto_auth_hmacsha256_update(&state_, NotNull(bytes), bytes.size()); }
  void Finish(Digest& out) { crypto_auth_hmacsha256_final(&state_, out.data()); }

 private:
  crypto_auth_hmacsha256_state state_{};
};

// Block is one output of HMAC, wiped when it goes.
struct Block {
  Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() { sodium_memzero(bytes.data(), bytes.size()); }
  Digest bytes{};
};

void Extract(ByteView salt, ByteView secret, Block& key) {
  Hmac hmac(salt);  // without a salt RFC 5869 takes 32 zeros, which HMAC cannot tell from an empty key
  hmac.Update(secret);
  hmac.Finish(key.bytes);
}

}  // namespace

bool HkdfSha256(ByteView secret, ByteView salt, ByteView info, MutableBytes out) {
  if (out.size() > kHkdfMostBytes) return false;
  Block key;
  Extract(salt, secret, key);
  Block block;
  ByteView previous;
  std::uint8_t number = 0;
  while (!out.empty()) {
    Hmac hmac(key.bytes);
    hmac.Update(previous);
    hmac.Update(info);
    const std::array<std::uint8_t, 1> counter = {++number};
    hmac.Update(counter);
    hmac.Finish(block.bytes);
    previous = block.bytes;
    const std::size_t size = std::min(out.size(), block.bytes.size());
    std::copy_n(block.bytes.begin(), size, out.begin());
    out = out.subspan(size);
  }
  return true;
}

SecretBytes DeriveKey(ByteView secret, ByteView salt, std::string_view info) {
  SecretBytes key(32);
  if (!HkdfSha256(secret, salt, AsBytes(info), key.bytes())) std::abort();  // 32 bytes always fit
  return key;
}

Digest HmacSha256(ByteView key, ByteView message) {
  Hmac hmac(key);
  hmac.Update(message);
  Digest digest{};
  hmac.Finish(digest);
  return digest;
}

}  // namespace safemodel::crypto
