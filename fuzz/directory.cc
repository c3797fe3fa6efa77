// SPDX-License-Identifier: Apache-2.0
// The directory. Input: number of objects u8, for each its kind u8 and plain size u32, then the directory's bytes. What
// is accepted lies within the limits and its storages, and is the same when it was written and read again.
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "base/try.h"
#include "container/parse.h"
#include "fuzz/property.h"
#include "value/tensor_view.h"

namespace {

using namespace safemodel;             // NOLINT(google-build-using-namespace)
using namespace safemodel::container;  // NOLINT(google-build-using-namespace)

Result<std::vector<ObjectRecord>> TakeObjects(ByteReader& reader) {
  SAFEMODEL_ASSIGN(const std::uint8_t count, reader.U8());
  std::vector<ObjectRecord> objects(std::size_t{count} + 1);
  objects[0].kind = ObjectKind::kDirectory;
  for (std::size_t i = 1; i < objects.size(); ++i) {
    SAFEMODEL_ASSIGN(const std::uint8_t kind, reader.U8());
    SAFEMODEL_ASSIGN(objects[i].plain_size, reader.U32());
    objects[i].kind = kind % 2 == 0 ? ObjectKind::kStorage : ObjectKind::kFile;
  }
  return objects;
}

// CheckWithin proves with arithmetic of its own that a tensor lies within its storage.
void CheckWithin(const Directory& directory, const TensorRecord& tensor, const std::vector<ObjectRecord>& objects) {
  const std::uint64_t storage_bytes = objects[directory.storages[tensor.storage]].plain_size;
  const auto bits = ElementBits(tensor.dtype, tensor.element_type, directory.element_types);
  SAFEMODEL_PROPERTY(bits.ok());
  __extension__ using Wide = unsigned __int128;
  Wide last = 0;
  bool empty = false;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (tensor.shape[i] == 0) empty = true;
    if (tensor.shape[i] != 0) last += Wide{tensor.shape[i] - 1} * tensor.strides[i];
  }
  const Wide extent_bytes = empty ? 0 : ((last + 1) * bits.value() + 7) / 8;
  SAFEMODEL_PROPERTY(tensor.byte_offset + extent_bytes <= storage_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Limits limits;
  ByteReader reader(ByteView(data, size));
  const auto objects = TakeObjects(reader);
  if (!objects.ok()) return 0;
  const auto directory = ParseDirectory(reader.TakeRest(), Manifest{}, objects.value(), limits);
  if (!directory.ok()) {
    SAFEMODEL_PROPERTY(directory.error().stage != Stage::kInternal);
    return 0;
  }
  const Directory& parsed = directory.value();
  SAFEMODEL_PROPERTY(parsed.tensors.size() <= limits.tensors && parsed.files.size() <= limits.files);
  for (const TensorRecord& tensor : parsed.tensors) CheckWithin(parsed, tensor, objects.value());
  const auto written = SerializeDirectory(parsed);
  SAFEMODEL_PROPERTY(written.ok());
  const auto again = ParseDirectory(written.value(), Manifest{}, objects.value(), limits);
  SAFEMODEL_PROPERTY(again.ok() && again.value() == parsed);
  return 0;
}
