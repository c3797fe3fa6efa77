// SPDX-License-Identifier: Apache-2.0
// The way of encoded chunks into the file: sealed when the container is encrypted, hashed, put in their place.
#pragma once

#include <vector>

#include "base/file.h"
#include "encryption/chunk_cipher.h"
#include "model/chunk.h"
#include "model/ordered.h"

namespace safemodel {

// SealScratch is what one thread needs.
struct SealScratch {
  ByteBuffer sealed;
  encryption::CipherScratch cipher;
};

// ChunkOutput takes the chunks of one object, in any order and from several threads, each with its scratch.
class ChunkOutput {
 public:
  // `cipher` is null when the container is not encrypted. All outlive the ChunkOutput.
  ChunkOutput(OutputFile& output, std::uint32_t object_number, const container::ObjectRecord& object,
              std::uint32_t chunk_size, const encryption::ChunkCipher* cipher);

  // Prepare makes room for an object that is stored raw: where its chunks lie is known before they are written.
  Status Prepare();
  // Put makes the stored bytes of a chunk, which lie in `encoded` or in the scratch until Append. Those of a raw object
  // are written here.
  Result<ByteView> Put(std::uint32_t chunk, std::uint8_t codec, ByteView encoded, SealScratch& scratch);
  // Append writes the stored bytes of a coded object's chunk behind those of the chunk before, in their order.
  Status Append(std::uint32_t chunk, ByteView stored, Turnstile::Ticket& turn);

  [[nodiscard]] Turnstile& turns() { return turns_; }
  [[nodiscard]] std::vector<container::ChunkRecord> TakeRecords() && { return std::move(records_); }

 private:
  OutputFile& output_;
  std::uint32_t object_number_;
  const container::ObjectRecord& object_;
  std::uint32_t chunk_size_;
  const encryption::ChunkCipher* cipher_;
  std::optional<container::Encryption> encryption_;
  std::vector<container::ChunkRecord> records_;
  Turnstile turns_;
};

}  // namespace safemodel
