// SPDX-License-Identifier: Apache-2.0
#include <safemodel/value_tree.h>

#include "base/cursor.h"

namespace safemodel {

bool HasChildren(NodeKind kind) {
  switch (kind) {
    case NodeKind::kList:
    case NodeKind::kTuple:
    case NodeKind::kDict:
    case NodeKind::kSet:
    case NodeKind::kFrozenset:
    case NodeKind::kSlice:
    case NodeKind::kRange:
    case NodeKind::kTimezone:
    case NodeKind::kGlobal:
    case NodeKind::kObject:
    case NodeKind::kZoned: return true;
    default: return false;
  }
}

ByteView ValueTree::PayloadOf(NodeId id) const {
  const Node& node = nodes_[id];
  if (HasChildren(node.kind)) return {};
  return ByteView(payload_).subspan(static_cast<std::size_t>(node.begin), node.count);
}

std::span<const NodeId> ValueTree::ChildrenOf(NodeId id) const {
  const Node& node = nodes_[id];
  if (!HasChildren(node.kind)) return {};
  return std::span<const NodeId>(children_).subspan(static_cast<std::size_t>(node.begin), node.count);
}

std::uint32_t ValueTree::TensorOf(NodeId id) const {
  const ByteView bytes = PayloadOf(id);
  std::uint32_t index = 0;
  for (std::size_t i = 0; i < bytes.size() && i < sizeof(index); ++i) index |= std::uint32_t{bytes[i]} << (8 * i);
  return index;
}

std::string_view ValueTree::TextOf(NodeId id) const { return AsText(PayloadOf(id)); }

}  // namespace safemodel
