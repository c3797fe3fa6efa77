// SPDX-License-Identifier: Apache-2.0
// Reading the numbers of tensors of PyTorch for proofs: views with strides, in blocks, with a bound on the work.
#pragma once

#include <cstdint>
#include <vector>

#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/struct_proof.h"

namespace safemodel::pickle {

// NumberRow is the last dimension of a tensor: `size` numbers.
class NumberRow {
 public:
  NumberRow(Proof& proof, SharedSource source, Dtype dtype, std::uint64_t begin, std::uint64_t step, std::uint64_t size)
      : proof_(proof), source_(std::move(source)), dtype_(dtype), begin_(begin), step_(step), size_(size) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }
  // The number at a position below size(). Reading in order is cheap. kLimit when all proofs together read far more
  // than the file has.
  [[nodiscard]] Result<std::int64_t> Integer(std::uint64_t at);
  [[nodiscard]] Result<double> Real(std::uint64_t at);

 private:
  Result<ByteView> Item(std::uint64_t at);

  Proof& proof_;
  SharedSource source_;
  Dtype dtype_;
  std::uint64_t begin_;  // of the first number
  std::uint64_t step_;   // bytes from one to the next
  std::uint64_t size_;
  std::uint64_t block_begin_ = 0;
  ByteBuffer block_;
};

// NumberTensor is a tensor whose numbers a proof reads. It lies inside its storage: the rule that made it has proven
// that.
struct NumberTensor {
  ImportedTensor view;
  SharedSource source;

  [[nodiscard]] const std::vector<std::uint64_t>& shape() const { return view.shape; }
  [[nodiscard]] std::size_t rank() const { return view.shape.size(); }
  // Row returns one row; `number` counts them by the dimensions in front of the last one, which there must be.
  [[nodiscard]] NumberRow Row(Proof& proof, std::uint64_t number) const;
  // All returns all numbers of a contiguous tensor as one row.
  [[nodiscard]] NumberRow All(Proof& proof) const;
};

// ViewOf returns the tensor that a node stands for. It refuses, about `part`, what is no plain tensor.
Result<ImportedTensor> ViewOf(Proof& proof, NodeIndex node, std::string_view part);

// NumbersOf returns a tensor to read. It refuses types that are none of `types`, and numbers that are not what they
// look like because a negation is pending.
Result<NumberTensor> NumbersOf(Proof& proof, NodeIndex node, std::span<const Dtype> types, std::string_view part);

}  // namespace safemodel::pickle
