// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_numbers.h"

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint64_t kBlock = 16384;
constexpr std::uint64_t kMostUnpacked = std::uint64_t{64} << 20;  // of a compressed storage that a proof reads

}  // namespace

Result<ByteView> NumberRow::Item(std::uint64_t at) {
  const std::uint64_t width = BitsPerElement(dtype_) / 8;
  const std::uint64_t place = begin_ + at * step_;
  SAFEMODEL_TRY(proof_.Work(1));
  const bool inside = place >= block_begin_ && place + width <= block_begin_ + block_.size();
  if (!inside) {
    const std::uint64_t rest = begin_ + (size_ - 1) * step_ + width - place;
    const std::uint64_t wanted = step_ > kBlock ? width : std::min(kBlock, rest);
    SAFEMODEL_TRY(proof_.Work(wanted / width));
    block_.resize(wanted);
    block_begin_ = place;
    SAFEMODEL_TRY(source_->ReadAt(place, block_));
  }
  return ByteView(block_).subspan(place - block_begin_, width);
}

Result<std::int64_t> NumberRow::Integer(std::uint64_t at) {
  SAFEMODEL_ASSIGN(const ByteView item, Item(at));
  return IntegerAt(dtype_, item);
}

Result<double> NumberRow::Real(std::uint64_t at) {
  SAFEMODEL_ASSIGN(const ByteView item, Item(at));
  return RealAt(dtype_, item);
}

NumberRow NumberTensor::Row(Proof& proof, std::uint64_t number) const {
  const std::uint64_t width = BitsPerElement(view.dtype) / 8;
  std::uint64_t elements = 0;
  for (std::size_t d = rank() - 1; d-- > 0;) {
    elements += number % view.shape[d] * view.strides[d];
    number /= view.shape[d];
  }
  return {
      proof, source, view.dtype, view.byte_offset + elements * width, view.strides.back() * width, view.shape.back()};
}

NumberRow NumberTensor::All(Proof& proof) const {
  std::uint64_t count = 1;  // the tensor lies inside its storage, so its size does not overflow
  for (const std::uint64_t size : view.shape) count *= size;
  return {proof, source, view.dtype, view.byte_offset, BitsPerElement(view.dtype) / 8, count};
}

Result<ImportedTensor> ViewOf(Proof& proof, NodeIndex node, std::string_view part) {
  const ImportTables& tables = proof.context().tables;
  const auto found = tables.tensor_of.find(node);
  if (found == tables.tensor_of.end()) return proof.Refuse(part, "PyTorch takes a part of a tensor for a plain one");
  return tables.tensors[found->second];
}

Result<NumberTensor> NumbersOf(Proof& proof, NodeIndex node, std::span<const Dtype> types, std::string_view part) {
  SAFEMODEL_ASSIGN(ImportedTensor view, ViewOf(proof, node, part));
  const ImportTables& tables = proof.context().tables;
  const std::uint8_t flags = tables.tensor_flags[tables.tensor_of.at(node)];
  const bool literal = (flags & (kTensorNegative | kTensorConjugate)) == 0;
  if (!literal || std::ranges::find(types, view.dtype) == types.end()) {
    return proof.Refuse(part, "PyTorch takes the numbers of a tensor for numbers of another type");
  }
  SharedSource source = tables.storages[view.storage].source;
  if (source->sequential()) {  // rows may be read by turns
    SAFEMODEL_TRY(proof.Work(source->size()));
    ByteBuffer bytes;
    SAFEMODEL_ASSIGN(bytes, ReadRange(*source, 0, source->size(), kMostUnpacked));
    source = MakeMemorySource(std::move(bytes));
  }
  return NumberTensor{std::move(view), std::move(source)};
}

}  // namespace safemodel::pickle
