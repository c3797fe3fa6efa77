// SPDX-License-Identifier: Apache-2.0
#include "encryption/chunk_cipher.h"

#include <algorithm>

#include "base/cursor.h"
#include "base/little_endian.h"
#include "base/try.h"
#include "crypto/aead.h"

namespace safemodel::encryption {
namespace {

crypto::XChaCha20Nonce NonceOf(const ChunkPlace& place) {
  ByteWriter writer;
  writer.U64(place.chunk);
  writer.U8(place.chunk == place.chunk_count - 1 ? 1 : 0);  // so that an object cannot be cut short
  crypto::XChaCha20Nonce nonce{};
  std::copy(writer.view().begin(), writer.view().end(), nonce.begin());
  return nonce;
}

ByteBuffer AssociatedData(const FileId& file_id, const ChunkPlace& place) {
  ByteWriter writer;
  writer.Bytes(file_id);
  for (const std::uint32_t number : {place.object, place.chunk, place.chunk_count, place.plain_length})
    writer.U32(number);
  writer.U8(place.codec);
  return std::move(writer).Finish();
}

crypto::AeadKey KeyFor(const DataKey& key, const Digest& salt, CipherScratch& scratch) {
  if (!scratch.object_key) scratch.object_key.emplace(crypto::kAeadKeyBytes);
  key.ObjectKey(salt, scratch.object_key->bytes());
  return crypto::AeadKey(scratch.object_key->bytes().data(), crypto::kAeadKeyBytes);
}

Error NotSealedHere() {
  return {Stage::kDigestMismatch, "chunk_tag", "a chunk does not open: it was not sealed in this place of this file"};
}

// TakeEncoded takes the content of a sealed chunk apart.
Result<ByteView> TakeEncoded(ByteView content, const ChunkPlace& place, std::uint32_t bucket_bytes) {
  ByteReader reader(content);
  SAFEMODEL_ASSIGN(const std::uint32_t length, reader.U32());
  const bool fits = length >= 1 && length <= place.plain_length &&
                    (place.codec != container::kCodecRaw || length == place.plain_length) &&
                    container::SealedLength(length, bucket_bytes) == content.size() + crypto::kAeadTagBytes;
  if (!fits) return Error{Stage::kMalformed, "sealed_length", "a sealed chunk states a length that it cannot have"};
  SAFEMODEL_ASSIGN(const ByteView encoded, reader.Take(length));
  const ByteView padding = reader.TakeRest();
  if (std::any_of(padding.begin(), padding.end(), [](std::uint8_t byte) { return byte != 0; }))
    return Error{Stage::kMalformed, "sealed_padding", "the padding inside a sealed chunk is not zero"};
  return encoded;
}

}  // namespace

void ChunkCipher::Seal(const ChunkPlace& place, const Digest& salt, ByteView encoded, ByteBuffer& stored,
                       CipherScratch& scratch) const {
  stored.resize(static_cast<std::size_t>(container::SealedLength(encoded.size(), bucket_bytes_)));
  StoreLittleEndian(stored, static_cast<std::uint32_t>(encoded.size()));
  const MutableBytes content = MutableBytes(stored).first(stored.size() - crypto::kAeadTagBytes);
  const auto end = std::copy(encoded.begin(), encoded.end(), content.begin() + container::kSealedLengthBytes);
  std::fill(end, content.end(), std::uint8_t{0});
  crypto::SealXChaCha20Appended(KeyFor(key_, salt, scratch), NonceOf(place), AssociatedData(key_.file_id(), place),
                                content, stored);
}

Result<ByteView> ChunkCipher::Open(const ChunkPlace& place, const Digest& salt, MutableBytes stored,
                                   CipherScratch& scratch) const {
  if (stored.size() < container::kSealedOverhead) return NotSealedHere();  // ParseIndexSlice refuses it
  const MutableBytes content = stored.first(stored.size() - crypto::kAeadTagBytes);
  if (!crypto::OpenXChaCha20Appended(KeyFor(key_, salt, scratch), NonceOf(place), AssociatedData(key_.file_id(), place),
                                     stored, content)) {
    return NotSealedHere();
  }
  return TakeEncoded(content, place, bucket_bytes_);
}

}  // namespace safemodel::encryption
