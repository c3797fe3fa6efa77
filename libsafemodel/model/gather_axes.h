// SPDX-License-Identifier: Apache-2.0
// The loops of a view: what gathering one view and gathering many have in common.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/gather.h"

namespace safemodel {

// Axis is one dimension of a view: how many elements, how far apart they lie in the storage and in the result.
struct Axis {
  std::uint64_t count = 1;
  std::uint64_t in_step = 0;   // bytes
  std::uint64_t out_step = 0;  // bytes
};

// SaturatingMul multiplies; what is too large is the largest number.
std::uint64_t SaturatingMul(std::uint64_t a, std::uint64_t b);

// AxesOf drops dimensions of size 1 and joins those that run on without a gap, in row-major order.
std::vector<Axis> AxesOf(const TensorView& view);

// InStorageOrder sorts axes so that they descend by in_step; there is at least one.
std::vector<Axis> InStorageOrder(std::vector<Axis> axes);

// SpanOf returns the bytes from the first to the last byte that some axes touch.
std::uint64_t SpanOf(const std::vector<Axis>& axes, std::size_t first, std::uint64_t element_bytes);

// IsEmpty says whether a view has no elements.
bool IsEmpty(const TensorView& view);

// CheckScatter refuses views whose inner axes span far more than the outer ones step: each outer step would go back
// over it all, and a small file could keep a reader busy for ever. `axes` descend by in_step.
Status CheckScatter(const std::vector<Axis>& axes, std::uint64_t element_bytes);

// CopyRun spreads `count` elements. Both views are long enough: the callers cut them to the axis.
void CopyRun(ByteView in, std::uint64_t in_step, MutableBytes out, std::uint64_t out_step, std::uint64_t count,
             std::uint64_t width);

// Odometer counts through the outer axes, the last one fastest.
class Odometer {
 public:
  explicit Odometer(std::span<const Axis> axes) : axes_(axes), at_(axes.size(), 0) {}
  [[nodiscard]] std::uint64_t in() const { return in_; }
  [[nodiscard]] std::uint64_t out() const { return out_; }
  // Next returns false after the last position.
  bool Next();

 private:
  std::span<const Axis> axes_;
  std::vector<std::uint64_t> at_;
  std::uint64_t in_ = 0;
  std::uint64_t out_ = 0;
};

}  // namespace safemodel
