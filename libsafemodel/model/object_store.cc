// SPDX-License-Identifier: Apache-2.0
#include "model/object_store.h"

#include <algorithm>

#include "base/try.h"
#include "crypto/hash.h"

namespace safemodel {
namespace {

Error TableMismatch(std::uint64_t offset) {
  return {Stage::kDigestMismatch, "table_digest", "the object table is not the one that was signed; get the file again",
          offset};
}

Error SliceMismatch(std::uint64_t offset) {
  return {Stage::kDigestMismatch, "slice_digest",
          "a part of the index is not the one that was signed; get the file again", offset};
}

// What is taken for an object before its chunks have proved it.
constexpr std::uint64_t kExpectedBytes = 4u << 20;

// IsFinal: what the bytes were is known. An error of the system may go away.
bool IsFinal(const Error& error) { return error.stage != Stage::kIo; }

// TableBytes returns the length of the object table: what the manifest states, if its regions fit together.
Result<std::uint64_t> TableBytes(const container::Manifest& manifest, const Limits& limits) {
  if (manifest.object_count > limits.objects) {
    return Error{Stage::kLimit, "many_objects", "the container has more objects than the limit"};
  }
  const std::uint64_t bytes = container::kObjectRecordBytes * manifest.object_count;
  if (manifest.table_offset > manifest.manifest_offset || manifest.manifest_offset - manifest.table_offset != bytes) {
    return Error{Stage::kMalformed, "bad_regions", "the object table does not end where the manifest starts",
                 manifest.table_offset};
  }
  return bytes;
}

}  // namespace

ObjectStore::ObjectStore(trust::TrustedManifest trusted, SharedCipher cipher,
                         std::vector<container::ObjectRecord> objects)
    : trusted_(std::move(trusted)),
      cipher_(std::move(cipher)),
      objects_(std::move(objects)),
      slices_(objects_.size()) {}

Result<std::unique_ptr<ObjectStore>> ObjectStore::Open(trust::TrustedManifest trusted, SharedCipher cipher,
                                                       const Limits& limits) {
  const container::Manifest& manifest = trusted.manifest();
  SAFEMODEL_ASSIGN(const std::uint64_t length, TableBytes(manifest, limits));
  SAFEMODEL_ASSIGN(const ByteBuffer table, ReadRange(*trusted.file(), manifest.table_offset, length, length));
  crypto::Blake3 hash(container::kObjectTableContext);
  hash.Update(table);
  if (hash.Finish() != manifest.table_digest) return TableMismatch(manifest.table_offset);
  SAFEMODEL_ASSIGN(auto objects, container::ParseObjectTable(table, manifest, limits));
  return std::unique_ptr<ObjectStore>(new ObjectStore(std::move(trusted), std::move(cipher), std::move(objects)));
}

Result<Slice> ObjectStore::LoadSlice(std::uint32_t object) const {
  const container::ObjectRecord& record = objects_[object];
  const std::uint64_t length = container::kChunkRecordBytes * record.chunk_count;
  const std::uint64_t offset = manifest().index_offset + container::kChunkRecordBytes * record.first_chunk;
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ReadRange(file(), offset, length, length));
  if (SliceDigest(object, record, chunk_size(), bytes) != record.slice_digest) return SliceMismatch(offset);
  return container::ParseIndexSlice(bytes, record, manifest());
}

Result<const Slice*> ObjectStore::SliceOf(std::uint32_t object) const {
  {
    const std::lock_guard lock(mutex_);
    if (const auto& known = slices_[object]; known) {
      if (!known->ok()) return known->error();
      return &known->value();
    }
  }
  auto loaded =
      std::make_unique<const Result<Slice>>(LoadSlice(object));  // two threads may both load it: the first one stays
  if (!loaded->ok() && !IsFinal(loaded->error())) return loaded->error();
  const std::lock_guard lock(mutex_);
  if (!slices_[object]) slices_[object] = std::move(loaded);
  if (!slices_[object]->ok()) return slices_[object]->error();
  return &slices_[object]->value();
}

Status ObjectStore::Refuse(std::uint32_t object, std::uint32_t chunk, Status status) const {
  if (status.ok() || !IsFinal(status.error())) return status;
  const std::lock_guard lock(mutex_);
  refused_.emplace(std::pair(object, chunk), status.error());
  return status;
}

Status ObjectStore::Refused(std::uint32_t object, std::uint32_t first, std::uint32_t count) const {
  const std::lock_guard lock(mutex_);
  if (refused_.empty()) return {};
  const auto found = refused_.lower_bound({object, first});
  if (found == refused_.end() || found->first.first != object || found->first.second - first >= count) return {};
  return found->second;
}

Status ObjectStore::Read(std::uint32_t object, std::uint32_t chunk, MutableBytes plain, ChunkScratch& scratch) const {
  SAFEMODEL_TRY(CheckReadable());
  SAFEMODEL_ASSIGN(const Slice* slice, SliceOf(object));
  SAFEMODEL_TRY(Refused(object, chunk, 1));
  const ChunkRef ref{object, chunk, objects_[object], (*slice)[chunk]};
  return Refuse(object, chunk, ReadChunk({file(), cipher_.get()}, ref, plain, scratch));
}

Result<ByteView> ObjectStore::ReadEncoded(std::uint32_t object, std::uint32_t chunk, ChunkScratch& scratch) const {
  SAFEMODEL_TRY(CheckReadable());
  SAFEMODEL_ASSIGN(const Slice* slice, SliceOf(object));
  SAFEMODEL_TRY(Refused(object, chunk, 1));
  const ChunkRef ref{object, chunk, objects_[object], (*slice)[chunk]};
  const std::uint64_t plain_length = container::PlainLength(objects_[object], chunk, chunk_size());
  const auto encoded = safemodel::ReadEncoded({file(), cipher_.get()}, ref, plain_length, scratch);
  if (!encoded.ok()) return Refuse(object, chunk, encoded.error()).error();
  return encoded;
}

Status ObjectStore::CheckReadable() const {
  if (!manifest().encryption || cipher_) return {};
  return Error{Stage::kKey, "identity_needed", "this container is encrypted; say with which identity to open it"};
}

Result<ByteBuffer> ObjectStore::ReadWhole(std::uint32_t object) const {
  const container::ObjectRecord& record = objects_[object];
  ByteBuffer plain;
  plain.reserve(static_cast<std::size_t>(std::min(record.plain_size, kExpectedBytes)));
  ChunkScratch scratch;
  for (std::uint32_t chunk = 0; chunk < record.chunk_count; ++chunk) {
    const std::size_t begin = plain.size();
    plain.resize(begin + static_cast<std::size_t>(container::PlainLength(record, chunk, chunk_size())));
    SAFEMODEL_TRY(Read(object, chunk, MutableBytes(plain).subspan(begin), scratch));
  }
  return plain;
}

SharedSource ObjectStore::Plain(std::uint32_t object, SharedBudget budget) const {
  auto scratch = std::make_shared<ChunkScratch>();
  return MakePlainSource(objects_[object].plain_size, chunk_size(),
                         [this, object, scratch, budget](std::uint32_t chunk, MutableBytes plain) -> Status {
                           if (budget) SAFEMODEL_TRY(budget->Spend(plain.size()));
                           return Read(object, chunk, plain, *scratch);
                         });
}

}  // namespace safemodel
