// SPDX-License-Identifier: Apache-2.0
#include <safemodel/inspect.h>
#include <safemodel/unverified.h>

#include <map>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "model/key_wraps.h"
#include "model/loaded_model.h"

namespace safemodel {
namespace {

const char* PlaceName(trust::OpenedContainer::EnvelopePlace place) {
  switch (place) {
    case trust::OpenedContainer::EnvelopePlace::kNone: return "none";
    case trust::OpenedContainer::EnvelopePlace::kAppended: return "appended";
    case trust::OpenedContainer::EnvelopePlace::kSidecar: return "sidecar";
  }
  return "none";
}

const char* KindName(container::ObjectKind kind) {
  switch (kind) {
    case container::ObjectKind::kDirectory: return "directory";
    case container::ObjectKind::kStorage: return "storage";
    case container::ObjectKind::kFile: return "file";
  }
  return "storage";
}

Result<UnverifiedObject> DescribeObject(const ObjectStore& store, std::uint32_t number) {
  const container::ObjectRecord& record = store.objects()[number];
  SAFEMODEL_ASSIGN(const Slice* slice, store.SliceOf(number));
  UnverifiedObject object;
  object.kind = KindName(record.kind);
  object.form = record.form == container::StorageForm::kRaw ? "raw" : "coded";
  object.plain_bytes = record.plain_size;
  object.stored_bytes = container::StoredEnd(record, *slice) - record.stored_offset;
  object.offset = record.stored_offset;
  object.chunks = record.chunk_count;
  std::map<std::uint8_t, std::uint32_t> codecs;
  for (const container::ChunkRecord& chunk : *slice) ++codecs[chunk.codec];
  for (const auto& [codec, count] : codecs)
    object.codecs.emplace_back(codec::CodecName(static_cast<codec::Codec>(codec)), count);
  return object;
}

Status DescribeObjects(const ObjectStore& store, UnverifiedModel& model) {
  for (std::uint32_t number = 0; number < store.objects().size(); ++number) {
    SAFEMODEL_ASSIGN(UnverifiedObject object, DescribeObject(store, number));
    model.objects.push_back(std::move(object));
  }
  return {};
}

Status DescribeContent(const LoadedModel& loaded, UnverifiedModel& model) {
  model.info = loaded.info;
  model.tensors = loaded.tensors;
  model.element_types = loaded.element_types;
  model.files = loaded.files;
  model.tree = loaded.tree;
  return DescribeObjects(*loaded.store, model);
}

void DescribeEncryption(const trust::TrustedManifest& manifest, UnverifiedModel& model) {
  const auto& encryption = manifest.manifest().encryption;
  if (!encryption) return;
  model.encryption = UnverifiedModel::Encryption{"XChaCha20-Poly1305", encryption->bucket_bytes,
                                                 DescribeWraps(manifest.key_items(), nullptr)};
}

Status DescribeReadable(trust::TrustedManifest manifest, const OpenOptions& options, UnverifiedModel& model) {
  SAFEMODEL_ASSIGN(const auto loaded, LoadModel(std::move(manifest), options));
  if (loaded->store->cipher()) {
    model.encryption->directory = UnverifiedModel::Encryption::Directory::kRead;
    model.encryption->wraps = DescribeWraps(loaded->store->trusted().key_items(), &loaded->store->cipher()->key());
  }
  return DescribeContent(*loaded, model);
}

// DescribeHidden tells of an encrypted container what anybody sees.
Status DescribeHidden(trust::TrustedManifest manifest, const OpenOptions& options, UnverifiedModel& model) {
  model.info = InfoOf(manifest.manifest(), manifest.digest());
  SAFEMODEL_ASSIGN(const auto store, ObjectStore::Open(std::move(manifest), nullptr, options.limits));
  return DescribeObjects(*store, model);
}

Result<UnverifiedModel> InspectFile(const std::string& path, const OpenOptions& options) {
  SAFEMODEL_ASSIGN(auto opened, trust::OpenContainer(path, options.envelope_path, options.limits));
  UnverifiedModel model;
  model.major = opened.preamble.major;
  model.minor = opened.preamble.minor;
  model.file_bytes = opened.file->size();
  model.envelope = PlaceName(opened.envelope_place);
  SAFEMODEL_ASSIGN(auto manifest,
                   trust::SkipAuthentication(std::move(opened), InsecureSkipVerification(), options.limits));
  model.signatures = manifest.signatures();
  model.core_bytes = manifest.core_bytes();
  model.chunk_bytes = manifest.manifest().chunk_size;
  DescribeEncryption(manifest, model);
  if (model.encryption && !options.identities) {
    SAFEMODEL_TRY(DescribeHidden(std::move(manifest), options, model));
  } else {
    SAFEMODEL_TRY(DescribeReadable(std::move(manifest), options, model));
  }
  return model;
}

}  // namespace

Result<UnverifiedModel> Inspect(const std::string& path, const OpenOptions& options) {
  return CatchOutOfMemory([&] { return InspectFile(path, options); });
}

}  // namespace safemodel
