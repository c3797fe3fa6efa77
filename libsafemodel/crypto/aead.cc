// SPDX-License-Identifier: Apache-2.0
#include "crypto/aead.h"

#include <sodium.h>

#include <cstdlib>

#include "crypto/not_null.h"
#include "crypto/sodium.h"

namespace safemodel::crypto {

static_assert(kAeadKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(kAeadTagBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);
static_assert(std::tuple_size_v<XChaCha20Nonce> == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kAeadKeyBytes == crypto_aead_chacha20poly1305_ietf_KEYBYTES);
static_assert(kAeadTagBytes == crypto_aead_chacha20poly1305_ietf_ABYTES);
static_assert(std::tuple_size_v<ChaCha20Nonce> == crypto_aead_chacha20poly1305_ietf_NPUBBYTES);

namespace {

void Prepare(std::size_t expected, std::size_t actual) {
  if (expected != actual) std::abort();  // a bug in the caller
  PrepareSodium();
}

std::uint8_t* NotNullOut(MutableBytes bytes) {
  static std::uint8_t nothing = 0;  // zero bytes are written to it
  return bytes.empty() ? &nothing : bytes.data();
}

}  // namespace

void SealXChaCha20Appended(AeadKey key, const XChaCha20Nonce& nonce, ByteView associated, ByteView plain,
                           MutableBytes sealed) {
  Prepare(plain.size() + kAeadTagBytes, sealed.size());
  crypto_aead_xchacha20poly1305_ietf_encrypt(sealed.data(), nullptr, NotNull(plain), plain.size(), NotNull(associated),
                                             associated.size(), nullptr, nonce.data(), key.data());
}

bool OpenXChaCha20Appended(AeadKey key, const XChaCha20Nonce& nonce, ByteView associated, ByteView sealed,
                           MutableBytes plain) {
  Prepare(plain.size() + kAeadTagBytes, sealed.size());
  return crypto_aead_xchacha20poly1305_ietf_decrypt(NotNullOut(plain), nullptr, nullptr, sealed.data(), sealed.size(),
                                                    NotNull(associated), associated.size(), nonce.data(),
                                                    key.data()) == 0;
}

void SealChaCha20Appended(AeadKey key, const ChaCha20Nonce& nonce, ByteView plain, MutableBytes sealed) {
  Prepare(plain.size() + kAeadTagBytes, sealed.size());
  crypto_aead_chacha20poly1305_ietf_encrypt(sealed.data(), nullptr, NotNull(plain), plain.size(), nullptr, 0, nullptr,
                                            nonce.data(), key.data());
}

bool OpenChaCha20Appended(AeadKey key, const ChaCha20Nonce& nonce, ByteView sealed, MutableBytes plain) {
  Prepare(plain.size() + kAeadTagBytes, sealed.size());
  return crypto_aead_chacha20poly1305_ietf_decrypt(NotNullOut(plain), nullptr, nullptr, sealed.data(), sealed.size(),
                                                   nullptr, 0, nonce.data(), key.data()) == 0;
}

}  // namespace safemodel::crypto
