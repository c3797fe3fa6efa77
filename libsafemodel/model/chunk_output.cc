// SPDX-License-Identifier: Apache-2.0
#include "model/chunk_output.h"

#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"

namespace safemodel {

ChunkOutput::ChunkOutput(OutputFile& output, std::uint32_t object_number, const container::ObjectRecord& object,
                         std::uint32_t chunk_size, const encryption::ChunkCipher* cipher)
    : output_(output),
      object_number_(object_number),
      object_(object),
      chunk_size_(chunk_size),
      cipher_(cipher),
      records_(object.chunk_count) {
  if (cipher != nullptr) encryption_ = cipher->Block();
}

Status ChunkOutput::Prepare() {
  if (object_.form != container::StorageForm::kRaw) return {};
  SAFEMODEL_TRY(output_.Extend(container::ObjectBounds(object_, chunk_size_, encryption_).most));
  return {};
}

Result<ByteView> ChunkOutput::Put(std::uint32_t chunk, std::uint8_t codec, ByteView encoded, SealScratch& scratch) {
  container::ChunkRecord& record = records_[chunk];
  record.codec = codec;
  ByteView stored = encoded;
  if (cipher_ != nullptr) {
    const std::uint64_t plain_length = container::PlainLength(object_, chunk, chunk_size_);
    const auto place = PlaceOf(object_number_, object_, chunk, plain_length, codec);
    cipher_->Seal(place, object_.salt, encoded, scratch.sealed, scratch.cipher);
    stored = scratch.sealed;
  }
  record.stored_length = static_cast<std::uint32_t>(stored.size());
  record.digest = crypto::Blake3Of(stored);
  if (object_.form != container::StorageForm::kRaw) return stored;
  record.stored_offset = object_.stored_offset + chunk * container::ChunkBounds(chunk_size_, encryption_).most;
  SAFEMODEL_TRY(output_.WriteAt(record.stored_offset, stored));
  return stored;
}

Status ChunkOutput::Append(std::uint32_t chunk, ByteView stored, Turnstile::Ticket& turn) {
  if (object_.form == container::StorageForm::kRaw) return {};
  return turn.InTurn([&]() -> Status {
    records_[chunk].stored_offset = output_.size();
    return output_.Append(stored);
  });
}

}  // namespace safemodel
