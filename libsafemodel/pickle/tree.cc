// SPDX-License-Identifier: Apache-2.0
#include "pickle/tree.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "base/utf8.h"
#include "pickle/allow_list.h"
#include "pickle/text_values.h"
#include "value/builder.h"

namespace safemodel::pickle {

namespace {

constexpr TreeRef kGraphBit = TreeRef{1} << 31;  // the rest is the number of a graph node, else of a builder's node
constexpr TreeRef kNotMade = ~TreeRef{0};
constexpr int kMostAliases = 64;

class TreeMaker final : public TreeContext {
 public:
  TreeMaker(const Graph& graph, ImportTables& tables, const Limits& limits)
      : graph_(graph), tables_(tables), limits_(limits), made_(graph.size(), kNotMade), queued_(graph.size(), false) {}

  Result<ValueTree> Make(NodeIndex root);

  [[nodiscard]] const Graph& graph() const override { return graph_; }
  [[nodiscard]] const ImportTables& tables() const override { return tables_; }
  TreeRef Of(NodeIndex node) override;
  TreeRef Leaf(NodeKind kind, ByteView payload) override { return builder_.Leaf(kind, payload); }
  TreeRef Str(std::string_view text) override { return builder_.Str(text); }
  TreeRef Int(std::int64_t value) override { return builder_.Int(value); }
  TreeRef Tensor(std::uint32_t tensor) override { return builder_.Tensor(tensor, tables_.tensor_flags[tensor]); }
  TreeRef Global(std::string_view module, std::string_view name) override;
  TreeRef Parent(NodeKind kind, std::vector<TreeRef> children, std::uint8_t flags) override;
  TreeRef Object(std::string_view module, std::string_view name, std::vector<TreeRef> args, NodeIndex call) override;

 private:
  struct Draft {
    NodeId node;
    std::uint8_t flags;
    std::uint32_t count;
    std::size_t begin;  // in references_
  };
  // LateBytes are a constant that was left in the stream. They are read in the order in which they lie there: a
  // compressed stream can only be read forwards.
  struct LateBytes {
    NodeIndex node;
    std::size_t reference;  // the entry of references_ that stands for the bytes; kNoReference: the node itself does
  };
  static constexpr std::size_t kNoReference = ~std::size_t{0};

  Result<TreeRef> Convert(NodeIndex node);
  TreeRef Bytes(NodeIndex node);
  TreeRef ByteArray(NodeIndex node);
  Status ReadLateBytes();
  Result<TreeRef> Python2Str(NodeIndex node);
  TreeRef Items(NodeKind kind, NodeIndex node);
  TreeRef Dict(NodeIndex node);
  TreeRef GlobalOf(const GlobalName& global);
  Result<TreeRef> CallOf(NodeIndex node);
  TreeRef ObjectOf(TreeRef cls, std::vector<TreeRef> args, NodeIndex call, std::uint8_t flags);
  Result<TreeRef> Persistent(NodeIndex node);
  Result<NodeId> Resolve(TreeRef ref) const;
  Status ConvertAll(NodeIndex root);

  const Graph& graph_;
  ImportTables& tables_;
  const Limits& limits_;
  ValueTreeBuilder builder_;
  std::vector<TreeRef> made_;
  std::vector<bool> queued_;
  std::vector<NodeIndex> pending_;  // what the level at hand refers to
  std::vector<Draft> drafts_;
  std::vector<TreeRef> references_;  // children of the drafts
  std::vector<LateBytes> late_;
  std::map<std::pair<std::string_view, std::string_view>, TreeRef> globals_;
};

TreeRef TreeMaker::Of(NodeIndex node) {
  if (!queued_[node]) {
    queued_[node] = true;
    pending_.push_back(node);
  }
  return kGraphBit | node;
}

TreeRef TreeMaker::Parent(NodeKind kind, std::vector<TreeRef> children, std::uint8_t flags) {
  const NodeId node = builder_.Parent(kind, {}, flags);
  if (children.empty()) return node;
  drafts_.push_back({node, flags, static_cast<std::uint32_t>(children.size()), references_.size()});
  references_.insert(references_.end(), children.begin(), children.end());
  return node;
}

TreeRef TreeMaker::Global(std::string_view module, std::string_view name) {
  const auto known = globals_.find({module, name});
  if (known != globals_.end()) return known->second;
  const TreeRef made = builder_.Global(module, name);
  globals_.emplace(std::pair{module, name}, made);
  return made;
}

TreeRef TreeMaker::GlobalOf(const GlobalName& global) {
  if (global.entry != nullptr) return Global(global.entry->module, global.entry->name);
  return Global(global.mapped_module, global.mapped_name);
}

TreeRef TreeMaker::Items(NodeKind kind, NodeIndex node) {
  std::vector<TreeRef> children;
  children.reserve(graph_.ItemsOf(node).size());
  for (const NodeIndex item : graph_.ItemsOf(node)) children.push_back(Of(item));
  return Parent(kind, std::move(children), 0);
}

// Dict keeps, for keys that were set again, the first key and the last value, as Python does. Only texts and small
// integers are compared; equal keys of other kinds are refused by the value tree.
TreeRef TreeMaker::Dict(NodeIndex node) {
  const std::span<const NodeIndex> items = graph_.ItemsOf(node);
  std::unordered_map<std::string_view, std::size_t> texts;
  std::unordered_map<std::int64_t, std::size_t> integers;
  std::vector<TreeRef> children;
  children.reserve(items.size());
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const Kind kind = graph_.kind(items[i]);
    const TreeRef value = Of(items[i + 1]);
    std::size_t at = children.size();
    if (graph_.IsText(items[i])) {
      at = texts.try_emplace(graph_.TextOf(items[i]), at).first->second;
    } else if (kind == Kind::kInt || kind == Kind::kTrue || kind == Kind::kFalse) {
      at = integers.try_emplace(graph_.IntOf(items[i]), at).first->second;
    }
    if (at < children.size()) {
      children[at + 1] = value;
      continue;
    }
    children.push_back(Of(items[i]));
    children.push_back(value);
  }
  return Parent(NodeKind::kDict, std::move(children), 0);
}

TreeRef TreeMaker::Bytes(NodeIndex node) {
  if (const auto bytes = graph_.BytesOf(node)) return builder_.Leaf(NodeKind::kBytes, *bytes);
  late_.push_back({node, kNoReference});
  return kNotMade;
}

TreeRef TreeMaker::ByteArray(NodeIndex node) {
  const TreeRef args = Parent(NodeKind::kTuple, {Bytes(node)}, 0);
  if (!graph_.BytesOf(node)) late_.back().reference = references_.size() - 1;
  return Parent(NodeKind::kObject, {Global("builtins", "bytearray"), args}, kObjectArgs);
}

Status TreeMaker::ReadLateBytes() {
  const auto place = [this](const LateBytes& late) { return graph_.StreamOffsetOf(late.node); };
  std::stable_sort(late_.begin(), late_.end(),
                   [&](const LateBytes& a, const LateBytes& b) { return place(a) < place(b); });
  for (const LateBytes& late : late_) {
    SharedSource source;
    SAFEMODEL_ASSIGN(source, graph_.SourceOf(late.node));
    ByteBuffer read;
    SAFEMODEL_ASSIGN(read, ReadRange(*source, 0, source->size(), limits_.directory_bytes));
    const TreeRef leaf = builder_.Leaf(NodeKind::kBytes, read);
    (late.reference == kNoReference ? made_[late.node] : references_[late.reference]) = leaf;
  }
  return {};
}

Result<TreeRef> TreeMaker::Python2Str(NodeIndex node) {
  const std::string_view text = graph_.TextOf(node);
  const bool in_memory = graph_.BytesOf(node).has_value();
  const bool utf8 = tables_.python2_text == Python2Text::kUtf8 && in_memory && IsUtf8(text);
  if (graph_.IsText(node) || utf8) return Str(text);
  return Bytes(node);
}

// ObjectOf adds to a class and arguments what happened to the object: state and items.
TreeRef TreeMaker::ObjectOf(TreeRef cls, std::vector<TreeRef> args, NodeIndex node, std::uint8_t flags) {
  const Call& call = graph_.CallOf(node);
  std::vector<TreeRef> children{cls};
  if (!args.empty()) {
    flags |= kObjectArgs;
    children.push_back(Parent(NodeKind::kTuple, std::move(args), 0));
  }
  if (call.state != kNoNode) {
    flags |= kObjectState;
    children.push_back(Of(call.state));
  }
  if (call.appends != kNoNode) {
    flags |= kObjectListItems;
    children.push_back(Of(call.appends));
  }
  if (call.set_items != kNoNode) {
    flags |= kObjectDictItems;
    children.push_back(Of(call.set_items));
  }
  return Parent(NodeKind::kObject, std::move(children), flags);
}

TreeRef TreeMaker::Object(std::string_view module, std::string_view name, std::vector<TreeRef> args, NodeIndex call) {
  return ObjectOf(Global(module, name), std::move(args), call, 0);
}

Result<TreeRef> TreeMaker::CallOf(NodeIndex node) {
  const Call& call = graph_.CallOf(node);
  if (call.entry != nullptr && call.entry->rule != nullptr && call.entry->rule->to_tree != nullptr) {
    return call.entry->rule->to_tree(*this, node);
  }
  std::vector<TreeRef> args;
  for (const NodeIndex arg : graph_.ItemsOf(call.args)) args.push_back(Of(arg));
  const std::uint8_t flags = call.entry == nullptr ? kObjectInert : 0;
  return ObjectOf(GlobalOf(graph_.GlobalOf(call.callee)), std::move(args), node, flags);
}

// Persistent: a tensor, or an object of the storage's type that holds all its elements as a tensor.
Result<TreeRef> TreeMaker::Persistent(NodeIndex node) {
  if (const auto known = tables_.tensor_of.find(node); known != tables_.tensor_of.end()) return Tensor(known->second);
  const auto note = tables_.storage_of.find(node);
  if (note == tables_.storage_of.end()) {
    return Error{Stage::kMalformed, "PKL-PERSID", "a persistent id stands for nothing", graph_.offset(node)};
  }
  ImportedTensor tensor;
  tensor.dtype = note->second.dtype;
  tensor.shape = {note->second.elements};
  tensor.strides = {1};
  tensor.storage = note->second.storage;
  tensor.byte_offset = note->second.begin;
  const TreeRef held = Tensor(tables_.AddTensor(std::move(tensor), kTensorTorch));
  const TreeRef args = Parent(NodeKind::kTuple, {held}, 0);
  const AllowEntry& type = *note->second.type;
  return Parent(NodeKind::kObject, {Global(type.module, type.name), args}, kObjectArgs);
}

Result<TreeRef> TreeMaker::Convert(NodeIndex node) {
  switch (graph_.kind(node)) {
    case Kind::kNone: return builder_.Leaf(NodeKind::kNone);
    case Kind::kFalse: return builder_.Leaf(NodeKind::kFalse);
    case Kind::kTrue: return builder_.Leaf(NodeKind::kTrue);
    case Kind::kInt: return builder_.Int(graph_.IntOf(node));
    case Kind::kLong: return builder_.IntBytes(graph_.LongOf(node));
    case Kind::kFloat: return builder_.Float(graph_.FloatOf(node));
    case Kind::kStr: return builder_.Str(graph_.TextOf(node));
    case Kind::kPy2Str: return Python2Str(node);
    case Kind::kBytes: return Bytes(node);
    case Kind::kByteArray: return ByteArray(node);
    case Kind::kList: return Items(NodeKind::kList, node);
    case Kind::kTuple: return Items(NodeKind::kTuple, node);
    case Kind::kSet: return Items(NodeKind::kSet, node);
    case Kind::kFrozenset: return Items(NodeKind::kFrozenset, node);
    case Kind::kDict: return Dict(node);
    case Kind::kGlobal: return GlobalOf(graph_.GlobalOf(node));
    case Kind::kCall: return CallOf(node);
    case Kind::kPersistent: return Persistent(node);
    case Kind::kRawArray: return Tensor(graph_.TensorOf(node));
  }
  return Error{Stage::kInternal, "internal", "a graph node has no kind"};
}

Result<NodeId> TreeMaker::Resolve(TreeRef ref) const {
  for (int i = 0; i < kMostAliases; ++i) {
    if ((ref & kGraphBit) == 0) return ref;
    ref = made_[ref & ~kGraphBit];
  }
  return Error{Stage::kLimit, "LIMIT-DEPTH", "calls that only pass their argument on are nested too deeply"};
}

// ConvertAll goes from level to level, so that a graph too deep for any tree is refused before more than a few nodes
// are made. A node may pass its argument on and add no level of its own; no two in a row do so without end (Resolve).
Status TreeMaker::ConvertAll(NodeIndex root) {
  Of(root);
  std::vector<NodeIndex> level;
  for (std::uint64_t depth = 0; !pending_.empty(); ++depth) {
    if (depth > 2 * std::uint64_t{limits_.tree_depth}) {
      return Error{Stage::kLimit, "LIMIT-DEPTH", "the pickle is nested deeper than the limit",
                   graph_.offset(pending_.front())};
    }
    std::swap(level, pending_);
    pending_.clear();
    for (const NodeIndex node : level) {
      SAFEMODEL_ASSIGN(made_[node], Convert(node));
      if (builder_.size() > 2 * std::uint64_t{limits_.tree_nodes}) {
        return Error{Stage::kLimit, "LIMIT-COUNT", "the value tree has too many nodes"};
      }
    }
  }
  return {};
}

Result<ValueTree> TreeMaker::Make(NodeIndex root) {
  if (graph_.size() >= kGraphBit) return Error{Stage::kLimit, "LIMIT-COUNT", "the pickle makes too many objects"};
  SAFEMODEL_TRY(ConvertAll(root));
  SAFEMODEL_TRY(ReadLateBytes());
  std::vector<NodeId> children;
  for (const Draft& draft : drafts_) {
    children.clear();
    for (const TreeRef child : std::span(references_).subspan(draft.begin, draft.count)) {
      NodeId resolved = 0;
      SAFEMODEL_ASSIGN(resolved, Resolve(child));
      children.push_back(resolved);
    }
    builder_.SetChildren(draft.node, children, draft.flags);
  }
  NodeId top = 0;
  SAFEMODEL_ASSIGN(top, Resolve(kGraphBit | root));
  drafts_ = {};
  references_ = {};
  made_ = {};
  return std::move(builder_).Finish(top, limits_);
}

}  // namespace

Result<ValueTree> BuildTree(const Graph& graph, ImportTables& tables, NodeIndex root, const Limits& limits) {
  return TreeMaker(graph, tables, limits).Make(root);
}

}  // namespace safemodel::pickle
