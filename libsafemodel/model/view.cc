// SPDX-License-Identifier: Apache-2.0
// Zero-copy views. The only code that maps a file.
#include <sys/mman.h>

#include "base/checked.h"
#include "base/try.h"
#include "model/loaded_model.h"
#include "value/tensor_view.h"

namespace safemodel {
namespace {

Error NotRaw(const Tensor& tensor) {
  return {Stage::kUnsupported, "not_raw",
          "only contiguous tensors that are stored raw and not encrypted can be viewed; read this one", kNoOffset,
          tensor.name};
}

bool MappingForbidden(const ObjectStore& store) {
  const auto& rule = store.trusted().rule();
  return rule && rule->memory_mapping == Rule::Mapping::kForbidden;
}

}  // namespace

Status CoreMapping::Map(const ObjectStore& store) {
  if (mapping_) return {};
  // Only the core: an envelope that is appended or folded in meanwhile lies outside.
  const auto length = static_cast<std::size_t>(store.trusted().core_bytes());
  void* address = mmap(nullptr, length, PROT_READ, MAP_SHARED, store.file().descriptor(), 0);
  if (address == MAP_FAILED) return SystemError("map_failed", "the file cannot be mapped", store.file().path());
  mapping_ =
      std::shared_ptr<const void>(address, [length](const void* mapped) { munmap(const_cast<void*>(mapped), length); });
  bytes_ = ByteView(static_cast<const std::uint8_t*>(address), length);
  return {};
}

Result<MappedView> CoreMapping::Verified(const ObjectStore& store, std::uint32_t object, std::uint32_t first,
                                         std::uint32_t count) {
  SAFEMODEL_ASSIGN(const Slice* slice, store.SliceOf(object));
  SAFEMODEL_TRY(store.Refused(object, first, count));
  const std::lock_guard lock(mutex_);
  SAFEMODEL_TRY(Map(store));
  for (std::uint32_t chunk = first; chunk < first + count; ++chunk) {
    if (verified_.count({object, chunk}) > 0) continue;
    const container::ChunkRecord& record = (*slice)[chunk];
    const ByteView stored = bytes_.subspan(static_cast<std::size_t>(record.stored_offset), record.stored_length);
    const Status held = CheckChunkDigest(stored, record);
    if (!held.ok()) return store.Refuse(object, chunk, held.error()).error();
    verified_.insert({object, chunk});
  }
  if (count == 0) return MappedView(mapping_, {});
  const auto begin = static_cast<std::size_t>((*slice)[first].stored_offset);
  const container::ChunkRecord& last = (*slice)[first + count - 1];
  return MappedView(mapping_,
                    bytes_.subspan(begin, static_cast<std::size_t>(last.stored_offset + last.stored_length) - begin));
}

Result<MappedView> ViewTensor(const LoadedModel& model, const Tensor& tensor) {
  const ObjectStore& store = *model.store;
  if (MappingForbidden(store)) {
    return Error{Stage::kUntrusted, "mapping_forbidden", "the policy does not allow views of the file; read the tensor",
                 kNoOffset, tensor.name};
  }
  if (tensor.storage >= model.storages.size()) return NotRaw(tensor);
  const std::uint32_t object = model.storages[tensor.storage];
  const container::ObjectRecord& record = store.objects()[object];
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(tensor.dtype, tensor.element_type, model.element_types));
  SAFEMODEL_TRY(CheckView(bits, tensor.shape, tensor.strides, tensor.byte_offset, record.plain_size));
  const bool is_plain = record.form == container::StorageForm::kRaw && !store.manifest().encryption;
  if (!is_plain || !IsContiguous(tensor.shape, tensor.strides)) return NotRaw(tensor);
  SAFEMODEL_ASSIGN(const std::uint64_t elements, ElementCount(tensor.shape));
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ContiguousBytes(elements, bits));
  const auto first = static_cast<std::uint32_t>(tensor.byte_offset / store.chunk_size());
  const auto end = static_cast<std::uint32_t>(CeilDiv(tensor.byte_offset + bytes, store.chunk_size()));
  SAFEMODEL_ASSIGN(const MappedView chunks, model.mapping.Verified(store, object, first, bytes == 0 ? 0 : end - first));
  MappedView view = chunks;
  if (bytes > 0) {
    const auto skipped = static_cast<std::size_t>(tensor.byte_offset % store.chunk_size());
    view = MappedView(std::make_shared<MappedView>(chunks),
                      chunks.bytes().subspan(skipped, static_cast<std::size_t>(bytes)));
  }
  SAFEMODEL_TRY(PlainChecker(tensor.dtype, elements).Update(view.bytes()));
  return view;
}

}  // namespace safemodel
