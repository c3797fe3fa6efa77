// SPDX-License-Identifier: Apache-2.0
// The canonical order of set items: Python's own order changes from run to run, and digests must not.
#pragma once

#include <safemodel/result.h>
#include <safemodel/value_tree.h>

namespace safemodel {

inline constexpr std::uint64_t kSetItemBytes = 64u << 10;  // one item's encoding

// SetItemBytesTotal returns how many bytes the encodings of all items of a tree may have together: 16 MiB and 32 times
// the bytes of its tables. Sharing could make them exponentially more, and comparing them would take as long.
std::uint64_t SetItemBytesTotal(const ValueTree& tree);

// CheckSetOrder checks that the items of every set and frozenset stand in ascending order of their canonical encodings.
// Items of equal encodings may stand side by side: CheckKeys decides whether they are equal (objects and NaN are not).
// Errors: kMalformed "set_order", "set_cycle" (an item from which its own set is reached); kUnsupported "tensor_in_set"
// (tensors have no encoding); kLimit "set_item_too_large", "sets_too_large".
Status CheckSetOrder(const ValueTree& tree);

// SortSets brings the items of all sets in canonical order, inner sets first. Node numbers stay, so that the tree is no
// longer in first-visit order. Errors as CheckSetOrder.
Status SortSets(ValueTree& tree);

}  // namespace safemodel
