// SPDX-License-Identifier: Apache-2.0
// The storages of an imported model, written as objects.
#pragma once

#include <map>
#include <vector>

#include "model/tensor_digests.h"
#include "model/writer.h"
#include "value/imported.h"

namespace safemodel {

// StorageWriter writes storages with equal bytes once: what they share is an object, not memory, so nothing comes back
// tied that was not tied (spec section 6).
class StorageWriter {
 public:
  StorageWriter(ContainerWriter& writer, const ImportedModel& model, const Progress& progress);
  // Write writes all storages.
  Status Write();
  // object_numbers has the object of each storage.
  [[nodiscard]] const std::vector<std::uint32_t>& object_numbers() const { return objects_; }
  // JobOf prepares the digests of tensors, whose bytes were just written.
  [[nodiscard]] TensorDigestJob JobOf(std::span<const container::TensorRecord> tensors) const;

 private:
  struct Written {
    WrittenObject object;
    std::size_t storage = 0;  // the first one that it was written from
  };
  struct Fingerprint {
    std::uint64_t bytes = 0;
    Digest head{};
    auto operator<=>(const Fingerprint&) const = default;
  };
  Status WriteOne(std::size_t storage);
  Status WriteFrom(std::size_t storage, const ByteSource& source);
  Result<const Written*> FindEqual(const ByteSource& source, const std::vector<std::size_t>& candidates) const;
  Status Add(std::size_t storage, const ByteSource& source);
  void Report(std::uint64_t bytes);

  ContainerWriter& writer_;
  const ImportedModel& model_;
  const Progress& progress_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  std::map<std::uint64_t, std::size_t> sizes_;                  // how many storages are of a size
  std::map<Fingerprint, std::vector<std::size_t>> candidates_;  // indices in written_
  std::vector<Written> written_;
  std::vector<std::uint32_t> objects_;
  std::vector<std::uint32_t> written_of_storage_;
};

}  // namespace safemodel
