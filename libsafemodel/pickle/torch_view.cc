// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_view.h"

#include <utility>

#include "base/checked.h"
#include "value/tensor_view.h"

namespace safemodel::pickle {

Result<ImportedTensor> MakeTorchView(const StorageNote& storage, const TorchType& type, TorchView view) {
  // Even where strides of 0 or a dimension of 0 keep the view small: readers multiply the shape.
  const std::uint64_t bits = type.item_size * std::uint64_t{8};
  const auto count = ElementCount(view.shape);
  if (!count.ok() || !ContiguousBytes(count.value(), bits).ok()) {
    return Error{Stage::kUnsafe, "MEM-SIZE", "the size of a tensor overflows"};
  }
  const auto offset = CheckedMul<std::uint64_t>(view.offset, type.item_size);
  // Both offsets count: elements of another type than the storage's may be wider than where a part of it begins.
  const bool inside = offset && CheckView(bits, view.shape, view.strides, *offset, storage.bytes).ok();
  if (!inside || (storage.begin + *offset) % type.item_size != 0) {
    return Error{Stage::kUnsafe, "MEM-VIEW", "a tensor reaches outside its storage"};
  }
  return ImportedTensor{.name = {},
                        .dtype = type.dtype,
                        .element_type = 0,
                        .shape = std::move(view.shape),
                        .strides = std::move(view.strides),
                        .storage = storage.storage,
                        .byte_offset = storage.begin + *offset};
}

}  // namespace safemodel::pickle
