// SPDX-License-Identifier: Apache-2.0
// Spec section 3.2: object records.
#include <algorithm>
#include <numeric>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "container/parse.h"
#include "container/refuse.h"
#include "container/tiling.h"

namespace safemodel::container {
namespace {

// ParseRecordHead reads the part of an object record that is bytes of enumerations.
Status ParseRecordHead(ByteReader& reader, ObjectRecord& object) {
  const std::uint64_t offset = reader.offset();
  SAFEMODEL_ASSIGN(const std::uint8_t kind, reader.U8());
  SAFEMODEL_ASSIGN(const std::uint8_t form, reader.U8());
  SAFEMODEL_ASSIGN(object.element_layout, reader.U8());
  SAFEMODEL_TRY(reader.ExpectZeros(1));
  if (kind < 1 || kind > 3)
    return Unsupported("unknown_object_kind", "an object is of a kind that this version does not know", {}, offset);
  if (form < 1 || form > 2)
    return Unsupported("unknown_storage_form", "an object is stored in a form that this version does not know", {},
                       offset);
  if (object.element_layout > kElementLayoutLast) {
    return Unsupported("unknown_element_layout", "an object has an element layout that this version does not know", {},
                       offset);
  }
  object.kind = static_cast<ObjectKind>(kind);
  object.form = static_cast<StorageForm>(form);
  return {};
}

Error MissingSalt(std::uint64_t offset) {
  return Malformed("missing_salt", "an object of an encrypted container has no salt", {}, offset);
}

Result<ObjectRecord> ParseObjectRecord(ByteReader& reader, const Manifest& manifest) {
  ObjectRecord object;
  SAFEMODEL_TRY(ParseRecordHead(reader, object));
  SAFEMODEL_ASSIGN(object.chunk_count, reader.U32());
  SAFEMODEL_ASSIGN(object.first_chunk, reader.U64());
  SAFEMODEL_ASSIGN(object.plain_size, reader.U64());
  SAFEMODEL_ASSIGN(object.stored_offset, reader.U64());
  if (!manifest.encryption) {
    SAFEMODEL_TRY(reader.ExpectZeros(object.salt.size()));
  } else {
    const std::uint64_t offset = reader.offset();
    SAFEMODEL_ASSIGN(object.salt, reader.TakeArray<32>());
    if (object.salt == Digest{}) return MissingSalt(offset);  // [O-SALT]
  }
  SAFEMODEL_ASSIGN(object.slice_digest, reader.TakeArray<32>());
  return object;
}

// Totals are sums over the records so far; each is compared with its limit before it is used for anything.
struct Totals {
  std::uint64_t chunks = 0;
  std::uint64_t plain_bytes = 0;
};

Status CheckKind(const ObjectRecord& object, std::uint32_t number, const Limits& limits, std::uint64_t offset) {
  if ((object.kind == ObjectKind::kDirectory) != (number == 0)) {
    return Malformed("misplaced_directory", "object 0 is the directory, and no other is", {}, offset);
  }
  if (number != 0) return {};
  if (object.plain_size == 0) return Malformed("empty_directory", "the directory is empty", {}, offset);
  if (object.plain_size > limits.directory_bytes) {
    return OverLimit("large_directory", "the directory is larger than its limit", {}, offset);
  }
  return {};
}

Status CheckSizes(const ObjectRecord& object, std::uint32_t chunk_size, const Limits& limits, Totals& totals,
                  std::uint64_t offset) {
  const auto plain_bytes = CheckedAdd(totals.plain_bytes, object.plain_size);
  if (!plain_bytes || *plain_bytes > limits.total_plain_bytes) {
    return OverLimit("large_content", "the objects together are larger than the limit on plain bytes", {}, offset);
  }
  if (object.chunk_count != CeilDiv(object.plain_size, chunk_size)) {  // [O-COUNT]
    return Malformed("bad_chunk_count", "the number of chunks does not follow from the size of the object", {}, offset);
  }
  if (object.plain_size == 0 && object.form != StorageForm::kRaw) {
    return Malformed("empty_coded_object", "an empty object is stored raw", {}, offset);
  }
  if (object.first_chunk != totals.chunks) {
    return Malformed("bad_first_chunk", "the first chunk of an object is not the sum of the counts before it", {},
                     offset);
  }
  totals.plain_bytes = *plain_bytes;
  totals.chunks += object.chunk_count;  // below 2^22 objects times 2^32 chunks
  return {};
}

// CheckSalts: two objects with one salt would have one key, and their chunks the same nonces; [O-SALT].
Status CheckSalts(const std::vector<ObjectRecord>& objects, std::uint64_t offset) {
  std::vector<std::uint32_t> order(objects.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return objects[a].salt < objects[b].salt; });
  const auto equal = std::adjacent_find(order.begin(), order.end(),
                                        [&](auto a, auto b) { return objects[a].salt == objects[b].salt; });
  if (equal == order.end()) return {};
  return Malformed("repeated_salt", "two objects of an encrypted container have the same salt", {}, offset);
}

}  // namespace

Result<std::vector<ObjectRecord>> ParseObjectTable(ByteView bytes, const Manifest& manifest, const Limits& limits) {
  if (manifest.object_count > limits.objects) return OverLimit("many_objects", "there are more objects than the limit");
  if (bytes.size() != kObjectRecordBytes * manifest.object_count) {
    return Malformed("bad_table_length", "the object table does not hold one record for each object", {},
                     manifest.table_offset);
  }
  ByteReader reader(bytes, manifest.table_offset);
  std::vector<ObjectRecord> objects;
  objects.reserve(manifest.object_count);
  Totals totals;
  for (std::uint32_t number = 0; number < manifest.object_count; ++number) {
    const std::uint64_t offset = reader.offset();
    SAFEMODEL_ASSIGN(const ObjectRecord object, ParseObjectRecord(reader, manifest));
    SAFEMODEL_TRY(CheckKind(object, number, limits, offset));
    SAFEMODEL_TRY(CheckSizes(object, manifest.chunk_size, limits, totals, offset));
    objects.push_back(object);
  }
  SAFEMODEL_TRY(reader.ExpectEnd());
  if (totals.chunks != manifest.chunk_count) {
    return Malformed("bad_chunk_count", "the manifest does not state the sum of the chunk counts", {},
                     manifest.table_offset);
  }
  if (manifest.encryption) SAFEMODEL_TRY(CheckSalts(objects, manifest.table_offset));
  SAFEMODEL_TRY(CheckOffsets(manifest, objects));
  return objects;
}

ByteBuffer SerializeObjectTable(const std::vector<ObjectRecord>& objects) {
  ByteWriter writer;
  for (const ObjectRecord& object : objects) {
    writer.U8(static_cast<std::uint8_t>(object.kind));
    writer.U8(static_cast<std::uint8_t>(object.form));
    writer.U8(object.element_layout);
    writer.U8(0);
    writer.U32(object.chunk_count);
    writer.U64(object.first_chunk);
    writer.U64(object.plain_size);
    writer.U64(object.stored_offset);
    writer.Bytes(object.salt);
    writer.Bytes(object.slice_digest);
  }
  return std::move(writer).Finish();
}

ByteBuffer SliceHead(std::uint32_t object_number, const ObjectRecord& object, std::uint32_t chunk_size) {
  ByteWriter writer;
  writer.U32(object_number);
  writer.U8(static_cast<std::uint8_t>(object.kind));
  writer.U8(static_cast<std::uint8_t>(object.form));
  writer.U8(object.element_layout);
  writer.U8(0);
  writer.U64(object.plain_size);
  writer.U32(chunk_size);
  writer.U32(object.chunk_count);
  return std::move(writer).Finish();
}

}  // namespace safemodel::container
