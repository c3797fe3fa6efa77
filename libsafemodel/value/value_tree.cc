// SPDX-License-Identifier: Apache-2.0
#include <safemodel/value_tree.h>

#include <algorithm>

#include "base/cursor.h"
#include "base/little_endian.h"

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
  return static_cast<std::uint32_t>(LittleEndian(bytes.first(std::min(bytes.size(), sizeof(std::uint32_t)))));
}

std::string_view ValueTree::TextOf(NodeId id) const { return AsText(PayloadOf(id)); }

}  // namespace safemodel
