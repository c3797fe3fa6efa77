// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "base/try.h"
#include "value/builder.h"
#include "value/key_equality.h"
#include "value/node_rules.h"
#include "value/set_order.h"
#include "value/tree_assembler.h"
#include "value/tree_walk.h"

namespace safemodel {
namespace {

Status CheckTable(std::size_t nodes, const std::vector<NodeId>& children, const Limits& limits) {
  if (nodes == 0) return Error{Stage::kMalformed, "no_root", "the value tree has no root node"};
  if (nodes > limits.tree_nodes)
    return Error{Stage::kLimit, "too_many_nodes", "the value tree has more nodes than the limit"};
  if (children.size() > std::numeric_limits<std::uint32_t>::max()) {
    return Error{Stage::kLimit, "too_many_children", "the value tree has more references than 32 bits count"};
  }
  return {};
}

// PlaceNodes deals the two tables out: each node takes its count from where the one before it ended ([T-TILES]).
Result<std::vector<ValueTree::Node>> PlaceNodes(const std::vector<WireNode>& wire, std::size_t children,
                                                std::size_t payload) {
  std::vector<ValueTree::Node> nodes;
  nodes.reserve(wire.size());
  std::uint64_t next_child = 0;
  std::uint64_t next_byte = 0;
  for (const WireNode& node : wire) {
    if (node.kind < static_cast<std::uint8_t>(NodeKind::kNone) ||
        node.kind > static_cast<std::uint8_t>(NodeKind::kZoned)) {
      return Error{Stage::kUnsupported, "unknown_node_kind",
                   "the value tree has a node of a kind that this version does not know"};
    }
    const auto kind = static_cast<NodeKind>(node.kind);
    std::uint64_t& next = HasChildren(kind) ? next_child : next_byte;
    nodes.push_back({kind, node.flags, node.count, next});
    next += node.count;  // cannot wrap: fewer than 2^32 nodes of less than 2^32 each
  }
  if (next_child != children || next_byte != payload) {
    return Error{Stage::kMalformed, "tree_not_tiled", "the nodes of the value tree do not use up its tables exactly"};
  }
  return nodes;
}

bool HasSets(const ValueTree& tree) {
  return std::any_of(tree.nodes().begin(), tree.nodes().end(), [](const ValueTree::Node& node) {
    return node.kind == NodeKind::kSet || node.kind == NodeKind::kFrozenset;
  });
}

}  // namespace

Status CheckValueTree(const ValueTree& tree, std::uint32_t tensor_count, const Limits& limits) {
  for (NodeId id = 0; id < tree.size(); ++id) SAFEMODEL_TRY(CheckNode(tree, id, tensor_count, limits));
  SAFEMODEL_TRY(CheckFirstVisitOrder(tree, limits));
  for (NodeId id = 0; id < tree.size(); ++id) SAFEMODEL_TRY(CheckChildKinds(tree, id));
  SAFEMODEL_ASSIGN(const std::vector<NodeId> parents_first, ParentsFirst(tree));
  SAFEMODEL_TRY(CheckKeys(tree, parents_first));
  return HasSets(tree) ? CheckSetOrder(tree) : Status();
}

Result<ValueTree> ParseValueTree(const std::vector<WireNode>& nodes, std::vector<NodeId> children, ByteBuffer payload,
                                 std::uint32_t tensor_count, const Limits& limits) {
  SAFEMODEL_TRY(CheckTable(nodes.size(), children, limits));
  SAFEMODEL_ASSIGN(std::vector<ValueTree::Node> placed, PlaceNodes(nodes, children.size(), payload.size()));
  ValueTree tree = ValueTreeAssembler::Assemble(std::move(placed), std::move(children), std::move(payload));
  SAFEMODEL_TRY(CheckValueTree(tree, tensor_count, limits));
  return tree;
}

}  // namespace safemodel
