// SPDX-License-Identifier: Apache-2.0
// The pickle machine, the judge, the layouts and the value tree. Input: mode u8, then a pickle; bit 0 of the mode keeps
// unknown names, bit 1 reads it as the data.pkl of a torch file whose storages have 64 bytes.
//   refused: never an internal error   accepted: tensors lie inside their storages, and the same again gives the same
//   tree
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "fuzz/property.h"
#include "pickle/findings.h"
#include "pickle/finish_import.h"
#include "pickle/torch_layout.h"
#include "value/tensor_view.h"

namespace {

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

Result<ImportedModel> ImportTorchStream(SharedSource stream, const ImportOptions& options) {
  Graph graph(std::move(stream));
  ImportTables tables;
  TorchLayout layout([](std::string_view) -> Result<SharedSource> { return MakeMemorySource(ByteBuffer(64)); });
  Findings findings;
  RuleContext context{graph, tables, options.limits, findings};
  const auto result = RunMachine(context, 0, {.unknown = options.unknown, .layout = &layout});
  if (!result.ok()) return result.error();
  return FinishImport(graph, std::move(tables), result.value().root, "torch-zip", options);
}

Result<ImportedModel> Import(std::uint8_t mode, ByteView bytes) {
  ImportOptions options;
  options.limits.tree_nodes = 1u << 20;
  if ((mode & 1) != 0) options.unknown = ConvertOptions::Unknown::kKeepInert;
  const SharedSource source = MakeMemorySource(ByteBuffer(bytes.begin(), bytes.end()));
  return (mode & 2) != 0 ? ImportTorchStream(source, options) : ImportPickleFamily(source, options);
}

void CheckModel(const ImportedModel& model) {
  for (const ImportedTensor& tensor : model.tensors) {
    SAFEMODEL_PROPERTY(!tensor.name.empty());
    SAFEMODEL_PROPERTY(tensor.storage < model.storages.size());
    const auto bits = ElementBits(tensor.dtype, tensor.element_type, model.element_types);
    SAFEMODEL_PROPERTY(bits.ok());
    const std::uint64_t bytes = model.storages[tensor.storage].source->size();
    SAFEMODEL_PROPERTY(CheckView(bits.value(), tensor.shape, tensor.strides, tensor.byte_offset, bytes).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data, size);
  const auto model = Import(input[0], input.subspan(1));
  if (!model.ok()) {
    SAFEMODEL_PROPERTY(model.error().stage != Stage::kInternal);
    SAFEMODEL_PROPERTY(model.error().stage != Stage::kIo);
    return 0;
  }
  CheckModel(model.value());
  const auto again = Import(input[0], input.subspan(1));
  SAFEMODEL_PROPERTY(again.ok() && again.value().tree == model.value().tree);
  return 0;
}
