// SPDX-License-Identifier: Apache-2.0
// Sealing and opening chunks. Spec: section 16, [K-CHUNK].
//
//   content   encoded length u32 | encoded bytes | zeros
//   stored    XChaCha20-Poly1305-IETF of the content | tag 16
//   nonce     chunk number u64 | 1 for the last chunk of its object, else 0 | 15 zeros
#pragma once

#include <cstdint>
#include <optional>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "container/format.h"
#include "encryption/data_key.h"

namespace safemodel::encryption {

// ChunkPlace is what a sealed chunk is bound to, beside the file id.
struct ChunkPlace {
  std::uint32_t object = 0;
  std::uint32_t chunk = 0;
  std::uint32_t chunk_count = 0;
  std::uint32_t plain_length = 0;  // of this chunk
  std::uint8_t codec = 0;
};

// CipherScratch is what one thread needs.
struct CipherScratch {
  std::optional<crypto::SecretBytes> object_key;
};

// ChunkCipher seals and opens the chunks of one container. Safe to use from several threads, each with its scratch.
class ChunkCipher {
 public:
  // `bucket_bytes` is a power of two.
  ChunkCipher(DataKey key, std::uint32_t bucket_bytes) : key_(std::move(key)), bucket_bytes_(bucket_bytes) {}

  [[nodiscard]] const DataKey& key() const { return key_; }
  // Block returns what the manifest says about this encryption.
  [[nodiscard]] container::Encryption Block() const {
    return {container::kXChaCha20Poly1305, key_.Commitment(), bucket_bytes_};
  }

  // Seal fills `stored` with the sealed chunk. A place is sealed once under a salt: the nonce follows from it.
  void Seal(const ChunkPlace& place, const Digest& salt, ByteView encoded, ByteBuffer& stored,
            CipherScratch& scratch) const;
  // Open opens `stored`, whose digest holds, where it lies, and returns the encoded bytes in it. Errors:
  // kDigestMismatch "chunk_tag" when it is not what was sealed in this place; kMalformed "sealed_length",
  // "sealed_padding".
  [[nodiscard]] Result<ByteView> Open(const ChunkPlace& place, const Digest& salt, MutableBytes stored,
                                      CipherScratch& scratch) const;

 private:
  DataKey key_;
  std::uint32_t bucket_bytes_;
};

}  // namespace safemodel::encryption
