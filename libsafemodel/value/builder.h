// SPDX-License-Identifier: Apache-2.0
// Making value trees: ValueTreeBuilder for readers of foreign formats, ParseValueTree for the container.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/result.h>
#include <safemodel/value_tree.h>

namespace safemodel {

// ValueTreeBuilder collects nodes in any order; children may be set after the node was added, so cycles are possible.
// Finish keeps what the root reaches, puts sets in canonical order, numbers the nodes as the format demands and checks
// the result exactly as a reader of the container would.
class ValueTreeBuilder {
 public:
  NodeId Leaf(NodeKind kind, ByteView payload = {}, std::uint8_t flags = 0);
  NodeId Str(std::string_view text);
  NodeId Int(std::int64_t value);
  NodeId IntBytes(ByteView twos_complement);  // little-endian, any length; made minimal
  NodeId Float(double value);
  NodeId Tensor(std::uint32_t index, std::uint8_t flags);
  NodeId Global(std::string_view module, std::string_view name);
  NodeId Parent(NodeKind kind, std::span<const NodeId> children, std::uint8_t flags = 0);
  NodeId Parent(NodeKind kind, std::initializer_list<NodeId> children, std::uint8_t flags = 0) {
    return Parent(kind, std::span<const NodeId>(children.begin(), children.size()), flags);
  }
  // SetChildren replaces the children of a node made by Parent.
  void SetChildren(NodeId node, std::span<const NodeId> children, std::uint8_t flags = 0);
  void SetChildren(NodeId node, std::initializer_list<NodeId> children, std::uint8_t flags = 0) {
    SetChildren(node, std::span<const NodeId>(children.begin(), children.size()), flags);
  }

  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  // Finish consumes the builder. Errors: those of ParseValueTree; tensor references are not compared with any table.
  [[nodiscard]] Result<ValueTree> Finish(NodeId root, const Limits& limits) &&;

 private:
  struct Draft {
    NodeKind kind;
    std::uint8_t flags;
    std::uint32_t size;   // payload bytes or children
    std::uint64_t begin;  // in payload_ or children_
  };
  NodeId Add(Draft draft);
  [[nodiscard]] std::span<const NodeId> ChildrenOf(NodeId node) const;
  [[nodiscard]] Status CheckReferences(NodeId root) const;

  std::vector<Draft> nodes_;
  std::vector<NodeId> children_;
  ByteBuffer payload_;
  bool overflow_ = false;  // more nodes, or more bytes in one, than 32 bits count
};

// WireNode is a node as the container stores it.
struct WireNode {
  std::uint8_t kind;
  std::uint8_t flags;
  std::uint32_t count;
};

// ParseValueTree checks and takes over the three tables of a container (rules D11, D13, D15 and D16 of the spec):
// kinds, counts and payloads well-formed; node numbers inside and in first-visit order, every node reached; tensor
// references below `tensor_count`; no cycle through a tuple, set, frozenset, dict key or any other immutable kind; dict
// keys hashable and unequal as Python compares them; sets in ascending canonical order. Never recurses; O(nodes) time.
Result<ValueTree> ParseValueTree(const std::vector<WireNode>& nodes, std::vector<NodeId> children, ByteBuffer payload,
                                 std::uint32_t tensor_count, const Limits& limits);

// CheckValueTree applies those rules to tables that are put together already. Only value/ makes such trees.
Status CheckValueTree(const ValueTree& tree, std::uint32_t tensor_count, const Limits& limits);

}  // namespace safemodel
