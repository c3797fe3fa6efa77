// SPDX-License-Identifier: Apache-2.0
// Headers of .npy files. Input: the file. Properties: a header that is read lies in the file, and its type is one that
// the table holds: records inside their size, fields in order and apart; refusals name a stage of the reader.
#include <cstddef>
#include <cstdint>

#include "fuzz/property.h"
#include "pickle/npy_header.h"

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Limits limits;
  std::vector<ElementType> types;
  ElementTypeTable table(types, limits);
  const auto header = ReadNpyHeader(*MakeMemorySource(ByteBuffer(data, data + size)), table);
  if (!header.ok()) {
    const Stage stage = header.error().stage;
    SAFEMODEL_PROPERTY(stage == Stage::kMalformed || stage == Stage::kUnsupported || stage == Stage::kLimit);
    return 0;
  }
  const NpyHeader& read = header.value();
  SAFEMODEL_PROPERTY(read.data_offset <= size && read.shape.size() <= limits.rank && read.type.item_size > 0);
  const bool objects = read.type.objects == DtypeNote::Objects::kYes;
  if (IsExtended(read.type.dtype) && !objects) {
    SAFEMODEL_PROPERTY(read.type.element_type < types.size());
    SAFEMODEL_PROPERTY(types[read.type.element_type].item_size == read.type.item_size);
  }
  for (const ByteSwap& swap : read.type.swaps) {
    SAFEMODEL_PROPERTY(std::uint64_t{swap.offset} + std::uint64_t{swap.width} * swap.count <= read.type.item_size);
  }
  for (const ElementType& type : types) {
    std::uint64_t end = 0;
    for (const Field& field : type.fields) {
      SAFEMODEL_PROPERTY(field.offset >= end && field.offset <= type.item_size);
      end = field.offset;
    }
  }
  return 0;
}
