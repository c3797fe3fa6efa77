// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "model/loaded_model.h"

namespace safemodel {

// TensorStream hands out the contiguous bytes of one tensor after the other, in order and in bounded memory. What was
// decoded for small tensors is kept for the next ones, and what all of them together cost is bounded (DecodeBudget).
class TensorStream {
 public:
  // `model` must outlive the stream.
  explicit TensorStream(const LoadedModel& model) : model_(model) {}
  Status Stream(const Tensor& tensor, const ByteSink& sink);

 private:
  SharedSource SourceOf(std::uint32_t object, std::uint64_t produced);
  Status StreamLarge(const Tensor& tensor, const ByteSink& sink);

  const LoadedModel& model_;
  std::map<std::uint32_t, SharedSource> open_;
  std::map<std::uint32_t, SharedBudget> budgets_;
};

}  // namespace safemodel
