// SPDX-License-Identifier: Apache-2.0
// The value tree. Input: counts of nodes and children u16 each, nodes (kind u8, flags u8, count u32), children u32,
// payload. What is accepted parses again to the same tree from its own tables, is what the builder makes of its nodes
// in any order, and gives each tensor it reaches a name of its own.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"
#include "fuzz/property.h"
#include "value/builder.h"
#include "value/naming.h"

namespace {

using namespace safemodel;  // NOLINT(google-build-using-namespace)

constexpr std::uint32_t kTensors = 4;

void CheckStage(const Error& error) {
  SAFEMODEL_PROPERTY(error.stage == Stage::kMalformed || error.stage == Stage::kUnsupported ||
                     error.stage == Stage::kLimit);
}

Result<ValueTree> ParseInput(ByteReader reader) {
  SAFEMODEL_ASSIGN(const std::uint16_t node_count, reader.U16());
  SAFEMODEL_ASSIGN(const std::uint16_t child_count, reader.U16());
  std::vector<WireNode> nodes;
  for (unsigned i = 0; i < node_count; ++i) {
    SAFEMODEL_ASSIGN(const std::uint8_t kind, reader.U8());
    SAFEMODEL_ASSIGN(const std::uint8_t flags, reader.U8());
    SAFEMODEL_ASSIGN(const std::uint32_t count, reader.U32());
    nodes.push_back({kind, flags, count});
  }
  std::vector<NodeId> children;
  for (unsigned i = 0; i < child_count; ++i) {
    SAFEMODEL_ASSIGN(const std::uint32_t child, reader.U32());
    children.push_back(child);
  }
  const ByteView rest = reader.TakeRest();
  return ParseValueTree(nodes, std::move(children), ByteBuffer(rest.begin(), rest.end()), kTensors, {});
}

void CheckRewired(const ValueTree& tree) {
  std::vector<WireNode> nodes;
  for (const ValueTree::Node& node : tree.nodes())
    nodes.push_back({static_cast<std::uint8_t>(node.kind), node.flags, node.count});
  const auto again = ParseValueTree(nodes, tree.children(), tree.payload(), kTensors, {});
  SAFEMODEL_PROPERTY(again.ok() && again.value() == tree);
}

// CheckBuilder adds the nodes backwards, so that the builder must number them anew.
void CheckBuilder(const ValueTree& tree) {
  ValueTreeBuilder builder;
  const auto last = static_cast<NodeId>(tree.size() - 1);
  for (NodeId id = last;; --id) {
    std::vector<NodeId> children;
    for (const NodeId child : tree.ChildrenOf(id)) children.push_back(last - child);
    if (HasChildren(tree.kind(id))) {
      builder.Parent(tree.kind(id), std::move(children), tree.flags(id));
    } else {
      builder.Leaf(tree.kind(id), tree.PayloadOf(id), tree.flags(id));
    }
    if (id == 0) break;
  }
  const auto again = std::move(builder).Finish(last, {});
  SAFEMODEL_PROPERTY(again.ok() && again.value() == tree);
}

void CheckNames(const ValueTree& tree) {
  ImportedModel model;
  model.tree = tree;
  for (std::uint32_t i = 0; i < kTensors; ++i) {
    model.storages.push_back({MakeMemorySource({}), Dtype::kU8});
    model.tensors.push_back({"", Dtype::kU8, 0, {0}, {1}, i, 0});
  }
  const Status status = NameTensors(model, {});
  if (!status.ok()) return CheckStage(status.error());
  for (const ImportedTensor& tensor : model.tensors) {
    SAFEMODEL_PROPERTY(!tensor.name.empty() && IsUtf8(tensor.name) && !HasControls(tensor.name));
  }
  SAFEMODEL_PROPERTY(std::adjacent_find(model.tensors.begin(), model.tensors.end(), [](const auto& a, const auto& b) {
                       return a.name >= b.name;
                     }) == model.tensors.end());
  for (NodeId id = 0; id < model.tree.size(); ++id) {
    SAFEMODEL_PROPERTY(model.tree.kind(id) != NodeKind::kTensor || model.tree.TensorOf(id) < model.tensors.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tree = ParseInput(ByteReader(ByteView(data, size)));
  if (!tree.ok()) {
    CheckStage(tree.error());
    return 0;
  }
  CheckRewired(tree.value());
  CheckBuilder(tree.value());
  CheckNames(tree.value());
  return 0;
}
