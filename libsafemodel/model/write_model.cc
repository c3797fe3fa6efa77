// SPDX-License-Identifier: Apache-2.0
#include "model/write_model.h"

#include <map>

#include "base/checked.h"
#include "base/try.h"
#include "model/file_digests.h"
#include "model/identity.h"
#include "model/imported_records.h"
#include "model/new_encryption.h"
#include "model/storages.h"
#include "value/tensor_view.h"

namespace safemodel {
namespace {

WriterOptions WriterOptionsOf(const ConvertOptions& options, const NewEncryption& encryption) {
  return {options.chunk_bytes, options.codec, options.level, options.threads, options.limits, encryption.cipher};
}

std::uint64_t ContiguousTotal(const std::vector<container::TensorRecord>& tensors, std::span<const ElementType> types) {
  std::uint64_t total = 0;
  for (const container::TensorRecord& tensor : tensors) {
    const auto bits = ElementBits(tensor.dtype, tensor.element_type, types);
    const auto elements = ElementCount(tensor.shape);
    if (!bits.ok() || !elements.ok()) continue;  // the directory would not be written
    const auto bytes = ContiguousBytes(elements.value(), bits.value());
    total = CheckedAdd(total, bytes.ok() ? bytes.value() : 0).value_or(~std::uint64_t{0});
  }
  return total;
}

// FillDigests gives the tensors of a directory their digests, and computes those of the model.
Status FillDigests(TensorDigestJob job, std::span<const FileDigest> files, container::Directory& directory) {
  SAFEMODEL_ASSIGN(const std::vector<Digest> digests, DigestTensors(job));
  for (std::size_t i = 0; i < digests.size(); ++i) {
    container::TensorRecord& tensor = directory.tensors[i];
    const std::uint64_t storage_bytes = job.sources[job.source_of_storage[tensor.storage]].bytes;
    SAFEMODEL_ASSIGN(const bool expanded, IsExpandedTensor(tensor, directory.element_types, storage_bytes));
    if (!expanded) tensor.digest = digests[i];
  }
  SAFEMODEL_ASSIGN(directory.tensor_digest, TensorDigest(directory.tensors, digests, directory.element_types));
  directory.content_digest = ContentDigest(directory.tensor_digest, files, directory.tree);
  return {};
}

// WriteFiles writes the files as objects, equal ones once, and lists them in the directory.
Result<std::vector<FileDigest>> WriteFiles(ContainerWriter& writer, const std::vector<ImportedFile>& files,
                                           container::Directory& directory) {
  SAFEMODEL_ASSIGN(std::vector<FileDigest> digests, DigestFiles(files));
  std::map<Digest, std::uint32_t> written;
  for (std::size_t i = 0; i < files.size(); ++i) {
    auto found = written.find(digests[i].digest);
    if (found == written.end()) {
      SAFEMODEL_ASSIGN(const WrittenObject object,
                       writer.AddObject(container::ObjectKind::kFile, codec::ElementLayout::kBytes, *files[i].source));
      if (object.plain_digest != digests[i].digest) {
        return Error{Stage::kIo, "changed", "the file changed while it was read; try again", kNoOffset, files[i].path};
      }
      found = written.emplace(object.plain_digest, object.number).first;
    }
    directory.files.push_back({files[i].path, files[i].media_type, found->second});
  }
  return digests;
}

Result<container::Directory> WriteContent(ContainerWriter& writer, const ImportedModel& model,
                                          const ConvertOptions& options) {
  StorageWriter storages(writer, model, options.progress);
  SAFEMODEL_TRY(storages.Write());
  container::Directory directory;
  directory.storages = storages.object_numbers();
  directory.element_types = model.element_types;
  directory.tensors = RecordsOf(model);
  directory.tree = model.tree;
  directory.metadata = PrivateMetadata(model);
  SAFEMODEL_ASSIGN(const std::vector<FileDigest> files, WriteFiles(writer, model.files, directory));
  TensorDigestJob job = storages.JobOf(directory.tensors);
  job.limits = options.limits;
  job.threads = options.threads;
  SAFEMODEL_TRY(FillDigests(std::move(job), files, directory));
  return directory;
}

SignOptions SignOptionsOf(const ConvertOptions& options, const ModelIdentity& identity) {
  SignOptions sign_options;
  sign_options.limits = options.limits;
  if (options.reproducible == ConvertOptions::Reproducible::kYes) sign_options.issued_at = identity.created;
  return sign_options;
}

Result<NewEncryption> EncryptionFor(const ConvertOptions& options) {
  if (options.encrypt_to.empty()) return NewEncryption{};
  if (options.reproducible == ConvertOptions::Reproducible::kYes) {
    return Error{Stage::kUsage, "reproducible_encryption",
                 "an encrypted container is not reproducible: its key and its salts are drawn afresh"};
  }
  return EncryptFor(options.encrypt_to, options.bucket_bytes, options.limits);
}

}  // namespace

Result<WrittenModel> WriteModel(OutputFile& output, const ImportedModel& model, const ConvertOptions& options,
                                const Identify& identify) {
  SAFEMODEL_ASSIGN(NewEncryption encryption, EncryptionFor(options));
  SAFEMODEL_ASSIGN(ContainerWriter writer, ContainerWriter::Create(output, WriterOptionsOf(options, encryption)));
  SAFEMODEL_ASSIGN(container::Directory directory, WriteContent(writer, model, options));
  WrittenModel written;
  SAFEMODEL_ASSIGN(written.identity, identify());
  written.identity.file_id = encryption.cipher ? encryption.cipher->key().file_id()
                                               : FileIdFor(options, written.identity, directory.content_digest);
  if (encryption.cipher) HideSource(written.identity, directory);
  SAFEMODEL_ASSIGN(const WrittenManifest manifest, writer.Finish(directory, written.identity));
  SAFEMODEL_TRY(AppendEnvelope(output, manifest, std::move(encryption.items), options.sign_with,
                               SignOptionsOf(options, written.identity)));
  written.tensors = directory.tensors.size();
  written.tensor_bytes = ContiguousTotal(directory.tensors, directory.element_types);
  written.tensor_digest = directory.tensor_digest;
  written.content_digest = directory.content_digest;
  written.manifest_digest = manifest.digest;
  return written;
}

}  // namespace safemodel
