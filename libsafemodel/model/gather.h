// SPDX-License-Identifier: Apache-2.0
// From views of a storage to contiguous row-major bytes, in bounded memory.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/source.h"

namespace safemodel {

// TensorView is a view whose place in its storage was proved (CheckView). Elements are whole bytes.
struct TensorView {
  std::uint64_t element_bytes = 1;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> strides;  // in elements
  std::uint64_t byte_offset = 0;
};

using ByteSink = std::function<Status(ByteView)>;

// StreamRange hands a range of a source to `sink`, in order, in pieces of at most 1 MiB.
Status StreamRange(const ByteSource& source, std::uint64_t offset, std::uint64_t bytes, const ByteSink& sink);

// Gather writes the contiguous bytes of a view to `out`, which is as long as they are. The storage is read in the order
// in which it lies, so each part is read about once. Errors: those of the source; kLimit "scattered_view" for a view
// that would go to and fro between far places.
Status Gather(const ByteSource& source, const TensorView& view, MutableBytes out);

// GatherTarget is one view of several, and where it goes.
struct GatherTarget {
  const TensorView* view = nullptr;
  MutableBytes out;
  std::string_view name;  // the subject of errors
};

// GatherMany fills many views of one source. Where many views interleave (the columns of a matrix, each a tensor) they
// are filled together in one pass, so the source is read a few times and not once for each of them.
Status GatherMany(const ByteSource& source, std::span<const GatherTarget> targets);

// ViewEnd returns the offset behind the last byte that a view touches.
std::uint64_t ViewEnd(const TensorView& view);

// How large a block may be. Where each block decodes its whole storage again, large tensors want large ones.
inline constexpr std::uint64_t kLeastBlockBytes = 32u << 20;
inline constexpr std::uint64_t kMostBlockBytes = 256u << 20;

// StreamGathered hands the contiguous bytes of a view to `sink` in order, through a buffer of `block_bytes`.
Status StreamGathered(const ByteSource& source, const TensorView& view, std::uint64_t block_bytes,
                      const ByteSink& sink);

}  // namespace safemodel
