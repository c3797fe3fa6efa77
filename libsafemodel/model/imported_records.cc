// SPDX-License-Identifier: Apache-2.0
#include "model/imported_records.h"

#include "value/tensor_view.h"

namespace safemodel {

std::vector<container::TensorRecord> RecordsOf(const ImportedModel& model) {
  std::vector<container::TensorRecord> records;
  records.reserve(model.tensors.size());
  for (const ImportedTensor& tensor : model.tensors) {
    // Strides that no walk uses (dimensions of size 1, tensors without elements) have many spellings: one is kept
    // [D-STRIDES].
    const bool contiguous = IsContiguous(tensor.shape, tensor.strides);
    records.push_back({tensor.name,
                       tensor.dtype,
                       tensor.element_type,
                       tensor.shape,
                       contiguous ? ContiguousStrides(tensor.shape) : tensor.strides,
                       tensor.storage,
                       tensor.byte_offset,
                       {}});
  }
  return records;
}

}  // namespace safemodel
