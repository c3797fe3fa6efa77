// SPDX-License-Identifier: Apache-2.0
#include <safemodel/inspect.h>

#include <map>

#include "base/out_of_memory.h"
#include "base/try.h"
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

Status DescribeContent(const LoadedModel& loaded, UnverifiedModel& model) {
  model.info = loaded.info;
  model.tensors = loaded.tensors;
  model.element_types = loaded.element_types;
  model.files = loaded.files;
  model.tree = loaded.tree;
  for (std::uint32_t number = 0; number < loaded.store->objects().size(); ++number) {
    SAFEMODEL_ASSIGN(UnverifiedObject object, DescribeObject(*loaded.store, number));
    model.objects.push_back(std::move(object));
  }
  return {};
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
  SAFEMODEL_ASSIGN(const auto loaded, LoadModel(std::move(manifest), options));
  SAFEMODEL_TRY(DescribeContent(*loaded, model));
  return model;
}

}  // namespace

Result<UnverifiedModel> Inspect(const std::string& path, const OpenOptions& options) {
  return CatchOutOfMemory([&] { return InspectFile(path, options); });
}

}  // namespace safemodel
