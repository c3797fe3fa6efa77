// SPDX-License-Identifier: Apache-2.0
#include "value/set_order.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/cursor.h"
#include "base/try.h"
#include "value/tree_assembler.h"

namespace safemodel {
namespace {

bool IsSet(NodeKind kind) { return kind == NodeKind::kSet || kind == NodeKind::kFrozenset; }

bool Less(ByteView a, ByteView b) { return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end()); }

// SetWalk visits all sets of a tree, each behind the sets inside its items.
class SetWalk {
 public:
  using Visit = std::function<Status(NodeId set)>;

  explicit SetWalk(const ValueTree& tree)
      : tree_(tree), sizes_(tree.size(), kUnvisited), limit_(SetItemBytesTotal(tree)) {}

  Status Run(const Visit& visit) {
    for (NodeId id = 0; id < tree_.size(); ++id) {
      if (IsSet(tree_.kind(id)) && sizes_[id] == kUnvisited) SAFEMODEL_TRY(RunFrom(id, visit));
    }
    return {};
  }

  // AppendEncoding appends kind, flags, count and payload of a node, then those of its children. The walk has shown
  // that this ends, within kSetItemBytes.
  void AppendEncoding(NodeId item, ByteWriter& out) {
    todo_.assign(1, item);
    while (!todo_.empty()) {
      const NodeId id = todo_.back();
      todo_.pop_back();
      const ValueTree::Node& node = tree_.node(id);
      out.U8(static_cast<std::uint8_t>(node.kind));
      out.U8(node.flags);
      out.U32(node.count);
      out.Bytes(tree_.PayloadOf(id));
      const std::span<const NodeId> children = tree_.ChildrenOf(id);
      todo_.insert(todo_.end(), children.rbegin(), children.rend());
    }
  }

 private:
  struct Frame {
    NodeId node;
    std::uint32_t next;
  };
  static constexpr std::uint32_t kUnvisited = ~std::uint32_t{0};
  static constexpr std::uint32_t kOnPath = kUnvisited - 1;
  static constexpr std::uint64_t kNodeHead = 6;  // kind, flags, count

  Status RunFrom(NodeId set, const Visit& visit) {
    SAFEMODEL_TRY(Enter(set));
    while (!path_.empty()) {
      Frame& top = path_.back();
      const std::span<const NodeId> children = tree_.ChildrenOf(top.node);
      if (top.next < children.size()) {
        const NodeId child = children[top.next++];
        if (sizes_[child] == kOnPath) {
          return Error{Stage::kMalformed, "set_cycle",
                       "an item of a set contains itself, so that the set has no order"};
        }
        if (sizes_[child] == kUnvisited) SAFEMODEL_TRY(Enter(child));
        continue;
      }
      const NodeId done = top.node;
      path_.pop_back();
      if (IsSet(tree_.kind(done))) {
        SAFEMODEL_TRY(Account(done));
        SAFEMODEL_TRY(visit(done));
      }
      sizes_[done] = SizeOf(done);
    }
    return {};
  }

  Status Enter(NodeId id) {
    if (tree_.kind(id) == NodeKind::kTensor) {
      return Error{Stage::kUnsupported, "tensor_in_set",
                   "an item of a set contains a tensor; put it in a list or dict instead"};
    }
    sizes_[id] = kOnPath;
    path_.push_back({id, 0});
    return {};
  }

  // SizeOf returns the size of an encoding, or one more than the limit for all that are larger: shared nodes can make
  // it exponential.
  [[nodiscard]] std::uint32_t SizeOf(NodeId id) const {
    std::uint64_t size = kNodeHead + tree_.PayloadOf(id).size();
    for (const NodeId child : tree_.ChildrenOf(id)) {
      size += sizes_[child];
      if (size > kSetItemBytes) break;
    }
    return static_cast<std::uint32_t>(std::min(size, kSetItemBytes + 1));
  }

  Status Account(NodeId set) {
    for (const NodeId item : tree_.ChildrenOf(set)) {
      if (sizes_[item] > kSetItemBytes) {
        return Error{Stage::kLimit, "set_item_too_large", "an item of a set is larger than the limit"};
      }
      total_ += sizes_[item];
    }
    if (total_ <= limit_) return {};
    return Error{Stage::kLimit, "sets_too_large", "the items of all sets together are larger than the limit"};
  }

  const ValueTree& tree_;
  std::vector<std::uint32_t> sizes_;
  std::vector<Frame> path_;
  std::vector<NodeId> todo_;
  std::uint64_t limit_;
  std::uint64_t total_ = 0;
};

Status CheckOneSet(const ValueTree& tree, NodeId set, SetWalk& walk) {
  ByteWriter before;
  bool first = true;
  for (const NodeId item : tree.ChildrenOf(set)) {
    ByteWriter encoding;
    walk.AppendEncoding(item, encoding);
    if (!first && Less(encoding.view(), before.view())) {
      return Error{Stage::kMalformed, "set_order", "the items of a set do not stand in canonical order"};
    }
    first = false;
    std::swap(before, encoding);
  }
  return {};
}

void SortOneSet(ValueTree& tree, NodeId set, SetWalk& walk) {
  struct Item {
    NodeId node;
    std::size_t begin;
    std::size_t end;
  };
  const ValueTree::Node& node = tree.node(set);
  ByteWriter encodings;
  std::vector<Item> items;
  items.reserve(node.count);
  for (const NodeId item : tree.ChildrenOf(set)) {
    const std::size_t begin = encodings.size();
    walk.AppendEncoding(item, encodings);
    items.push_back({item, begin, encodings.size()});
  }
  const auto encoding_of = [&](const Item& item) {
    return encodings.view().subspan(item.begin, item.end - item.begin);
  };
  std::stable_sort(items.begin(), items.end(),
                   [&](const Item& a, const Item& b) { return Less(encoding_of(a), encoding_of(b)); });
  auto slot = ValueTreeAssembler::Children(tree).begin() + static_cast<std::ptrdiff_t>(node.begin);
  for (const Item& item : items) *slot++ = item.node;
}

}  // namespace

std::uint64_t SetItemBytesTotal(const ValueTree& tree) {
  const std::uint64_t tables =
      8 * std::uint64_t{tree.size()} + 4 * std::uint64_t{tree.children().size()} + tree.payload().size();
  return (std::uint64_t{16} << 20) + 32 * tables;
}

Status CheckSetOrder(const ValueTree& tree) {
  SetWalk walk(tree);
  return walk.Run([&](NodeId set) { return CheckOneSet(tree, set, walk); });
}

Status SortSets(ValueTree& tree) {
  SetWalk walk(tree);
  return walk.Run([&](NodeId set) {
    SortOneSet(tree, set, walk);
    return Status();
  });
}

}  // namespace safemodel
