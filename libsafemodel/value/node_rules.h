// SPDX-License-Identifier: Apache-2.0
// The rules of single nodes: their flags, their payload, the kinds of their children.
#pragma once

#include <cstdint>

#include <safemodel/limits.h>
#include <safemodel/result.h>
#include <safemodel/value_tree.h>

namespace safemodel {

// CheckNode checks flags, count and payload of node `id` alone: nothing of its children. Its count of bytes or children
// lies within the tables already.
Status CheckNode(const ValueTree& tree, NodeId id, std::uint32_t tensor_count, const Limits& limits);

// CheckChildKinds checks that the children of node `id`, all of them existing nodes, are of kinds that can stand there.
Status CheckChildKinds(const ValueTree& tree, NodeId id);

// IsOpenEdge says whether child `index` of a node can be put in place after the node exists: list items, dict values,
// and state and items of objects. Every cycle must run through such an edge, or nobody could build it.
bool IsOpenEdge(const ValueTree::Node& node, std::size_t index);

}  // namespace safemodel
