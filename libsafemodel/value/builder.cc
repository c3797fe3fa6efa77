// SPDX-License-Identifier: Apache-2.0
#include "value/builder.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/cursor.h"
#include "base/try.h"
#include "value/integer.h"
#include "value/set_order.h"
#include "value/tree_assembler.h"

namespace safemodel {
namespace {

constexpr NodeId kNoNode = std::numeric_limits<NodeId>::max();

struct Numbering {
  std::vector<NodeId> order;   // old numbers, in the order of the first visit
  std::vector<NodeId> number;  // the new number of each old one, or kNoNode
};

// NumberNodes walks depth first from the root; `children_of` returns the children of an old number.
template <typename ChildrenOf>
Numbering NumberNodes(std::size_t size, NodeId root, const ChildrenOf& children_of) {
  struct Frame {
    NodeId node;
    std::size_t next;
  };
  Numbering result;
  result.number.assign(size, kNoNode);
  result.order.reserve(size);
  std::vector<Frame> path;
  const auto enter = [&](NodeId id) {
    result.number[id] = static_cast<NodeId>(result.order.size());
    result.order.push_back(id);
    if (!children_of(id).empty()) path.push_back({id, 0});
  };
  enter(root);
  while (!path.empty()) {
    Frame& top = path.back();
    const std::span<const NodeId> children = children_of(top.node);
    if (top.next == children.size()) {
      path.pop_back();
      continue;
    }
    const NodeId child = children[top.next++];
    if (result.number[child] == kNoNode) enter(child);
  }
  return result;
}

// TableWriter appends nodes in their final order.
class TableWriter {
 public:
  explicit TableWriter(const Numbering& numbering) : numbering_(numbering) { nodes_.reserve(numbering.order.size()); }

  void Append(NodeKind kind, std::uint8_t flags, std::span<const NodeId> children, ByteView payload) {
    if (HasChildren(kind)) {
      nodes_.push_back({kind, flags, static_cast<std::uint32_t>(children.size()), children_.size()});
      for (const NodeId child : children) children_.push_back(numbering_.number[child]);
    } else {
      nodes_.push_back({kind, flags, static_cast<std::uint32_t>(payload.size()), payload_.size()});
      payload_.insert(payload_.end(), payload.begin(), payload.end());
    }
  }
  ValueTree Finish() && {
    return ValueTreeAssembler::Assemble(std::move(nodes_), std::move(children_), std::move(payload_));
  }

 private:
  const Numbering& numbering_;
  std::vector<ValueTree::Node> nodes_;
  std::vector<NodeId> children_;
  ByteBuffer payload_;
};

// SortAndRenumber puts sets in canonical order, which changes the order of the walk.
Result<ValueTree> SortAndRenumber(ValueTree tree) {
  SAFEMODEL_TRY(SortSets(tree));
  const Numbering numbering = NumberNodes(tree.size(), 0, [&](NodeId id) { return tree.ChildrenOf(id); });
  TableWriter tables(numbering);
  for (const NodeId id : numbering.order)
    tables.Append(tree.kind(id), tree.flags(id), tree.ChildrenOf(id), tree.PayloadOf(id));
  return std::move(tables).Finish();
}

}  // namespace

NodeId ValueTreeBuilder::Add(Draft draft) {
  if (nodes_.size() >= kNoNode) {
    overflow_ = true;
    return 0;
  }
  nodes_.push_back(draft);
  return static_cast<NodeId>(nodes_.size() - 1);
}

NodeId ValueTreeBuilder::Leaf(NodeKind kind, ByteView payload, std::uint8_t flags) {
  if (HasChildren(kind)) return Parent(kind, {}, flags);
  if (payload.size() > std::numeric_limits<std::uint32_t>::max()) {
    overflow_ = true;
    payload = {};
  }
  const std::uint64_t begin = payload_.size();
  payload_.insert(payload_.end(), payload.begin(), payload.end());
  return Add({kind, flags, static_cast<std::uint32_t>(payload.size()), begin});
}

NodeId ValueTreeBuilder::Str(std::string_view text) { return Leaf(NodeKind::kStr, AsBytes(text)); }

NodeId ValueTreeBuilder::Int(std::int64_t value) {
  ByteWriter bytes;
  bytes.U64(std::bit_cast<std::uint64_t>(value));
  return IntBytes(bytes.view());
}

NodeId ValueTreeBuilder::IntBytes(ByteView twos_complement) {
  return Leaf(NodeKind::kInt, twos_complement.first(MinimalIntegerBytes(twos_complement)));
}

NodeId ValueTreeBuilder::Float(double value) {
  ByteWriter bytes;
  bytes.U64(std::bit_cast<std::uint64_t>(value));
  return Leaf(NodeKind::kFloat, bytes.view());
}

NodeId ValueTreeBuilder::Tensor(std::uint32_t index, std::uint8_t flags) {
  ByteWriter bytes;
  bytes.U32(index);
  return Leaf(NodeKind::kTensor, bytes.view(), flags);
}

NodeId ValueTreeBuilder::Global(std::string_view module, std::string_view name) {
  const NodeId module_node = Str(module);
  const NodeId name_node = Str(name);
  return Parent(NodeKind::kGlobal, {module_node, name_node});
}

NodeId ValueTreeBuilder::Parent(NodeKind kind, std::span<const NodeId> children, std::uint8_t flags) {
  if (!HasChildren(kind)) return Leaf(kind, {}, flags);
  const NodeId node = Add({kind, flags, 0, 0});
  if (!children.empty()) SetChildren(node, children, flags);
  return node;
}

// SetChildren appends to the pool; children that are replaced stay in it, unused.
void ValueTreeBuilder::SetChildren(NodeId node, std::span<const NodeId> children, std::uint8_t flags) {
  Draft& draft = nodes_[node];
  if (!HasChildren(draft.kind)) return;
  if (children.size() > std::numeric_limits<std::uint32_t>::max()) {
    overflow_ = true;
    return;
  }
  draft.flags = flags;
  draft.size = static_cast<std::uint32_t>(children.size());
  draft.begin = children_.size();
  children_.insert(children_.end(), children.begin(), children.end());
}

std::span<const NodeId> ValueTreeBuilder::ChildrenOf(NodeId node) const {
  const Draft& draft = nodes_[node];
  if (!HasChildren(draft.kind)) return {};
  return std::span<const NodeId>(children_).subspan(static_cast<std::size_t>(draft.begin), draft.size);
}

Status ValueTreeBuilder::CheckReferences(NodeId root) const {
  if (overflow_)
    return Error{Stage::kLimit, "too_many_nodes", "the values are more or larger than a value tree can hold"};
  const Error outside = {Stage::kMalformed, "node_outside", "the value tree refers to a node that does not exist"};
  if (root >= nodes_.size()) return outside;
  if (std::any_of(children_.begin(), children_.end(), [&](NodeId child) { return child >= nodes_.size(); })) {
    return outside;
  }
  return {};
}

Result<ValueTree> ValueTreeBuilder::Finish(NodeId root, const Limits& limits) && {
  SAFEMODEL_TRY(CheckReferences(root));
  const Numbering numbering = NumberNodes(nodes_.size(), root, [this](NodeId id) { return ChildrenOf(id); });
  if (numbering.order.size() > limits.tree_nodes) {
    return Error{Stage::kLimit, "too_many_nodes", "the value tree has more nodes than the limit"};
  }
  TableWriter tables(numbering);
  bool has_sets = false;
  for (const NodeId id : numbering.order) {
    const Draft& draft = nodes_[id];
    has_sets = has_sets || draft.kind == NodeKind::kSet || draft.kind == NodeKind::kFrozenset;
    const ByteView payload = HasChildren(draft.kind)
                                 ? ByteView()
                                 : ByteView(payload_).subspan(static_cast<std::size_t>(draft.begin), draft.size);
    tables.Append(draft.kind, draft.flags, ChildrenOf(id), payload);
  }
  ValueTree tree = std::move(tables).Finish();
  if (has_sets) {
    SAFEMODEL_ASSIGN(tree, SortAndRenumber(std::move(tree)));
  }
  SAFEMODEL_TRY(CheckValueTree(tree, std::numeric_limits<std::uint32_t>::max(), limits));
  return tree;
}

}  // namespace safemodel
