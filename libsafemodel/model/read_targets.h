// SPDX-License-Identifier: Apache-2.0
// Plain bytes of several views at once, from chunks that are decoded once.
#pragma once

#include <vector>

#include "model/loaded_model.h"

namespace safemodel {

// ReadTarget is one destination and the view that fills it.
struct ReadTarget {
  const Tensor* tensor = nullptr;
  MutableBytes out;
  std::uint32_t object = 0;
  std::uint64_t begin = 0;  // of a contiguous view, in the object
  bool contiguous = true;
  TensorView view;  // of another one
  std::uint64_t elements = 0;
};

// ReadTargets fills all targets with several threads. Chunks of contiguous views are decoded once each, however many
// views lie in one; what strided views cost is bounded (DecodeBudget). One error is returned, the same for any number
// of threads; destinations are then unspecified.
Status ReadTargets(const LoadedModel& model, const std::vector<ReadTarget>& targets, const Progress& progress);

}  // namespace safemodel
