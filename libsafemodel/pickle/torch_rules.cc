// SPDX-License-Identifier: Apache-2.0
// Rules of PyTorch: tensors are views into storages, and every view is proven to lie inside.
#include <array>
#include <utility>

#include "base/checked.h"
#include "base/try.h"
#include "pickle/allow_list.h"
#include "pickle/findings.h"
#include "pickle/rule.h"
#include "pickle/torch_compound.h"
#include "pickle/torch_legacy.h"
#include "pickle/torch_types.h"
#include "pickle/torch_view.h"
#include "pickle/tree.h"
#include "value/tensor_view.h"

namespace safemodel::pickle {

namespace {

std::span<const NodeIndex> ArgsOf(const Graph& graph, NodeIndex call) { return graph.ItemsOf(graph.CallOf(call).args); }

// ReadSizes turns a tuple of integers into numbers; nothing when one is negative or there are too many.
std::optional<std::vector<std::uint64_t>> ReadSizes(const RuleContext& context, NodeIndex tuple) {
  std::vector<std::uint64_t> sizes;
  const std::span<const NodeIndex> items = context.graph.ItemsOf(tuple);
  if (items.size() > context.limits.rank) return std::nullopt;
  sizes.reserve(items.size());
  for (const NodeIndex item : items) {
    if (context.graph.kind(item) != Kind::kInt || context.graph.IntOf(item) < 0) return std::nullopt;
    sizes.push_back(static_cast<std::uint64_t>(context.graph.IntOf(item)));
  }
  return sizes;
}

bool IsTrue(const Graph& graph, NodeIndex node) { return graph.kind(node) == Kind::kTrue; }

// MetadataFlags reads {conj, neg}: operations that PyTorch has put off.
std::uint8_t MetadataFlags(const Graph& graph, NodeIndex metadata) {
  std::uint8_t flags = 0;
  if (graph.kind(metadata) != Kind::kDict) return flags;
  const std::span<const NodeIndex> items = graph.ItemsOf(metadata);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const std::uint8_t flag = graph.TextOf(items[i]) == "conj" ? kTensorConjugate : kTensorNegative;
    flags = static_cast<std::uint8_t>(IsTrue(graph, items[i + 1]) ? flags | flag : flags & ~flag);
  }
  return flags;
}

bool IsQuantised(const StorageNote& storage) {
  const auto type = storage.type == nullptr ? std::nullopt : FindStorageType(storage.type->name);
  return type && type->quantised != 0;
}

// TypeOf returns the element type of a tensor: that of its storage, or for _rebuild_tensor_v3 the one stated.
Result<TorchType> TypeOf(const RuleContext& context, NodeIndex call, const StorageNote& storage) {
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  if (graph.EntryOf(call)->name != "_rebuild_tensor_v3") {
    if (const auto type = FindPlainType(storage.dtype)) return *type;
    return Error{Stage::kInternal, "internal", "a storage has a type without a name"};
  }
  const AllowEntry* entry = graph.kind(args[6]) == Kind::kGlobal ? graph.GlobalOf(args[6]).entry : nullptr;
  if (entry == nullptr || entry->module != "torch") {
    return Refuse(graph, call, "CALL-ARGS", "the type of a tensor is no dtype of PyTorch");
  }
  const auto type = FindTorchType(entry->name);
  if (!type) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "tensors of this type are not read by this version",
                 graph.offset(call), "torch." + std::string(entry->name)};
  }
  if (type->quantised != 0) {
    return Refuse(graph, call, "MEM-QUANT", "a tensor has the type of a quantised one, but nothing to read it with");
  }
  return *type;
}

// PackPairs turns bytes of two 4-bit elements into elements: the last dimension doubles.
Status PackPairs(const RuleContext& context, NodeIndex call, ImportedTensor& tensor) {
  if (tensor.shape.empty() || !IsContiguous(tensor.shape, tensor.strides)) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "4-bit tensors are read only when they are contiguous",
                 context.graph.offset(call)};
  }
  const auto doubled = CheckedMul<std::uint64_t>(tensor.shape.back(), 2);
  if (!doubled) return Refuse(context.graph, call, "MEM-SIZE", "the size of a tensor overflows");
  tensor.shape.back() = *doubled;
  tensor.strides = ContiguousStrides(tensor.shape);
  return {};
}

Status MakeTensor(RuleContext& context, NodeIndex call) {
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  const StorageNote& storage = context.tables.storage_of.at(args[0]);
  if (IsQuantised(storage)) {
    return Refuse(graph, call, "MEM-QUANT", "a plain tensor is made of the storage of a quantised one");
  }
  TorchType type;
  SAFEMODEL_ASSIGN(type, TypeOf(context, call, storage));
  auto shape = ReadSizes(context, args[2]);
  auto strides = ReadSizes(context, args[3]);
  const bool offset_fits = graph.kind(args[1]) == Kind::kInt && graph.IntOf(args[1]) >= 0;
  if (!shape || !strides || !offset_fits) {
    return Refuse(graph, call, "MEM-VIEW", "the shape, strides or offset of a tensor are no sizes");
  }
  const auto offset = static_cast<std::uint64_t>(graph.IntOf(args[1]));
  auto view = MakeTorchView(storage, type, {std::move(*shape), std::move(*strides), offset});
  if (!view.ok()) return Refuse(graph, call, view.error().code, view.error().text);
  ImportedTensor tensor = std::move(view).value();
  if (type.dtype == Dtype::kF4E2M1) SAFEMODEL_TRY(PackPairs(context, call, tensor));
  if (type.dtype == Dtype::kForeign) {
    tensor.element_type =
        context.tables.ElementTypeOf({Dtype::kForeign, type.item_size, "torch." + std::string(type.name), {}});
  }
  std::uint8_t flags = kTensorTorch;
  if (args.size() > 4 && IsTrue(graph, args[4])) flags |= kTensorRequiresGrad;
  const std::size_t metadata = graph.EntryOf(call)->name == "_rebuild_tensor_v3" ? 7 : 6;
  if (args.size() > metadata) flags |= MetadataFlags(graph, args[metadata]);
  if (context.tables.torch_order == ImportTables::ByteOrder::kBig) {
    if (storage.dtype == Dtype::kU8 && type.item_size > 1) {
      return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "big-endian bytes without a type are not read",
                   graph.offset(call)};
    }
    flags |= kTensorBigEndian;
  }
  // Which elements most of a storage has is known only now when the storage itself is untyped.
  ImportedStorage& area = context.tables.storages[storage.storage];
  if (area.layout == Dtype::kU8) area.layout = type.dtype;
  context.tables.tensor_of.emplace(call, context.tables.AddTensor(std::move(tensor), flags));
  return {};
}

Result<TreeRef> TensorToTree(TreeContext& tree, NodeIndex call) {
  return tree.Tensor(tree.tables().tensor_of.at(call));
}

bool HoldsAttributes(const Graph& graph, NodeIndex state) {
  const Kind kind = graph.kind(state);
  const bool container = kind == Kind::kDict || kind == Kind::kTuple || kind == Kind::kList;
  return kind != Kind::kNone && !(container && graph.ItemsOf(state).empty());
}

// IsMark says that an attribute is a note of PyTorch's compiler about the sizes of a tensor.
bool IsMark(std::string_view name) {
  return name.starts_with("_dynamo_") || name == "_specialize_on" || name == "_has_dynamo_dim_marking";
}

bool HoldsOnlyMarks(const Graph& graph, NodeIndex state) {
  if (graph.kind(state) != Kind::kDict) return false;
  const std::span<const NodeIndex> items = graph.ItemsOf(state);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!IsMark(graph.TextOf(items[i]))) return false;
  }
  return true;
}

// NoteAttributes: tensors and parameters have no attributes of their own to save; users add them.
void NoteAttributes(RuleContext& context, NodeIndex call, NodeIndex state) {
  if (!HoldsAttributes(context.graph, state) || HoldsOnlyMarks(context.graph, state)) return;
  Error note =
      Refuse(context.graph, call, "STATE-EXTRA", "a tensor carries attributes that its class is not listed with");
  context.findings.AddAbout(context.graph, call, std::move(note), ScanVerdict::kClean);
}

Status MakeParameter(RuleContext& context, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  if (args.size() > 3) NoteAttributes(context, call, args[3]);
  const auto known = context.tables.tensor_of.find(args[0]);
  if (known == context.tables.tensor_of.end()) return {};  // made of several tensors, or of none
  const std::uint32_t tensor = known->second;
  std::uint8_t& flags = context.tables.tensor_flags[tensor];
  flags = static_cast<std::uint8_t>(IsTrue(context.graph, args[1]) ? flags | kTensorRequiresGrad
                                                                   : flags & ~kTensorRequiresGrad);
  context.tables.tensor_of.emplace(call, tensor);
  return {};
}

Result<TreeRef> ParameterToTree(TreeContext& tree, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(tree.graph(), call);
  std::vector<TreeRef> made_of{tree.Of(args[0])};
  // A tensor carries the flag itself.
  if (!tree.tables().tensor_of.contains(args[0])) {
    made_of.push_back(tree.Leaf(IsTrue(tree.graph(), args[1]) ? NodeKind::kTrue : NodeKind::kFalse));
  }
  std::vector<TreeRef> parts{tree.Global("torch.nn.parameter", "Parameter"),
                             tree.Parent(NodeKind::kTuple, std::move(made_of))};
  std::uint8_t flags = kObjectArgs;
  if (args.size() > 3) {
    flags |= kObjectState;
    parts.push_back(tree.Of(args[3]));
  }
  return tree.Parent(NodeKind::kObject, std::move(parts), flags);
}

bool IsJagged(const Graph& graph, NodeIndex node) { return graph.EntryOf(node)->name == "_rebuild_njt"; }

Status MakeTyped(RuleContext& context, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  if (IsJagged(context.graph, args[0])) return CheckJaggedState(context, call);
  NoteAttributes(context, call, args[2]);
  const auto known = context.tables.tensor_of.find(args[0]);
  if (known != context.tables.tensor_of.end()) context.tables.tensor_of.emplace(call, known->second);
  return {};
}

// TypedToTree: a tensor of its own type without attributes is just the tensor.
Result<TreeRef> TypedToTree(TreeContext& tree, NodeIndex call) {
  const Graph& graph = tree.graph();
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  if (IsJagged(graph, args[0])) return JaggedToTree(tree, args[0], args[2]);
  const bool bare = !HoldsAttributes(graph, args[2]);
  const AllowEntry* type = graph.GlobalOf(args[1]).entry;
  const bool wrapped = graph.EntryOf(args[0])->name.starts_with("_rebuild_parameter");
  if (bare && (type->name == "Tensor" || wrapped)) return tree.Of(args[0]);
  std::vector<TreeRef> parts{tree.Global(type->module, type->name), tree.Parent(NodeKind::kTuple, {tree.Of(args[0])})};
  if (!bare) parts.push_back(tree.Of(args[2]));
  return tree.Parent(NodeKind::kObject, std::move(parts),
                     static_cast<std::uint8_t>(bare ? kObjectArgs : kObjectArgs | kObjectState));
}

Result<TreeRef> BareJaggedToTree(TreeContext& tree, NodeIndex call) { return JaggedToTree(tree, call, kNoNode); }

// LayoutToTree: torch.serialization._get_layout('torch.sparse_coo') is torch.sparse_coo.
Result<TreeRef> LayoutToTree(TreeContext& tree, NodeIndex call) {
  constexpr std::string_view kModule = "torch.";
  return tree.Global("torch", tree.graph().TextOf(ArgsOf(tree.graph(), call)[0]).substr(kModule.size()));
}

// FoldScriptValue: functions of TorchScript that return their first argument.
Result<NodeIndex> FoldScriptValue(RuleContext& context, NodeIndex call) { return ArgsOf(context.graph, call)[0]; }

constexpr std::array<Rule, 13> kRules{{
    {.name = "torch_tensor", .on_call = MakeTensor, .to_tree = TensorToTree},
    {.name = "torch_parameter", .on_call = MakeParameter, .to_tree = ParameterToTree},
    {.name = "torch_bytes", .fold = LoadTorchBytes},
    {.name = "torch_typed", .on_call = MakeTyped, .to_tree = TypedToTree},
    {.name = "torch_quantised", .on_call = MakeQuantised, .to_tree = QuantisedToTree},
    {.name = "torch_layout", .to_tree = LayoutToTree},
    {.name = "torch_sparse", .on_call = OnTorchSparse},
    {.name = "torch_nested", .on_call = OnTorchNested},
    {.name = "torch_jagged", .on_call = OnTorchJagged, .to_tree = BareJaggedToTree},
    {.name = "torch_meta", .on_call = OnTorchMeta},
    {.name = "torch_device", .on_call = OnTorchDevice},
    {.name = "torch_script_value", .fold = FoldScriptValue},
    {.name = "torch_module"},  // only says what may stand among submodules
}};

}  // namespace

std::span<const Rule> TorchRules() { return kRules; }

}  // namespace safemodel::pickle
