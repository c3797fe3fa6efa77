// SPDX-License-Identifier: Apache-2.0
// Files of joblib, with companions. Input: length of a companion u16 (little-endian), its bytes, then the file, which
// finds the companion under every name. Properties: a refusal is no internal error; the arrays of what is accepted lie
// inside their storages and can be read; the same again gives the same tree; a file that is cut is never accepted.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/cursor.h"
#include "fuzz/property.h"
#include "pickle/import.h"
#include "value/tensor_view.h"

namespace {

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

constexpr std::uint64_t kMostRead = 1u << 20;

SharedSource Memory(ByteView bytes) { return MakeMemorySource(ByteBuffer(bytes.begin(), bytes.end())); }

Result<ImportedModel> Import(ByteView file, ByteView companion) {
  ImportOptions options;
  options.limits.tree_nodes = 1u << 20;
  options.open_sibling = [companion](const std::string& name) -> Result<SharedSource> {
    SAFEMODEL_PROPERTY(!name.empty() && name.find('/') == std::string::npos && name != "..");
    return Memory(companion);
  };
  return ImportPickleFamily(Memory(file), options);
}

void CheckArrays(const ImportedModel& model) {
  for (const ImportedTensor& tensor : model.tensors) {
    const ByteSource& source = *model.storages.at(tensor.storage).source;
    const auto bits = ElementBits(tensor.dtype, tensor.element_type, model.element_types);
    SAFEMODEL_PROPERTY(bits.ok());
    SAFEMODEL_PROPERTY(CheckView(bits.value(), tensor.shape, tensor.strides, tensor.byte_offset, source.size()).ok());
    const std::uint64_t size = std::min(source.size(), kMostRead);
    SAFEMODEL_PROPERTY(ReadRange(source, source.size() - size, size, size).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader(ByteView(data, size));
  const auto length = reader.U16();
  const auto companion = length.ok() ? reader.Take(length.value()) : Result<ByteView>(length.error());
  if (!companion.ok()) return 0;
  const ByteView file = reader.TakeRest();
  const auto model = Import(file, companion.value());
  if (!model.ok()) {
    SAFEMODEL_PROPERTY(model.error().stage != Stage::kInternal);
    SAFEMODEL_PROPERTY(model.error().stage != Stage::kIo);
    return 0;
  }
  if (!model.value().layout.starts_with("joblib")) return 0;
  CheckArrays(model.value());
  const auto again = Import(file, companion.value());
  SAFEMODEL_PROPERTY(again.ok() && again.value().tree == model.value().tree);
  SAFEMODEL_PROPERTY(!Import(file.first(file.size() - 1), companion.value()).ok() || file.back() == 0);
  return 0;
}
