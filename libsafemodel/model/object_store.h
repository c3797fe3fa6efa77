// SPDX-License-Identifier: Apache-2.0
// Objects of an authenticated container: their records, their slices of the index, their chunks.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "container/parse.h"
#include "model/chunk.h"
#include "model/decode_budget.h"
#include "trust/authenticate.h"

namespace safemodel {

// Slice is the part of the index that describes one object.
using Slice = std::vector<container::ChunkRecord>;

// ObjectStore reads objects from the descriptor that was authenticated. Slices are read when first needed and kept.
// Bytes that were refused once stay refused, also when the file is healed meanwhile. Safe to use from several threads.
class ObjectStore {
 public:
  // Open reads the object table and compares it with the digest in the manifest. Without a cipher an encrypted
  // container has stored bytes only: reading plain ones is kKey "identity_needed".
  static Result<std::unique_ptr<ObjectStore>> Open(trust::TrustedManifest trusted, SharedCipher cipher,
                                                   const Limits& limits);

  [[nodiscard]] const trust::TrustedManifest& trusted() const { return trusted_; }
  [[nodiscard]] const container::Manifest& manifest() const { return trusted_.manifest(); }
  [[nodiscard]] const File& file() const { return *trusted_.file(); }
  [[nodiscard]] const std::vector<container::ObjectRecord>& objects() const { return objects_; }
  [[nodiscard]] std::uint32_t chunk_size() const { return manifest().chunk_size; }
  // cipher is null when the container is not encrypted, or nobody had the key.
  [[nodiscard]] const SharedCipher& cipher() const { return cipher_; }

  // SliceOf returns the slice of an object. The pointer lives as long as the store.
  [[nodiscard]] Result<const Slice*> SliceOf(std::uint32_t object) const;
  // Read fills the plain bytes of one chunk.
  [[nodiscard]] Status Read(std::uint32_t object, std::uint32_t chunk, MutableBytes plain, ChunkScratch& scratch) const;
  // ReadEncoded returns the encoded bytes of one chunk, which lie in `scratch`.
  [[nodiscard]] Result<ByteView> ReadEncoded(std::uint32_t object, std::uint32_t chunk, ChunkScratch& scratch) const;
  // ReadWhole returns all plain bytes of an object. The buffer grows chunk by chunk: a table that states a gigabyte is
  // believed only as far as chunks decode.
  [[nodiscard]] Result<ByteBuffer> ReadWhole(std::uint32_t object) const;
  // Plain presents an object as its plain bytes, for one thread. `budget`, where there is one, pays for what is
  // decoded: readers that do not go straight through the object need one.
  [[nodiscard]] SharedSource Plain(std::uint32_t object, SharedBudget budget = nullptr) const;

  // Refuse remembers that a chunk was refused; Refused returns the error of the lowest refused chunk in a range.
  Status Refuse(std::uint32_t object, std::uint32_t chunk, Status status) const;
  [[nodiscard]] Status Refused(std::uint32_t object, std::uint32_t first, std::uint32_t count) const;

 private:
  ObjectStore(trust::TrustedManifest trusted, SharedCipher cipher, std::vector<container::ObjectRecord> objects);
  [[nodiscard]] Status CheckReadable() const;
  Result<Slice> LoadSlice(std::uint32_t object) const;

  trust::TrustedManifest trusted_;
  SharedCipher cipher_;
  std::vector<container::ObjectRecord> objects_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<const Result<Slice>>> slices_;
  mutable std::map<std::pair<std::uint32_t, std::uint32_t>, Error> refused_;  // by object and chunk
};

}  // namespace safemodel
