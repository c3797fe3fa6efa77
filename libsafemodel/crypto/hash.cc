// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.h"

#include <blake3.h>
#include <sodium.h>

#include <cstdlib>

#include "crypto/sodium.h"

namespace safemodel::crypto {

static_assert(std::tuple_size_v<Digest> == BLAKE3_OUT_LEN);
static_assert(std::tuple_size_v<Digest> == crypto_hash_sha256_BYTES);

void PrepareSodium() {
  static const int ready = sodium_init();
  if (ready < 0) std::abort();
}

struct Blake3::State {
  blake3_hasher hasher;
};

Blake3::Blake3() : state_(std::make_unique<State>()) { blake3_hasher_init(&state_->hasher); }
Blake3::Blake3(const char* derive_key_context) : state_(std::make_unique<State>()) {
  blake3_hasher_init_derive_key(&state_->hasher, derive_key_context);
}
Blake3::Blake3(Blake3&&) noexcept = default;
Blake3& Blake3::operator=(Blake3&&) noexcept = default;
Blake3::~Blake3() = default;

void Blake3::Update(ByteView bytes) { blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size()); }

Digest Blake3::Finish() const {
  Digest digest{};
  blake3_hasher_finalize(&state_->hasher, digest.data(), digest.size());
  return digest;
}

Digest Blake3Of(ByteView bytes) {
  // On the stack: this runs once for every chunk.
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  Digest digest{};
  blake3_hasher_finalize(&hasher, digest.data(), digest.size());
  return digest;
}

struct Sha256::State {
  crypto_hash_sha256_state hash;
};

Sha256::Sha256() : state_(std::make_unique<State>()) { crypto_hash_sha256_init(&state_->hash); }
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::Update(ByteView bytes) { crypto_hash_sha256_update(&state_->hash, bytes.data(), bytes.size()); }

Digest Sha256::Finish() const {
  crypto_hash_sha256_state copy = state_->hash;  // finishing destroys the state
  Digest digest{};
  crypto_hash_sha256_final(&copy, digest.data());
  return digest;
}

Digest Sha256Of(ByteView bytes) {
  Digest digest{};
  crypto_hash_sha256(digest.data(), bytes.data(), bytes.size());
  return digest;
}

void RandomBytes(MutableBytes out) {
  PrepareSodium();
  randombytes_buf(out.data(), out.size());
}

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

}  // namespace

std::string Hex(ByteView bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
  }
  return text;
}

std::optional<Digest> DigestOfHex(std::string_view hex) {
  Digest digest{};
  if (hex.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const auto value = kHexDigits.find(hex[i]);
    if (value == std::string_view::npos) return std::nullopt;
    digest[i / 2] = static_cast<std::uint8_t>(digest[i / 2] * 16u + value);
  }
  return digest;
}

}  // namespace safemodel::crypto
