// SPDX-License-Identifier: Apache-2.0
// Structures that native code trusts, with one field changed. Input: where u32, width u8, value u64 (little-endian),
// then a pickle, of which up to eight bytes at `where` (modulo its size) become those of the value. Properties: a
// refusal is no internal error; the arrays of what is accepted lie inside their storages, and whatever structures it
// holds keep what structure_invariants.h says that native code takes for granted.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "fuzz/property.h"
#include "fuzz/structure_invariants.h"
#include "pickle/import.h"

namespace {

using namespace safemodel;  // NOLINT(google-build-using-namespace)

// Change is one field that lies.
void Change(ByteBuffer& pickle, std::uint32_t where, std::uint8_t width, std::uint64_t value) {
  if (pickle.empty()) return;
  const std::size_t begin = where % pickle.size();
  const std::size_t count = std::min<std::size_t>({width, 8, pickle.size() - begin});
  for (std::size_t i = 0; i < count; ++i) pickle[begin + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

void CheckArrays(const ImportedModel& model) {
  for (const ImportedTensor& tensor : model.tensors) {
    const ByteSource& source = *model.storages.at(tensor.storage).source;
    const auto bits = ElementBits(tensor.dtype, tensor.element_type, model.element_types);
    SAFEMODEL_PROPERTY(bits.ok());
    SAFEMODEL_PROPERTY(CheckView(bits.value(), tensor.shape, tensor.strides, tensor.byte_offset, source.size()).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader(ByteView(data, size));
  const auto where = reader.U32();
  const auto width = reader.U8();
  const auto value = reader.U64();
  if (!where.ok() || !width.ok() || !value.ok()) return 0;
  const ByteView rest = reader.TakeRest();
  ByteBuffer pickle(rest.begin(), rest.end());
  Change(pickle, where.value(), width.value(), value.value());
  pickle::ImportOptions options;
  options.limits.tree_nodes = 1u << 20;
  const auto model = pickle::ImportPickleFamily(MakeMemorySource(std::move(pickle)), options);
  if (!model.ok()) {
    SAFEMODEL_PROPERTY(model.error().stage != Stage::kInternal);
    SAFEMODEL_PROPERTY(model.error().stage != Stage::kIo);
    return 0;
  }
  CheckArrays(model.value());
  fuzz::CheckStructures(model.value());
  return 0;
}
