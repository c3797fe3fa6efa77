// SPDX-License-Identifier: Apache-2.0
// Safetensors. Input: a whole file. What is accepted has one owner for each byte of its data, and comes back the same
// when it is written again and read.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "formats/safetensors.h"
#include "formats/safetensors_writer.h"
#include "fuzz/property.h"
#include "value/tensor_view.h"

namespace {

using namespace safemodel;           // NOLINT(google-build-using-namespace)
using namespace safemodel::formats;  // NOLINT(google-build-using-namespace)

std::uint64_t SizeOf(const ImportedModel& model, const ImportedTensor& tensor) {
  return model.storages[tensor.storage].source->size();
}

void CheckModel(const ImportedModel& model, std::uint64_t file_bytes) {
  std::uint64_t total = 0;
  for (const ImportedTensor& tensor : model.tensors) {
    SAFEMODEL_PROPERTY(
        CheckView(BitsPerElement(tensor.dtype), tensor.shape, tensor.strides, 0, SizeOf(model, tensor)).ok());
    total += SizeOf(model, tensor);
  }
  SAFEMODEL_PROPERTY(total <= file_bytes && model.storages.size() == model.tensors.size());
  SAFEMODEL_PROPERTY(std::adjacent_find(model.tensors.begin(), model.tensors.end(), [](const auto& a, const auto& b) {
                       return a.name >= b.name;
                     }) == model.tensors.end());
}

void CheckWrittenAgain(const ImportedModel& model) {
  std::vector<ExportEntry> entries;
  for (const ImportedTensor& tensor : model.tensors) {
    entries.push_back({tensor.name, tensor.dtype, 0, tensor.shape, SizeOf(model, tensor)});
  }
  const auto layout = PlanSafetensors(entries, SafetensorsMetadata(model.metadata));
  SAFEMODEL_PROPERTY(layout.ok());
  ByteBuffer file = layout.value().head;
  file.resize(static_cast<std::size_t>(layout.value().file_bytes));
  const auto again = ReadSafetensors(MakeMemorySource(std::move(file)), {});
  SAFEMODEL_PROPERTY(again.ok());
  SAFEMODEL_PROPERTY(again.value().metadata == model.metadata);
  SAFEMODEL_PROPERTY(std::equal(model.tensors.begin(), model.tensors.end(), again.value().tensors.begin(),
                                again.value().tensors.end(), [](const ImportedTensor& a, const ImportedTensor& b) {
                                  return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape;
                                }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = ReadSafetensors(MakeMemorySource(ByteBuffer(data, data + size)), {});
  if (!model.ok()) {
    const Stage stage = model.error().stage;
    SAFEMODEL_PROPERTY(stage == Stage::kMalformed || stage == Stage::kUnsupported || stage == Stage::kLimit);
    return 0;
  }
  CheckModel(model.value(), size);
  CheckWrittenAgain(model.value());
  return 0;
}
