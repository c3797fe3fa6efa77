// SPDX-License-Identifier: Apache-2.0
#include "model/chunk.h"

#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"

namespace safemodel {
namespace {

// At tells in which chunk of the file an error of the cipher happened.
Result<ByteView> At(Result<ByteView> opened, std::uint64_t offset) {
  if (opened.ok()) return opened;
  Error error = opened.error();
  error.offset = offset;
  return error;
}

// Chunks that were read in part are kept: objects up to this size are decoded once, whatever the order of reads.
constexpr std::uint64_t kCachedBytes = 16u << 20;

// SlotsFor returns how many chunks are kept: two at least, for what lies across the border of two.
std::size_t SlotsFor(std::uint64_t size, std::uint32_t chunk_size) {
  const std::uint64_t chunks = std::max<std::uint64_t>(CeilDiv(size, chunk_size), 1);
  return static_cast<std::size_t>(std::min(chunks, std::max<std::uint64_t>(kCachedBytes / chunk_size, 2)));
}

class PlainSource final : public ByteSource {
 public:
  PlainSource(std::uint64_t size, std::uint32_t chunk_size, ChunkReader reader)
      : size_(size), chunk_size_(chunk_size), reader_(std::move(reader)), slots_(SlotsFor(size, chunk_size)) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }

  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset > size_ || out.size() > size_ - offset) {
      return Error{Stage::kIo, "truncated", "a read leaves the object", offset};
    }
    while (!out.empty()) {
      const auto chunk = static_cast<std::uint32_t>(offset / chunk_size_);
      const std::uint64_t within = offset % chunk_size_;
      const auto length = std::min<std::uint64_t>(chunk_size_, size_ - std::uint64_t{chunk} * chunk_size_);
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(length - within, out.size()));
      SAFEMODEL_TRY(
          ReadPart(chunk, static_cast<std::size_t>(length), static_cast<std::size_t>(within), out.first(take)));
      out = out.subspan(take);
      offset += take;
    }
    return {};
  }

 private:
  // Slot keeps the plain bytes of one chunk.
  struct Slot {
    std::uint64_t chunk = kNothing;
    ByteBuffer plain;
  };

  Status ReadPart(std::uint32_t chunk, std::size_t length, std::size_t within, MutableBytes out) const {
    Slot& slot = slots_[chunk % slots_.size()];
    if (slot.chunk != chunk) {
      if (out.size() == length) return reader_(chunk, out);
      slot.chunk = kNothing;  // a failed read leaves nothing that could be taken for the chunk
      slot.plain.resize(length);
      SAFEMODEL_TRY(reader_(chunk, slot.plain));
      slot.chunk = chunk;
    }
    std::copy_n(slot.plain.begin() + static_cast<std::ptrdiff_t>(within), out.size(), out.begin());
    return {};
  }

  static constexpr std::uint64_t kNothing = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t size_;
  std::uint32_t chunk_size_;
  ChunkReader reader_;
  mutable std::vector<Slot> slots_;  // chunk i has its place in i mod their number
};

}  // namespace

Status CheckChunkDigest(ByteView stored, const container::ChunkRecord& record) {
  if (crypto::Blake3Of(stored) == record.digest) return {};
  return Error{Stage::kDigestMismatch, "chunk_digest",
               "the bytes of a chunk are not those that were written; get the file again", record.stored_offset};
}

encryption::ChunkPlace PlaceOf(std::uint32_t object_number, const container::ObjectRecord& object, std::uint32_t chunk,
                               std::uint64_t plain_length, std::uint8_t codec) {
  return {object_number, chunk, object.chunk_count, static_cast<std::uint32_t>(plain_length), codec};
}

Result<ByteView> ReadEncoded(const ChunkFile& file, const ChunkRef& ref, std::uint64_t plain_length,
                             ChunkScratch& scratch) {
  const container::ChunkRecord& record = ref.record;
  scratch.stored.resize(record.stored_length);  // at most ChunkBounds(...).most: ParseIndexSlice
  SAFEMODEL_TRY(file.core.ReadAt(record.stored_offset, scratch.stored));
  SAFEMODEL_TRY(CheckChunkDigest(scratch.stored, record));
  if (file.cipher == nullptr) return ByteView(scratch.stored);
  const auto place = PlaceOf(ref.object_number, ref.object, ref.chunk, plain_length, record.codec);
  return At(file.cipher->Open(place, ref.object.salt, scratch.stored, scratch.cipher), record.stored_offset);
}

Status ReadChunk(const ChunkFile& file, const ChunkRef& ref, MutableBytes plain, ChunkScratch& scratch) {
  const container::ChunkRecord& record = ref.record;
  const bool is_raw = record.codec == container::kCodecRaw;
  if (is_raw && file.cipher == nullptr) {
    if (plain.size() != record.stored_length)
      return Error{Stage::kInternal, "internal", "a chunk was read at another length"};
    SAFEMODEL_TRY(file.core.ReadAt(record.stored_offset, plain));
    return CheckChunkDigest(plain, record);
  }
  SAFEMODEL_ASSIGN(const ByteView encoded, ReadEncoded(file, ref, plain.size(), scratch));
  if (is_raw) {
    std::copy(encoded.begin(), encoded.end(), plain.begin());
    return {};
  }
  Status status = scratch.decoder.Decode(static_cast<codec::Codec>(record.codec),
                                         static_cast<codec::ElementLayout>(ref.object.element_layout), encoded, plain);
  if (status.ok()) return {};
  Error error = status.error();
  error.offset = record.stored_offset;
  return error;
}

SharedSource MakePlainSource(std::uint64_t plain_size, std::uint32_t chunk_size, ChunkReader reader) {
  return std::make_shared<PlainSource>(plain_size, chunk_size, std::move(reader));
}

Digest SliceDigest(std::uint32_t object_number, const container::ObjectRecord& object, std::uint32_t chunk_size,
                   ByteView slice) {
  crypto::Blake3 hash(container::kIndexSliceContext);
  hash.Update(container::SliceHead(object_number, object, chunk_size));
  hash.Update(slice);
  return hash.Finish();
}

}  // namespace safemodel
