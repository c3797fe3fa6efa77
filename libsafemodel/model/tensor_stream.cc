// SPDX-License-Identifier: Apache-2.0
#include "model/tensor_stream.h"

#include <algorithm>

#include "base/try.h"
#include "model/read_targets.h"
#include "value/tensor_view.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kStreamBytes = 32u << 20;  // what all threads read together while a tensor is streamed
constexpr std::uint64_t kSmallBytes = 4u << 20;    // up to here the chunk it lies in is worth keeping
constexpr std::size_t kOpenObjects = 8;            // whose chunks are kept at once

}  // namespace

SharedSource TensorStream::SourceOf(std::uint32_t object, std::uint64_t produced) {
  SharedBudget& budget = budgets_[object];
  if (!budget) {
    budget = std::make_shared<DecodeBudget>(model_.store->objects()[object].plain_size, model_.limits);
  }
  budget->Allow(produced);
  if (open_.size() >= kOpenObjects && open_.count(object) == 0) open_.clear();
  SharedSource& source = open_[object];
  if (!source) source = model_.store->Plain(object, budget);
  return source;
}

// StreamLarge reads with all threads. Chunks at both ends are decoded for this tensor alone, which its size pays for.
Status TensorStream::StreamLarge(const Tensor& tensor, const ByteSink& sink) {
  const std::uint32_t object = model_.storages[tensor.storage];
  ByteBuffer part;
  for (std::uint64_t done = 0; done < tensor.bytes; done += part.size()) {
    part.resize(static_cast<std::size_t>(std::min(kStreamBytes, tensor.bytes - done)));
    SAFEMODEL_TRY(ReadTargets(model_, {ReadTarget{&tensor, part, object, tensor.byte_offset + done, true, {}, 0}}, {}));
    SAFEMODEL_TRY(sink(part));
  }
  return {};
}

Status TensorStream::Stream(const Tensor& tensor, const ByteSink& sink) {
  PlainChecker checker(tensor.dtype, tensor.elements);
  const ByteSink checked = [&](ByteView bytes) -> Status {
    SAFEMODEL_TRY(checker.Update(bytes));
    return sink(bytes);
  };
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(tensor.dtype, tensor.element_type, model_.element_types));
  const bool contiguous = IsContiguous(tensor.shape, tensor.strides);
  Status status;
  if (contiguous && tensor.bytes > kSmallBytes) {
    status = StreamLarge(tensor, checked);
  } else {
    const SharedSource source = SourceOf(model_.storages[tensor.storage], tensor.bytes);
    if (contiguous) {
      status = StreamRange(*source, tensor.byte_offset, tensor.bytes, checked);
    } else {
      const std::uint64_t block = std::clamp(tensor.bytes / 16, kLeastBlockBytes, kMostBlockBytes);
      status = StreamGathered(*source, {bits / 8, tensor.shape, tensor.strides, tensor.byte_offset}, block, checked);
    }
  }
  if (status.ok() || !status.error().subject.empty()) return status;
  Error error = status.error();
  error.subject = tensor.name;
  return error;
}

}  // namespace safemodel
