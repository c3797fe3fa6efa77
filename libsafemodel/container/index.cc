// SPDX-License-Identifier: Apache-2.0
// Spec section 3.1: chunk records.
#include <algorithm>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "container/parse.h"
#include "container/refuse.h"

namespace safemodel::container {
namespace {

Result<ChunkRecord> ParseChunkRecord(ByteReader& reader) {
  ChunkRecord record;
  SAFEMODEL_ASSIGN(record.stored_offset, reader.U64());
  SAFEMODEL_ASSIGN(record.stored_length, reader.U32());
  SAFEMODEL_ASSIGN(record.codec, reader.U8());
  SAFEMODEL_TRY(reader.ExpectZeros(3));
  SAFEMODEL_ASSIGN(record.digest, reader.TakeArray<32>());
  return record;
}

// CheckChunkRecord holds a record against its place: `expected` is where the chunk before it ended, so two records can
// never share a byte, leave one out or borrow one of another object.
Status CheckChunkRecord(const ChunkRecord& record, std::uint64_t expected, std::uint64_t plain_length,
                        const ObjectRecord& object, const Manifest& manifest, std::uint64_t offset) {
  if (record.codec > kCodecLast) {
    return Unsupported("unknown_codec", "a chunk has a codec that this version does not know", {}, offset);
  }
  if (record.stored_offset != expected) {
    return Malformed("chunk_misplaced", "a chunk does not start where the one before it ends", {}, offset);
  }
  const StoredBounds bounds = ChunkBounds(plain_length, manifest.encryption);
  if (record.stored_length < bounds.least || record.stored_length > bounds.most) {
    return Malformed("bad_chunk_length", "the stored length of a chunk does not go with its plain length", {}, offset);
  }
  if (record.codec == kCodecRaw && record.stored_length != bounds.most) {
    return Malformed("bad_chunk_length", "a raw chunk is not as long as its plain bytes make it", {}, offset);
  }
  if (manifest.encryption && record.stored_length % manifest.encryption->bucket_bytes != 0) {
    return Malformed("bad_chunk_length", "the stored length of a chunk is no multiple of the bucket", {}, offset);
  }
  if (object.form == StorageForm::kRaw && record.codec != kCodecRaw) {
    return Malformed("codec_in_raw_object", "a chunk of a raw object has a codec", {}, offset);
  }
  return {};
}

}  // namespace

std::uint64_t PlainLength(const ObjectRecord& object, std::uint32_t i, std::uint32_t chunk_size) {
  const std::uint64_t begin = std::uint64_t{i} * chunk_size;
  if (begin >= object.plain_size) return 0;
  return std::min<std::uint64_t>(chunk_size, object.plain_size - begin);
}

StoredBounds ChunkBounds(std::uint64_t plain_length, const std::optional<Encryption>& encryption) {
  if (!encryption) return {1, plain_length};
  return {SealedLength(1, encryption->bucket_bytes), SealedLength(plain_length, encryption->bucket_bytes)};
}

StoredBounds ObjectBounds(const ObjectRecord& object, std::uint32_t chunk_size,
                          const std::optional<Encryption>& encryption) {
  if (object.chunk_count == 0) return {};
  // 2^32 chunks of at most 2^27 bytes: no sum overflows.
  const std::uint32_t last = object.chunk_count - 1;
  const StoredBounds full = ChunkBounds(chunk_size, encryption);
  const StoredBounds rest = ChunkBounds(PlainLength(object, last, chunk_size), encryption);
  const std::uint64_t most = last * full.most + rest.most;
  if (object.form == StorageForm::kRaw) return {most, most};
  return {last * full.least + rest.least, most};
}

Result<std::vector<ChunkRecord>> ParseIndexSlice(ByteView bytes, const ObjectRecord& object, const Manifest& manifest) {
  const std::uint64_t base = manifest.index_offset + kChunkRecordBytes * object.first_chunk;
  if (bytes.size() != kChunkRecordBytes * object.chunk_count) {
    return Malformed("bad_slice_length", "a slice of the index does not hold one record for each chunk", {}, base);
  }
  ByteReader reader(bytes, base);
  std::vector<ChunkRecord> records;
  records.reserve(object.chunk_count);
  std::uint64_t end = object.stored_offset;
  for (std::uint32_t i = 0; i < object.chunk_count; ++i) {
    const std::uint64_t offset = reader.offset();
    SAFEMODEL_ASSIGN(const ChunkRecord record, ParseChunkRecord(reader));
    SAFEMODEL_TRY(CheckChunkRecord(record, end, PlainLength(object, i, manifest.chunk_size), object, manifest, offset));
    const auto next = CheckedAdd<std::uint64_t>(end, record.stored_length);
    if (!next || *next > manifest.index_offset) {
      return Malformed("chunk_outside", "a chunk reaches into the index or beyond the file", {}, offset);
    }
    end = *next;
    records.push_back(record);
  }
  SAFEMODEL_TRY(reader.ExpectEnd());
  return records;
}

ByteBuffer SerializeChunkRecords(const std::vector<ChunkRecord>& records) {
  ByteWriter writer;
  for (const ChunkRecord& record : records) {
    writer.U64(record.stored_offset);
    writer.U32(record.stored_length);
    writer.U8(record.codec);
    writer.Zeros(3);
    writer.Bytes(record.digest);
  }
  return std::move(writer).Finish();
}

std::uint64_t StoredEnd(const ObjectRecord& object, const std::vector<ChunkRecord>& slice) {
  if (slice.empty()) return object.stored_offset;
  return slice.back().stored_offset + slice.back().stored_length;
}

}  // namespace safemodel::container
