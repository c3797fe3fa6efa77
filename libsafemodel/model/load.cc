// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/try.h"
#include "encryption/key_wraps.h"
#include "model/key_wraps.h"
#include "model/loaded_model.h"
#include "value/tensor_view.h"

namespace safemodel {
namespace {

Result<Tensor> TensorOf(container::TensorRecord&& record, std::span<const ElementType> types) {
  Tensor tensor;
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(record.dtype, record.element_type, types));
  SAFEMODEL_ASSIGN(tensor.elements, ElementCount(record.shape));
  SAFEMODEL_ASSIGN(tensor.bytes, ContiguousBytes(tensor.elements, bits));
  tensor.name = std::move(record.name);
  tensor.dtype = record.dtype;
  tensor.element_type = record.element_type;
  tensor.shape = std::move(record.shape);
  tensor.strides = std::move(record.strides);
  tensor.storage = record.storage;
  tensor.byte_offset = record.byte_offset;
  tensor.digest = record.digest;
  return tensor;
}

// OpenCipher finds the data key before anything is opened; [K-FIRST].
Result<SharedCipher> OpenCipher(const trust::TrustedManifest& trusted, const IdentitySource& source) {
  const container::Manifest& manifest = trusted.manifest();
  if (!manifest.encryption) return SharedCipher();
  SAFEMODEL_ASSIGN(const auto identities, AskForIdentities(source));
  SAFEMODEL_ASSIGN(auto key, encryption::OpenKey(trusted.key_items(), identities,
                                                 {manifest.file_id, manifest.encryption->commitment}));
  return std::make_shared<const encryption::ChunkCipher>(std::move(key), manifest.encryption->bucket_bytes);
}

}  // namespace

ModelInfo InfoOf(const container::Manifest& manifest, const Digest& manifest_digest) {
  ModelInfo info;
  info.name = manifest.name;
  info.version = manifest.version;
  info.sequence = manifest.sequence;
  info.created = manifest.created;
  info.file_id = manifest.file_id;
  info.manifest_digest = manifest_digest;
  info.metadata = manifest.metadata;
  info.encrypted = manifest.encryption.has_value();
  return info;
}

Result<container::Directory> DirectoryOf(const ObjectStore& store, const Limits& limits) {
  SAFEMODEL_ASSIGN(const ByteBuffer plain, store.ReadWhole(0));
  return container::ParseDirectory(plain, store.manifest(), store.objects(), limits);
}

Result<std::unique_ptr<LoadedModel>> LoadModel(trust::TrustedManifest trusted, const OpenOptions& options) {
  auto model = std::make_unique<LoadedModel>();
  model->limits = options.limits;
  model->threads = options.threads;
  SAFEMODEL_ASSIGN(SharedCipher cipher, OpenCipher(trusted, options.identities));
  SAFEMODEL_ASSIGN(model->store, ObjectStore::Open(std::move(trusted), std::move(cipher), options.limits));
  const ObjectStore& store = *model->store;
  SAFEMODEL_ASSIGN(container::Directory directory, DirectoryOf(store, options.limits));
  model->info = InfoOf(store.manifest(), store.trusted().digest());
  model->info.tensor_digest = directory.tensor_digest;
  model->info.content_digest = directory.content_digest;
  model->info.private_metadata = std::move(directory.metadata);
  model->tensors.reserve(directory.tensors.size());
  for (container::TensorRecord& record : directory.tensors) {
    SAFEMODEL_ASSIGN(Tensor tensor, TensorOf(std::move(record), directory.element_types));
    model->tensors.push_back(std::move(tensor));
  }
  for (container::FileRecord& file : directory.files) {
    model->files.push_back({std::move(file.path), std::move(file.media_type), store.objects()[file.object].plain_size});
    model->file_objects.push_back(file.object);
  }
  model->storages = std::move(directory.storages);
  model->element_types = std::move(directory.element_types);
  model->tree = std::move(directory.tree);
  return model;
}

std::vector<container::TensorRecord> RecordsOf(const LoadedModel& model) {
  std::vector<container::TensorRecord> records;
  records.reserve(model.tensors.size());
  for (const Tensor& tensor : model.tensors) {
    records.push_back({tensor.name, tensor.dtype, tensor.element_type, tensor.shape, tensor.strides, tensor.storage,
                       tensor.byte_offset, tensor.digest});
  }
  return records;
}

}  // namespace safemodel
