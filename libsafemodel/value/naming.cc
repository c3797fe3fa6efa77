// SPDX-License-Identifier: Apache-2.0
#include "value/naming.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <numeric>
#include <optional>

#include "base/cursor.h"
#include "base/little_endian.h"
#include "base/try.h"
#include "base/utf8.h"
#include "value/integer.h"
#include "value/tree_assembler.h"

namespace safemodel {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

struct Frame {
  NodeId node;
  std::uint32_t next;  // child after the one the walk is in
};

bool IsTensorName(std::string_view text) { return !text.empty() && IsUtf8(text) && !HasControls(text); }

// PartOf returns a part of an object, or nothing.
std::optional<NodeId> PartOf(const ValueTree& tree, NodeId object, std::uint8_t part) {
  std::size_t child = 0;
  for (const std::uint8_t flag : {kObjectArgs, kObjectState, kObjectListItems, kObjectDictItems, kObjectSetItems}) {
    if ((tree.flags(object) & flag) == 0) continue;
    ++child;
    if (flag == part) return tree.ChildrenOf(object)[child];
  }
  return std::nullopt;
}

bool IsInstance(const ValueTree& tree, NodeId node, std::string_view module, std::string_view name) {
  if (tree.kind(node) != NodeKind::kObject || (tree.flags(node) & kObjectInert) != 0) return false;
  const std::span<const NodeId> names = tree.ChildrenOf(tree.ChildrenOf(node)[0]);
  return tree.TextOf(names[0]) == module && tree.TextOf(names[1]) == name;
}

// TensorIn returns the tensor that a value of a state dict is: a tensor, or the one that a Parameter of PyTorch wraps.
std::optional<NodeId> TensorIn(const ValueTree& tree, NodeId value) {
  if (tree.kind(value) == NodeKind::kTensor) return value;
  if (!IsInstance(tree, value, "torch.nn.parameter", "Parameter")) return std::nullopt;
  const std::optional<NodeId> args = PartOf(tree, value, kObjectArgs);
  if (!args || tree.ChildrenOf(*args).size() != 1) return std::nullopt;
  const NodeId wrapped = tree.ChildrenOf(*args)[0];
  return tree.kind(wrapped) == NodeKind::kTensor ? std::optional(wrapped) : std::nullopt;
}

// LoneTensor returns the tensor that the whole tree is: a tensor or a Parameter at the root, and no other tensor.
std::optional<NodeId> LoneTensor(const ValueTree& tree) {
  const auto all = std::count_if(tree.nodes().begin(), tree.nodes().end(),
                                 [](const ValueTree::Node& node) { return node.kind == NodeKind::kTensor; });
  return all == 1 ? TensorIn(tree, 0) : std::nullopt;
}

// StateDict returns the dict that the root is: a dict, or the items of a collections.OrderedDict.
std::optional<NodeId> StateDict(const ValueTree& tree) {
  if (tree.kind(0) == NodeKind::kDict) return 0;
  if (!IsInstance(tree, 0, "collections", "OrderedDict") || PartOf(tree, 0, kObjectArgs)) return std::nullopt;
  return PartOf(tree, 0, kObjectDictItems);
}

// FlatDict returns the dict of a flat tree: its keys are all str that can be names as they are, its values all tensors,
// and no tensor stands elsewhere (an OrderedDict has attributes, a Parameter state).
std::optional<NodeId> FlatDict(const ValueTree& tree) {
  const std::optional<NodeId> dict = StateDict(tree);
  if (!dict) return std::nullopt;
  std::vector<NodeId> found;
  const std::span<const NodeId> children = tree.ChildrenOf(*dict);
  for (std::size_t i = 0; i < children.size(); i += 2) {
    const std::optional<NodeId> tensor = TensorIn(tree, children[i + 1]);
    if (!tensor || tree.kind(children[i]) != NodeKind::kStr || !IsTensorName(tree.TextOf(children[i])))
      return std::nullopt;
    found.push_back(*tensor);
  }
  std::sort(found.begin(), found.end());
  const auto distinct = std::unique(found.begin(), found.end()) - found.begin();
  const auto all = std::count_if(tree.nodes().begin(), tree.nodes().end(),
                                 [](const ValueTree::Node& node) { return node.kind == NodeKind::kTensor; });
  return distinct == all ? dict : std::nullopt;
}

void AppendHexByte(std::string& out, std::uint8_t byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "~x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

// EscapedBytes returns how many bytes at the start of `rest` must be written as hex: a control or a lone surrogate.
std::size_t EscapedBytes(ByteView rest) {
  if (rest[0] < 0x20 || rest[0] == 0x7F) return 1;
  if (rest.size() >= 2 && rest[0] == 0xC2 && rest[1] < 0xA0) return 2;
  if (rest.size() >= 3 && rest[0] == 0xED && rest[1] >= 0xA0) return 3;
  return 0;
}

// AppendKey appends a str key as one step. It stops once `out` is longer than `limit`: a key may be shared by many
// dicts and be long.
void AppendKey(std::string& out, std::string_view key, std::size_t limit) {
  if (key.empty()) out += "~e";
  const ByteView bytes = AsBytes(key);
  for (std::size_t i = 0; i < bytes.size() && out.size() <= limit;) {
    if (const std::size_t escaped = EscapedBytes(bytes.subspan(i)); escaped > 0) {
      for (std::size_t k = 0; k < escaped; ++k) AppendHexByte(out, bytes[i + k]);
      i += escaped;
      continue;
    }
    if (key[i] == '~') {
      out += "~0";
    } else if (key[i] == '/') {
      out += "~1";
    } else {
      out += key[i];
    }
    ++i;
  }
}

// PathWriter turns the path of a walk into a name.
class PathWriter {
 public:
  PathWriter(const ValueTree& tree, std::size_t limit) : tree_(tree), limit_(limit) {}

  Result<std::string> NameOf(const std::vector<Frame>& path) const {
    std::string name;
    for (std::size_t i = 0; i < path.size(); ++i) {
      const std::size_t before = name.size();
      // A Parameter has the name of the place where it stands: neither its arguments nor the tensor among them add a
      // step.
      if (before > 0 && i + 2 == path.size() && path[i].next == 2 && TensorIn(tree_, path[i].node)) break;
      if (before > 0) name += '/';
      const std::size_t start = name.size();
      AppendStep(name, path[i].node, path[i].next - 1);
      if (name.size() == start) name.resize(before);  // some parts of objects add no step of their own
      if (name.size() > limit_) {
        return Error{Stage::kLimit, "name_too_long", "the path to a tensor is longer than the limit on names",
                     kNoOffset, std::move(name)};
      }
    }
    return name;
  }

 private:
  void AppendStep(std::string& out, NodeId node, std::uint32_t index) const {
    switch (tree_.kind(node)) {
      case NodeKind::kDict: return AppendEntry(out, node, index);
      case NodeKind::kObject: return AppendPart(out, node, index);
      default: out += "~i" + std::to_string(index);
    }
  }

  void AppendEntry(std::string& out, NodeId dict, std::uint32_t index) const {
    if (index % 2 == 0) {
      out += "~k" + std::to_string(index / 2);  // inside the key itself
      return;
    }
    const NodeId key = tree_.ChildrenOf(dict)[index - 1];
    const ByteView bytes = tree_.PayloadOf(key);
    switch (tree_.kind(key)) {
      case NodeKind::kStr: return AppendKey(out, tree_.TextOf(key), limit_);
      case NodeKind::kNone: out += "~iNone"; return;
      case NodeKind::kFalse: out += "~iFalse"; return;
      case NodeKind::kTrue: out += "~iTrue"; return;
      case NodeKind::kInt:
        if (bytes.size() <= sizeof(std::int64_t)) {
          out += "~i" + std::to_string(SmallInteger(bytes));
          return;
        }
        [[fallthrough]];
      default: out += "~v" + std::to_string(index / 2);
    }
  }

  void AppendPart(std::string& out, NodeId object, std::uint32_t index) const {
    struct Part {
      std::uint8_t flag;
      std::string_view step;
    };
    constexpr std::array<Part, 5> kParts = {{{kObjectArgs, "~args"},
                                             {kObjectState, "~state"},
                                             {kObjectListItems, "~list"},
                                             {kObjectDictItems, "~dict"},
                                             {kObjectSetItems, "~set"}}};
    std::uint32_t child = 0;
    for (const Part& part : kParts) {
      if ((tree_.flags(object) & part.flag) == 0 || ++child != index) continue;
      // The items of an OrderedDict are what it is about; of other objects it is the attributes.
      const bool ordered = IsInstance(tree_, object, "collections", "OrderedDict");
      const bool silent = part.flag == (ordered ? kObjectDictItems : kObjectState) &&
                          tree_.kind(tree_.ChildrenOf(object)[index]) == NodeKind::kDict;
      if (!silent) out += part.step;
    }
  }

  const ValueTree& tree_;
  std::size_t limit_;
};

// Names holds what the walk finds: the first name of each tensor, and further names in a flat dict.
struct Names {
  std::vector<std::string> first;                              // by the tensor's old index; empty: not reached
  std::vector<std::pair<std::uint32_t, std::string>> aliases;  // old index, name
};

Status NameFlat(const ValueTree& tree, NodeId dict, const Limits& limits, Names& names) {
  const std::span<const NodeId> children = tree.ChildrenOf(dict);
  for (std::size_t i = 0; i < children.size(); i += 2) {
    std::string key(tree.TextOf(children[i]));
    if (key.size() > limits.name_bytes) {
      return Error{Stage::kLimit, "name_too_long", "the name of a tensor is longer than the limit", kNoOffset,
                   std::move(key)};
    }
    const std::uint32_t tensor = tree.TensorOf(*TensorIn(tree, children[i + 1]));
    if (names.first[tensor].empty()) {
      names.first[tensor] = std::move(key);
    } else {
      names.aliases.emplace_back(tensor, std::move(key));
    }
  }
  return {};
}

Status NameByPath(const ValueTree& tree, const Limits& limits, Names& names) {
  const PathWriter writer(tree, limits.name_bytes);
  std::vector<std::uint8_t> visited(tree.size(), 0);
  std::vector<Frame> path = {{0, 0}};
  visited[0] = 1;
  while (!path.empty()) {
    Frame& top = path.back();
    const std::span<const NodeId> children = tree.ChildrenOf(top.node);
    if (top.next == children.size()) {
      path.pop_back();
      continue;
    }
    const NodeId child = children[top.next++];
    if (visited[child] != 0) continue;
    visited[child] = 1;
    if (tree.kind(child) == NodeKind::kTensor) {
      std::string& name = names.first[tree.TensorOf(child)];
      if (name.empty()) {
        SAFEMODEL_ASSIGN(name, writer.NameOf(path));
      }
    } else if (!tree.ChildrenOf(child).empty()) {
      path.push_back({child, 0});
    }
  }
  return {};
}

// RebuildTable makes the table of tensors anew, in ascending order of names, and returns the new index of each old one.
std::vector<std::uint32_t> RebuildTable(ImportedModel& model, Names names) {
  std::vector<ImportedTensor> tensors;
  std::vector<std::uint32_t> origin;
  for (auto& [old, name] : names.aliases) {
    ImportedTensor alias = model.tensors[old];
    alias.name = std::move(name);
    tensors.push_back(std::move(alias));
    origin.push_back(kNone);
  }
  for (std::uint32_t old = 0; old < names.first.size(); ++old) {
    if (names.first[old].empty()) continue;
    tensors.push_back(std::move(model.tensors[old]));
    tensors.back().name = std::move(names.first[old]);
    origin.push_back(old);
  }
  std::vector<std::uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return tensors[a].name < tensors[b].name; });

  std::vector<std::uint32_t> renumbered(names.first.size(), kNone);
  model.tensors.clear();
  model.tensors.reserve(tensors.size());
  for (const std::uint32_t from : order) {
    if (origin[from] != kNone) renumbered[origin[from]] = static_cast<std::uint32_t>(model.tensors.size());
    model.tensors.push_back(std::move(tensors[from]));
  }
  return renumbered;
}

void RenumberReferences(ValueTree& tree, const std::vector<std::uint32_t>& renumbered) {
  ByteBuffer& payload = ValueTreeAssembler::Payload(tree);
  for (NodeId id = 0; id < tree.size(); ++id) {
    if (tree.kind(id) != NodeKind::kTensor) continue;
    const auto begin = static_cast<std::size_t>(tree.node(id).begin);
    StoreLittleEndian<std::uint32_t>(MutableBytes(payload).subspan(begin), renumbered[tree.TensorOf(id)]);
  }
}

// DropUnusedStorages keeps the storages that a tensor views, in the order of the import: that of a compressed stream,
// which is slow to read in any other.
Status DropUnusedStorages(ImportedModel& model) {
  std::vector<std::uint32_t> renumbered(model.storages.size(), kNone);
  for (const ImportedTensor& tensor : model.tensors) {
    if (tensor.storage >= renumbered.size()) {
      return Error{Stage::kMalformed, "storage_outside", "a tensor refers to a storage that does not exist", kNoOffset,
                   tensor.name};
    }
    renumbered[tensor.storage] = 0;
  }
  std::vector<ImportedStorage> kept;
  for (std::size_t old = 0; old < renumbered.size(); ++old) {
    if (renumbered[old] == kNone) continue;
    renumbered[old] = static_cast<std::uint32_t>(kept.size());
    kept.push_back(std::move(model.storages[old]));
  }
  for (ImportedTensor& tensor : model.tensors) tensor.storage = renumbered[tensor.storage];
  model.storages = std::move(kept);
  return {};
}

Status CheckTensorReferences(const ImportedModel& model) {
  if (model.tree.empty()) return Error{Stage::kMalformed, "no_root", "the value tree has no root node"};
  for (NodeId id = 0; id < model.tree.size(); ++id) {
    if (model.tree.kind(id) == NodeKind::kTensor && model.tree.TensorOf(id) >= model.tensors.size()) {
      return Error{Stage::kMalformed, "tensor_outside", "the value tree refers to a tensor that does not exist"};
    }
  }
  return {};
}

}  // namespace

std::optional<std::vector<FlatTensor>> FlatTensors(const ValueTree& tree) {
  if (tree.empty()) return std::nullopt;
  const std::optional<NodeId> dict = FlatDict(tree);
  if (!dict) return std::nullopt;
  std::vector<FlatTensor> entries;
  const std::span<const NodeId> children = tree.ChildrenOf(*dict);
  for (std::size_t i = 0; i < children.size(); i += 2) {
    const NodeId tensor = *TensorIn(tree, children[i + 1]);
    entries.push_back({tree.TextOf(children[i]), tree.TensorOf(tensor), tree.flags(tensor)});
  }
  return entries;
}

Status NameTensors(ImportedModel& model, const Limits& limits) {
  SAFEMODEL_TRY(CheckTensorReferences(model));
  Names names;
  names.first.resize(model.tensors.size());
  if (const std::optional<NodeId> lone = LoneTensor(model.tree); lone) {
    names.first[model.tree.TensorOf(*lone)] = "tensor";
  } else if (const std::optional<NodeId> dict = FlatDict(model.tree); dict) {
    SAFEMODEL_TRY(NameFlat(model.tree, *dict, limits, names));
  } else {
    SAFEMODEL_TRY(NameByPath(model.tree, limits, names));
  }
  RenumberReferences(model.tree, RebuildTable(model, std::move(names)));
  if (model.tensors.size() > limits.tensors) {
    return Error{Stage::kLimit, "too_many_tensors", "the model has more tensors than the limit"};
  }
  return DropUnusedStorages(model);
}

}  // namespace safemodel
