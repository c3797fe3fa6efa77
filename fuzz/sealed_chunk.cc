// SPDX-License-Identifier: Apache-2.0
// What lies in a sealed chunk, as somebody who has the key would make it. Input: object, chunk, chunk count and plain
// length (u32 each), codec, logarithm of the bucket, then the content to seal. What opens has one form: sealed again it
// is the same; in another place it does not open.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "crypto/aead.h"
#include "encryption/chunk_cipher.h"
#include "fuzz/property.h"

namespace {

using namespace safemodel;              // NOLINT(google-build-using-namespace)
using namespace safemodel::encryption;  // NOLINT(google-build-using-namespace)

constexpr FileId kFileId{1, 2, 3};
constexpr Digest kSalt{4, 5, 6};

DataKey Key() {
  constexpr std::array<std::uint8_t, kDataKeyBytes> secret{7, 8, 9};
  return DataKey::Of(secret, kFileId);
}

// SealContent is the part of a writer that puts no content together.
ByteBuffer SealContent(const ChunkPlace& place, ByteView content) {
  crypto::XChaCha20Nonce nonce{};
  for (unsigned i = 0; i < 4; ++i) nonce[i] = static_cast<std::uint8_t>(place.chunk >> (8 * i));
  nonce[8] = place.chunk == place.chunk_count - 1 ? 1 : 0;
  ByteWriter associated;
  associated.Bytes(kFileId);
  for (const std::uint32_t number : {place.object, place.chunk, place.chunk_count, place.plain_length})
    associated.U32(number);
  associated.U8(place.codec);
  std::array<std::uint8_t, crypto::kAeadKeyBytes> key{};
  Key().ObjectKey(kSalt, key);
  ByteBuffer sealed(content.size() + crypto::kAeadTagBytes);
  crypto::SealXChaCha20Appended(crypto::AeadKey(key), nonce, associated.view(), content, sealed);
  return sealed;
}

void CheckOpened(const ChunkCipher& cipher, const ChunkPlace& place, ByteView encoded, const ByteBuffer& sealed) {
  SAFEMODEL_PROPERTY(!encoded.empty() && encoded.size() <= place.plain_length);
  SAFEMODEL_PROPERTY(place.codec != 0 || encoded.size() == place.plain_length);
  CipherScratch scratch;
  ByteBuffer again;
  cipher.Seal(place, kSalt, encoded, again, scratch);
  SAFEMODEL_PROPERTY(again == sealed);
  ChunkPlace other = place;
  other.object ^= 1;
  SAFEMODEL_PROPERTY(!cipher.Open(other, kSalt, again, scratch).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader(ByteView(data, size));
  constexpr std::size_t head = 18;
  if (size < head) return 0;
  ChunkPlace place;
  place.object = reader.U32().value();
  place.chunk = reader.U32().value();
  place.chunk_count = reader.U32().value();
  place.plain_length = reader.U32().value();
  place.codec = reader.U8().value();
  const ChunkCipher cipher(Key(), 1u << (reader.U8().value() % 21));
  const ByteBuffer sealed = SealContent(place, reader.TakeRest());
  ByteBuffer opened = sealed;
  CipherScratch scratch;
  const auto encoded = cipher.Open(place, kSalt, opened, scratch);
  if (encoded.ok()) {
    CheckOpened(cipher, place, encoded.value(), sealed);
    return 0;
  }
  // A stored length under that of an empty chunk never gets so far: it has no room for what is in front and behind.
  const bool short_of_room = sealed.size() < container::kSealedOverhead;
  SAFEMODEL_PROPERTY((encoded.error().stage == Stage::kDigestMismatch) == short_of_room);
  SAFEMODEL_PROPERTY(short_of_room || encoded.error().stage == Stage::kMalformed);
  return 0;
}
