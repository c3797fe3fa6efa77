// SPDX-License-Identifier: Apache-2.0
// What VerifiedModel is made of. Functions on it stand in the files named beside them.
#pragma once

#include <memory>
#include <set>

#include <safemodel/model.h>

#include "model/gather.h"
#include "model/object_store.h"
#include "model/tensor_digests.h"

namespace safemodel {

// CoreMapping maps the core when the first view is asked for, and remembers which chunks were verified in it.
class CoreMapping {
 public:
  CoreMapping() = default;
  // Verified returns the mapped bytes of `count` chunks of a raw object, from `first` on, after their digests were
  // compared.
  Result<MappedView> Verified(const ObjectStore& store, std::uint32_t object, std::uint32_t first, std::uint32_t count);

 private:
  Status Map(const ObjectStore& store);
  std::mutex mutex_;
  std::shared_ptr<const void> mapping_;
  ByteView bytes_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> verified_;
};

struct LoadedModel {
  // Of the options no more than is used after loading: the source of identities may hold secrets.
  Limits limits;
  unsigned threads = 0;
  std::unique_ptr<ObjectStore> store;
  ModelInfo info;
  std::vector<std::uint32_t> storages;  // object numbers
  std::vector<ElementType> element_types;
  std::vector<Tensor> tensors;
  std::vector<PackedFile> files;
  std::vector<std::uint32_t> file_objects;  // object numbers, beside `files`
  ValueTree tree;
  mutable CoreMapping mapping;

  [[nodiscard]] std::uint64_t StorageBytes(std::uint32_t storage) const {
    return store->objects()[storages[storage]].plain_size;
  }
};

// VerifiedModelAccess lets this folder make and open VerifiedModels.
struct VerifiedModelAccess {
  static VerifiedModel Make(std::unique_ptr<LoadedModel> loaded);
  static const LoadedModel& Of(const VerifiedModel& model);
};

// LoadModel opens an encrypted container with the identities of the options, and reads object table and directory of a
// container that was authenticated. load.cc
Result<std::unique_ptr<LoadedModel>> LoadModel(trust::TrustedManifest trusted, const OpenOptions& options);
// InfoOf returns what the manifest alone tells. load.cc
ModelInfo InfoOf(const container::Manifest& manifest, const Digest& manifest_digest);
// DirectoryOf reads the directory. load.cc
Result<container::Directory> DirectoryOf(const ObjectStore& store, const Limits& limits);
// RecordsOf returns the tensors as the directory states them. load.cc
std::vector<container::TensorRecord> RecordsOf(const LoadedModel& model);

// Rows [first, first + count) of the first dimension, or all of a tensor.
struct RowRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
// ReadTensors is VerifiedModel::ReadMany; ReadTensorRows reads a part of one. read.cc
Status ReadTensors(const LoadedModel& model, std::span<const VerifiedModel::Request> requests,
                   const Progress& progress);
Status ReadTensorRows(const LoadedModel& model, const Tensor& tensor, RowRange rows, MutableBytes out);
// CheckCopies refuses (kLimit) to make copies of all tensors when they are many times larger than what is stored.
// read.cc
Status CheckCopies(const LoadedModel& model);
Result<MappedView> ViewTensor(const LoadedModel& model, const Tensor& tensor);  // view.cc

Status CheckStored(const ObjectStore& store, unsigned threads, const Progress& progress);  // check_stored.cc
Status CheckContent(const LoadedModel& model, const Progress& progress);                   // check_content.cc

// ComputedDigests are digests computed from plain bytes, whatever the directory states.
struct ComputedDigests {
  std::vector<Digest> tensors;
  Digest tensor_digest{};
  Digest content_digest{};
};
// These stand in check_content.cc. CompleteDigests takes the digests of all tensors, which were computed elsewhere;
// CompareDigests fails with kDigestMismatch unless the directory states the same.
Result<ComputedDigests> ComputeFromPlainBytes(const LoadedModel& model, unsigned threads, const Progress& progress);
Result<ComputedDigests> CompleteDigests(const LoadedModel& model, std::vector<Digest> tensors);
Status CompareDigests(const LoadedModel& model, const ComputedDigests& computed);

}  // namespace safemodel
