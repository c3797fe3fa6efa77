// SPDX-License-Identifier: Apache-2.0
#include "crypto/age_stream.h"

#include <algorithm>

#include "base/checked.h"
#include "base/cursor.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"

namespace safemodel::crypto::age {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} << 10;
constexpr std::size_t kSealedBytes = kChunkBytes + kAeadTagBytes;

SecretBytes PayloadKey(ByteView file_key, ByteView nonce) { return DeriveKey(file_key, nonce, "payload"); }

ChaCha20Nonce NonceOf(std::uint64_t number, bool is_last) {
  ChaCha20Nonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[10 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  nonce[11] = is_last ? 1 : 0;
  return nonce;
}

// EachChunk calls visit(number, is_last, offset in the plain text, bytes of plain text) until that returns false.
template <typename Visit>
bool EachChunk(std::size_t plain_bytes, Visit visit) {
  const std::uint64_t count = std::max<std::uint64_t>(1, CeilDiv(plain_bytes, kChunkBytes));
  for (std::uint64_t number = 0; number < count; ++number) {
    const auto offset = static_cast<std::size_t>(number) * kChunkBytes;
    const std::size_t size = std::min(kChunkBytes, plain_bytes - offset);
    if (!visit(number, number + 1 == count, offset, size)) return false;
  }
  return true;
}

// SealedAt returns where a chunk lies among the sealed ones, each of which has a tag.
std::size_t SealedAt(std::uint64_t number) { return static_cast<std::size_t>(number) * kSealedBytes; }

}  // namespace

ByteBuffer SealPayload(ByteView file_key, ByteView plain) {
  std::array<std::uint8_t, kPayloadNonceBytes> nonce{};
  RandomBytes(nonce);
  const SecretBytes key = PayloadKey(file_key, nonce);
  ByteBuffer payload(nonce.begin(), nonce.end());
  EachChunk(plain.size(), [&](std::uint64_t number, bool is_last, std::size_t offset, std::size_t size) {
    payload.resize(payload.size() + size + kAeadTagBytes);
    SealChaCha20Appended(AeadKey(key.bytes()), NonceOf(number, is_last), plain.subspan(offset, size),
                         MutableBytes(payload).last(size + kAeadTagBytes));
    return true;
  });
  return payload;
}

Result<SecretBytes> OpenPayload(ByteView file_key, ByteView nonce, ByteView chunks) {
  const std::uint64_t count = CeilDiv(chunks.size(), kSealedBytes);
  const std::size_t last = count == 0 ? 0 : chunks.size() - SealedAt(count - 1);
  if (last < kAeadTagBytes || (last == kAeadTagBytes && count > 1)) {
    return Error{Stage::kMalformed, "age_payload", "the last chunk of the age file is cut off, or empty behind others"};
  }
  const SecretBytes key = PayloadKey(file_key, nonce);
  SecretBytes plain(chunks.size() - static_cast<std::size_t>(count) * kAeadTagBytes);
  const bool opened =
      EachChunk(plain.size(), [&](std::uint64_t number, bool is_last, std::size_t offset, std::size_t size) {
        return OpenChaCha20Appended(AeadKey(key.bytes()), NonceOf(number, is_last),
                                    chunks.subspan(SealedAt(number), size + kAeadTagBytes),
                                    plain.bytes().subspan(offset, size));
      });
  if (!opened) return Error{Stage::kKey, "age_payload", "the contents of the age file were changed or cut"};
  return plain;
}

}  // namespace safemodel::crypto::age
