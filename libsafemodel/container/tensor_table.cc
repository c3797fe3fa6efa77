// SPDX-License-Identifier: Apache-2.0
// Spec section 6: tensors.
#include <algorithm>
#include <limits>

#include "container/directory_tables.h"
#include "container/names.h"
#include "value/tensor_view.h"

namespace safemodel::container {
namespace {

// Readers hand strides on to libraries that hold them as signed numbers.
constexpr std::uint64_t kMostStride = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

Error About(Error error, const TensorRecord& tensor) {
  error.subject = tensor.name;
  return error;
}

// CheckTensor applies what can be said about one tensor without knowing how large its storage is.
Status CheckTensor(const TensorRecord& tensor, std::string_view last_name, const Directory& directory,
                   const Limits& limits) {
  SAFEMODEL_TRY(CheckTensorName(tensor.name, limits));
  // [D-NAMES] Readers search by halves: out of order, an entry could hide, or two have one name.
  if (tensor.name <= last_name)
    return Malformed("tensor_order", "names of tensors are not strictly ascending", tensor.name);
  if (tensor.shape.size() > limits.rank)
    return OverLimit("high_rank", "a tensor has more dimensions than the limit", tensor.name);
  if (tensor.strides.size() != tensor.shape.size()) {
    return Malformed("bad_strides", "a tensor has not one stride for each dimension", tensor.name);
  }
  if (std::any_of(tensor.strides.begin(), tensor.strides.end(),
                  [](std::uint64_t stride) { return stride > kMostStride; })) {
    return Malformed("bad_strides", "a stride is negative", tensor.name);
  }
  if (tensor.storage >= directory.storages.size()) {
    return Malformed("storage_outside", "a tensor names a storage that does not exist", tensor.name);
  }
  const auto bits = ElementBits(tensor.dtype, tensor.element_type, directory.element_types);
  if (!bits.ok()) return About(bits.error(), tensor);
  const auto elements = ElementCount(tensor.shape);
  if (!elements.ok()) return About(elements.error(), tensor);
  if (bits.value() % 8 != 0 && tensor.strides != ContiguousStrides(tensor.shape)) {
    return Malformed("packed_strided", "a tensor of elements smaller than a byte is not contiguous", tensor.name);
  }
  return {};
}

Result<std::vector<std::uint64_t>> DecodeStrides(const WireReader& reader, const wire::Tensor& entry,
                                                 const TensorRecord& tensor, const Limits& limits) {
  if (entry.strides() == nullptr) return ContiguousStrides(tensor.shape);
  SAFEMODEL_ASSIGN(auto strides, reader.Numbers(entry.strides(), limits.rank));
  if (strides == ContiguousStrides(tensor.shape)) {  // [D-STRIDES] one way to write each tensor
    return Malformed("redundant_strides", "strides are stated although they follow from the shape");
  }
  return strides;
}

Result<TensorRecord> DecodeTensor(WireReader& reader, const wire::Tensor& entry, const Limits& limits) {
  TensorRecord tensor;
  SAFEMODEL_TRY(reader.CheckTable(&entry));
  SAFEMODEL_ASSIGN(tensor.name, reader.Text(entry.name(), limits.name_bytes));
  SAFEMODEL_ASSIGN(const DtypeReference reference, DecodeDtype(entry.dtype(), entry.element_type()));
  tensor.dtype = reference.dtype;
  tensor.element_type = reference.element_type;
  if (entry.shape() == nullptr) return MissingField();
  SAFEMODEL_ASSIGN(tensor.shape, reader.Numbers(entry.shape(), limits.rank));
  // Strides follow from the shape by multiplication, so the shape is checked first.
  SAFEMODEL_TRY(ElementCount(tensor.shape));
  SAFEMODEL_ASSIGN(tensor.strides, DecodeStrides(reader, entry, tensor, limits));
  SAFEMODEL_ASSIGN(tensor.storage, Required(entry.storage()));
  SAFEMODEL_ASSIGN(tensor.byte_offset, Required(entry.byte_offset()));
  if (entry.digest() != nullptr) {
    SAFEMODEL_ASSIGN(tensor.digest, DigestOf(entry.digest()));
  }
  return tensor;
}

// CheckTensorInStorage proves that a tensor lies within its storage, and that it states a digest exactly if it may.
Status CheckTensorInStorage(const TensorRecord& tensor, const Directory& directory, std::uint64_t storage_bytes) {
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(tensor.dtype, tensor.element_type, directory.element_types));
  SAFEMODEL_TRY(CheckView(bits, tensor.shape, tensor.strides, tensor.byte_offset, storage_bytes));  // [D-VIEW]
  SAFEMODEL_ASSIGN(const std::uint64_t elements, ElementCount(tensor.shape));
  SAFEMODEL_ASSIGN(const std::uint64_t contiguous, ContiguousBytes(elements, bits));
  if (tensor.digest.has_value() == IsExpanded(contiguous, storage_bytes)) {  // [D-DIGEST]
    return Malformed("bad_tensor_digest", "a tensor states a digest unless it is expanded, and then it states none");
  }
  return {};
}

}  // namespace

Status CheckTensors(const Directory& directory, const Limits& limits) {
  if (directory.tensors.size() > limits.tensors)
    return OverLimit("many_tensors", "there are more tensors than the limit");
  std::string_view last_name;
  for (const TensorRecord& tensor : directory.tensors) {
    SAFEMODEL_TRY(CheckTensor(tensor, last_name, directory, limits));
    last_name = tensor.name;
  }
  return {};
}

Result<std::vector<TensorRecord>> DecodeTensors(WireReader& reader, const WireTensors* entries,
                                                const Directory& directory, const Limits& limits) {
  std::vector<TensorRecord> tensors;
  tensors.reserve(SizeOf(entries));  // at most 2^22, and each has four bytes in the buffer
  for (std::uint32_t i = 0; i < SizeOf(entries); ++i) {
    auto tensor = DecodeTensor(reader, *entries->Get(i), limits);
    if (!tensor.ok()) return tensor.error();
    const std::string_view last_name = tensors.empty() ? std::string_view() : tensors.back().name;
    SAFEMODEL_TRY(CheckTensor(tensor.value(), last_name, directory, limits));
    tensors.push_back(std::move(tensor).value());
  }
  return tensors;
}

flatbuffers::Offset<WireTensors> EncodeTensors(flatbuffers::FlatBufferBuilder& builder,
                                               const std::vector<TensorRecord>& tensors) {
  std::vector<flatbuffers::Offset<wire::Tensor>> entries;
  entries.reserve(tensors.size());
  for (const TensorRecord& tensor : tensors) {
    const auto name = builder.CreateString(tensor.name);
    const auto shape = builder.CreateVector(tensor.shape);
    const bool contiguous = tensor.strides == ContiguousStrides(tensor.shape);
    const auto strides = contiguous ? 0 : builder.CreateVector(tensor.strides);
    const wire::Hash digest = WireDigest(tensor.digest.value_or(Digest{}));
    entries.push_back(wire::CreateTensor(
        builder, name, static_cast<std::uint8_t>(tensor.dtype), WireElementType(tensor.dtype, tensor.element_type),
        shape, strides, tensor.storage, tensor.byte_offset, tensor.digest.has_value() ? &digest : nullptr));
  }
  return builder.CreateVector(entries);
}

Status CheckTensorsInStorages(const Directory& directory, std::span<const std::uint64_t> storage_bytes) {
  for (const TensorRecord& tensor : directory.tensors) {
    const Status status = CheckTensorInStorage(tensor, directory, storage_bytes[tensor.storage]);
    if (!status.ok()) return About(status.error(), tensor);
  }
  return {};
}

}  // namespace safemodel::container
