// SPDX-License-Identifier: Apache-2.0
// Walks over value trees. None of them recurses: depth and shape are chosen by whoever made the file.
#pragma once

#include <vector>

#include <safemodel/limits.h>
#include <safemodel/result.h>
#include <safemodel/value_tree.h>

namespace safemodel {

// CheckFirstVisitOrder walks depth first from node 0, children in order, and checks that the node numbers are those of
// the walk, that every node is reached and that no path of the walk is longer than the limit ([T-ORDER]).
Status CheckFirstVisitOrder(const ValueTree& tree, const Limits& limits);

// ParentsFirst returns all nodes, each behind those that need it before they exist (its parents by edges that are not
// open). Such an order exists unless a cycle runs without an open edge: kMalformed "closed_cycle" ([T-CYCLE]).
Result<std::vector<NodeId>> ParentsFirst(const ValueTree& tree);

}  // namespace safemodel
