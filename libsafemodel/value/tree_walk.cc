// SPDX-License-Identifier: Apache-2.0
#include "value/tree_walk.h"

#include "base/try.h"
#include "value/node_rules.h"

namespace safemodel {
namespace {

struct Frame {
  NodeId node;
  std::uint32_t next;  // child to look at
};

Error BadOrder() {
  return {Stage::kMalformed, "node_order",
          "the nodes of the value tree are not numbered in the order of their first visit"};
}

}  // namespace

Status CheckFirstVisitOrder(const ValueTree& tree, const Limits& limits) {
  std::vector<Frame> path = {{0, 0}};
  NodeId unvisited = 1;  // every lower number was visited
  while (!path.empty()) {
    Frame& top = path.back();
    const std::span<const NodeId> children = tree.ChildrenOf(top.node);
    if (top.next == children.size()) {
      path.pop_back();
      continue;
    }
    const NodeId child = children[top.next++];
    if (child >= tree.size())
      return Error{Stage::kMalformed, "node_outside", "the value tree refers to a node that does not exist"};
    if (child < unvisited) continue;  // a second reference, or a cycle
    if (child != unvisited) return BadOrder();
    ++unvisited;
    if (path.size() >= limits.tree_depth) {
      return Error{Stage::kLimit, "tree_too_deep", "the value tree is nested deeper than the limit"};
    }
    if (!tree.ChildrenOf(child).empty()) path.push_back({child, 0});
  }
  if (unvisited != tree.size()) {
    return Error{Stage::kMalformed, "node_unreachable", "the value tree has nodes that its root does not reach"};
  }
  return {};
}

Result<std::vector<NodeId>> ParentsFirst(const ValueTree& tree) {
  const auto for_each_closed_child = [&tree](NodeId id, auto&& visit) {
    const std::span<const NodeId> children = tree.ChildrenOf(id);
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (!IsOpenEdge(tree.node(id), i)) visit(children[i]);
    }
  };
  std::vector<std::uint32_t> waiting(tree.size(), 0);  // closed edges from parents that are not in the order yet
  for (NodeId id = 0; id < tree.size(); ++id) for_each_closed_child(id, [&](NodeId child) { ++waiting[child]; });

  std::vector<NodeId> order;
  order.reserve(tree.size());
  for (NodeId id = 0; id < tree.size(); ++id) {
    if (waiting[id] == 0) order.push_back(id);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for_each_closed_child(order[i], [&](NodeId child) {
      if (--waiting[child] == 0) order.push_back(child);
    });
  }
  if (order.size() != tree.size()) {
    return Error{Stage::kMalformed, "closed_cycle",
                 "a value contains itself through parts that must exist before it does"};
  }
  return order;
}

}  // namespace safemodel
