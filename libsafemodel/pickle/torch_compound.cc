// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_compound.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/try.h"
#include "pickle/allow_list.h"
#include "pickle/torch_numbers.h"
#include "pickle/torch_types.h"
#include "pickle/torch_view.h"
#include "pickle/tree.h"
#include "value/tensor_view.h"

namespace safemodel::pickle {
namespace {

constexpr std::array kReals{Dtype::kF32, Dtype::kF64};
constexpr std::array kZeroPoints{Dtype::kI64, Dtype::kI32, Dtype::kF32, Dtype::kF64};
constexpr std::array kSizes{Dtype::kI64};

std::span<const NodeIndex> ArgsOf(const Graph& graph, NodeIndex call) { return graph.ItemsOf(graph.CallOf(call).args); }

// TypeNamed returns the element type that an argument names.
std::optional<TorchType> TypeNamed(const Graph& graph, NodeIndex node) {
  const AllowEntry* entry = graph.kind(node) == Kind::kGlobal ? graph.GlobalOf(node).entry : nullptr;
  return entry != nullptr && entry->module == "torch" ? FindTorchType(entry->name) : std::nullopt;
}

// TypeOfStorage returns the quantised type of what a call takes as its storage.
std::optional<TorchType> TypeOfStorage(const RuleContext& context, NodeIndex call) {
  const StorageNote& note = context.tables.storage_of.at(ArgsOf(context.graph, call)[0]);
  const auto type = note.type == nullptr ? std::nullopt : FindStorageType(note.type->name);
  return type && type->quantised != 0 ? type : std::nullopt;
}

// View is what a call says about where a tensor lies.
std::optional<TorchView> ReadView(Proof& proof, std::span<const NodeIndex> args) {
  const auto offset = proof.Count(args[1]);
  auto shape = proof.Sizes(args[2]);
  auto strides = proof.Sizes(args[3]);
  if (!offset || !shape || !strides) return std::nullopt;
  return TorchView{std::move(*shape), std::move(*strides), *offset};
}

// Pack turns a view of integers of less than a byte into one of the bytes they lie in, which PyTorch packs row by row.
Status Pack(const RuleContext& context, NodeIndex call, std::uint32_t per_byte, TorchView& view) {
  if (per_byte == 1) return {};
  if (view.offset != 0 || view.shape.empty() || !IsContiguous(view.shape, view.strides)) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED",
                 "quantised integers of less than a byte are read only when they are contiguous",
                 context.graph.offset(call)};
  }
  view.shape.back() = CeilDiv(view.shape.back(), std::uint64_t{per_byte});
  view.strides = ContiguousStrides(view.shape);
  return {};
}

struct Range {
  std::int64_t low;
  std::int64_t high;
  [[nodiscard]] bool Holds(std::int64_t value) const { return value >= low && value <= high; }
};

// ZeroPoints is the range of the integers of a quantised type.
Range ZeroPoints(const TorchType& type) {
  constexpr std::int64_t kMostI32 = 0x7FFFFFFF;
  if (type.dtype == Dtype::kI8) return {-128, 127};
  if (type.dtype == Dtype::kI32) return {-kMostI32 - 1, kMostI32};
  return {0, (std::int64_t{1} << (8 / std::max(type.quantised, 1u))) - 1};
}

bool IsScale(double scale) { return std::isfinite(scale) && scale > 0; }

Error BadScale(const Proof& proof) {
  return proof.Refuse("scale", "PyTorch would divide by the scale of a quantised tensor, which is no positive number");
}
Error BadZeroPoint(const Proof& proof) {
  return proof.Refuse("zero_point",
                      "PyTorch would compute with a zero point outside the integers of a quantised tensor");
}

// CheckLists looks at the scales and zero points of the channels where they stand in the pickle.
Status CheckLists(Proof& proof, NodeIndex scales, NodeIndex zero_points, std::uint64_t channels, const Range& range) {
  const Graph& graph = proof.graph();
  const std::span<const NodeIndex> scale_items = graph.ItemsOf(scales), zero_items = graph.ItemsOf(zero_points);
  if (scale_items.size() != channels || zero_items.size() != channels) {
    return proof.Refuse("scales", "PyTorch would read scales and zero points of a quantised tensor that are not there");
  }
  for (std::size_t i = 0; i < channels; ++i) {
    SAFEMODEL_TRY(proof.Work(1));
    if (!IsScale(graph.FloatOf(scale_items[i]))) return BadScale(proof);
    const bool real = graph.kind(zero_items[i]) == Kind::kFloat;
    const auto whole = proof.Integer(zero_items[i]);
    const bool fits = real ? std::isfinite(graph.FloatOf(zero_items[i])) : whole && range.Holds(*whole);
    if (!fits) return BadZeroPoint(proof);
  }
  return {};
}

// ProveQuantised is the same for tensors of scales and zero points.
Status ProveQuantised(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, "MEM-QUANT");
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> params = graph.ItemsOf(ArgsOf(graph, call)[4]);
  SAFEMODEL_ASSIGN(const NumberTensor scales, NumbersOf(proof, params[1], kReals, "scales"));
  // PyTorch goes by the type of the zero points; the scheme that it writes is the same for both.
  SAFEMODEL_ASSIGN(const NumberTensor zeros, NumbersOf(proof, params[2], kZeroPoints, "zero_points"));
  const bool floats = IsReals(zeros.view.dtype);
  const auto shape = proof.Sizes(ArgsOf(graph, call)[2]);
  const auto axis = proof.Count(params[3]);
  const std::vector<std::uint64_t> channels{shape && axis && *axis < shape->size() ? (*shape)[*axis] : 0};
  if (scales.shape() != channels || zeros.shape() != channels) {
    return proof.Refuse("scales", "PyTorch would read scales and zero points of a quantised tensor that are not there");
  }
  const Range range = ZeroPoints(TypeOfStorage(context, call).value_or(TorchType{}));
  NumberRow scale_row = scales.Row(proof, 0), zero_row = zeros.Row(proof, 0);
  for (std::uint64_t i = 0; i < channels[0]; ++i) {
    SAFEMODEL_ASSIGN(const double scale, scale_row.Real(i));
    if (!IsScale(scale)) return BadScale(proof);
    bool fits = false;
    if (floats) {
      SAFEMODEL_ASSIGN(const double zero, zero_row.Real(i));
      fits = std::isfinite(zero);
    } else {
      SAFEMODEL_ASSIGN(const std::int64_t zero, zero_row.Integer(i));
      fits = range.Holds(zero);
    }
    if (!fits) return BadZeroPoint(proof);
  }
  return {};
}

// CheckParameters looks at (scheme, scale, zero point) or (scheme, scales, zero points, axis).
Status CheckParameters(Proof& proof, NodeIndex call, const TorchType& type, const std::vector<std::uint64_t>& shape) {
  const Graph& graph = proof.graph();
  const std::span<const NodeIndex> params = graph.ItemsOf(ArgsOf(graph, call)[4]);
  const Range range = ZeroPoints(type);
  if (params.size() == 3) {
    if (!IsScale(graph.FloatOf(params[1]))) return BadScale(proof);
    const auto zero = proof.Integer(params[2]);
    return zero && range.Holds(*zero) ? Status() : BadZeroPoint(proof);
  }
  const auto axis = proof.Count(params[3]);
  if (!axis || *axis >= shape.size()) {
    return proof.Refuse("axis", "PyTorch would look for a dimension of a quantised tensor that is not there");
  }
  if (graph.kind(params[1]) == Kind::kList) return CheckLists(proof, params[1], params[2], shape[*axis], range);
  proof.context().tables.late_proofs.push_back({ProveQuantised, call});
  return {};
}

}  // namespace

Status MakeQuantised(RuleContext& context, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  const auto type = TypeOfStorage(context, call);
  if (!type) return Refuse(context.graph, call, "MEM-QUANT", "a quantised tensor is made of a plain storage");
  Proof proof(context, call, "MEM-QUANT");
  auto view = ReadView(proof, args);
  if (!view) {
    return Refuse(context.graph, call, "MEM-VIEW", "the shape, strides or offset of a tensor are no sizes");
  }
  SAFEMODEL_TRY(CheckParameters(proof, call, *type, view->shape));
  SAFEMODEL_TRY(Pack(context, call, type->quantised, *view));
  auto made = MakeTorchView(context.tables.storage_of.at(args[0]), *type, std::move(*view));
  if (!made.ok()) return Refuse(context.graph, call, made.error().code, made.error().text);
  std::uint8_t flags = kTensorTorch;
  if (context.graph.kind(args[5]) == Kind::kTrue) flags |= kTensorRequiresGrad;
  if (context.tables.torch_order == ImportTables::ByteOrder::kBig) flags |= kTensorBigEndian;
  context.tables.tensor_of.emplace(call, context.tables.AddTensor(std::move(made).value(), flags));
  return {};
}

Result<TreeRef> QuantisedToTree(TreeContext& tree, NodeIndex call) {
  const Graph& graph = tree.graph();
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  const StorageNote& storage = tree.tables().storage_of.at(args[0]);
  const std::string_view type = FindStorageType(storage.type->name).value_or(TorchType{}).name;
  return tree.Object(
      "torch._utils", "_rebuild_qtensor",
      {tree.Tensor(tree.tables().tensor_of.at(call)), tree.Global("torch", type), tree.Of(args[2]), tree.Of(args[4])},
      call);
}

namespace {

// NestedParts are the numbers that describe the components, one after the other.
struct NestedParts {
  NumberRow sizes;
  NumberRow strides;
  NumberRow offsets;
  std::uint64_t rank;  // of each component
};

// CheckComponent proves that one part of a nested tensor lies inside the buffer.
Status CheckComponent(Proof& proof, NestedParts& parts, std::uint64_t number, std::uint64_t elements) {
  const Error outside =
      proof.Refuse("storage_offsets", "PyTorch would read and write outside the buffer of a nested tensor");
  std::vector<std::uint64_t> shape, strides;
  for (std::uint64_t d = 0; d < parts.rank; ++d) {
    SAFEMODEL_ASSIGN(const std::int64_t size, parts.sizes.Integer(number * parts.rank + d));
    SAFEMODEL_ASSIGN(const std::int64_t step, parts.strides.Integer(number * parts.rank + d));
    if (size < 0 || step < 0) return outside;
    shape.push_back(static_cast<std::uint64_t>(size));
    strides.push_back(static_cast<std::uint64_t>(step));
  }
  SAFEMODEL_ASSIGN(const std::int64_t offset, parts.offsets.Integer(number));
  constexpr std::uint64_t kBits = 8;  // as if elements were bytes: all numbers count elements
  const bool counted = ElementCount(shape).ok();
  if (offset < 0 || !counted) return outside;
  const Status inside = CheckView(kBits, shape, strides, static_cast<std::uint64_t>(offset), elements);
  return inside.ok() ? Status() : outside;
}

bool IsContiguousTensor(const NumberTensor& numbers) { return IsContiguous(numbers.shape(), numbers.view.strides); }

// HasNoComponents: without any, PyTorch writes sizes without dimensions, which it never reads.
Result<bool> HasNoComponents(Proof& proof, const std::vector<NodeIndex>& args) {
  SAFEMODEL_ASSIGN(const ImportedTensor sizes, ViewOf(proof, args[1], "sizes"));
  SAFEMODEL_ASSIGN(const ImportedTensor strides, ViewOf(proof, args[2], "strides"));
  SAFEMODEL_ASSIGN(const ImportedTensor offsets, ViewOf(proof, args[3], "storage_offsets"));
  return sizes.shape.empty() && strides.shape.empty() && offsets.shape == std::vector<std::uint64_t>{0};
}

Status ProveNested(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, "MEM-NESTED");
  const std::span<const NodeIndex> items = ArgsOf(context.graph, call);
  const std::vector<NodeIndex> args(items.begin(), items.end());
  SAFEMODEL_ASSIGN(const ImportedTensor buffer, ViewOf(proof, args[0], "buffer"));
  SAFEMODEL_ASSIGN(const bool empty, HasNoComponents(proof, args));
  if (empty) return {};
  std::vector<NumberTensor> parts;
  for (std::size_t i = 1; i < args.size(); ++i) {
    SAFEMODEL_ASSIGN(NumberTensor part, NumbersOf(proof, args[i], kSizes, i == 3 ? "storage_offsets" : "sizes"));
    parts.push_back(std::move(part));
  }
  const std::vector<std::uint64_t>& sizes = parts[0].shape();
  const std::vector<std::uint64_t>& offsets = parts[2].shape();
  // PyTorch reads these three without regard to strides.
  const bool shapes = buffer.shape.size() == 1 && IsContiguous(buffer.shape, buffer.strides) &&
                      sizes == parts[1].shape() && offsets.size() == 1 &&
                      std::ranges::all_of(parts, IsContiguousTensor) && sizes.size() == 2 && sizes[0] == offsets[0];
  if (!shapes || sizes[1] > context.limits.rank) {
    return proof.Refuse("sizes", "PyTorch would read sizes of a nested tensor that are not there");
  }
  NestedParts rows{parts[0].All(proof), parts[1].All(proof), parts[2].All(proof), sizes[1]};
  for (std::uint64_t i = 0; i < offsets[0]; ++i) SAFEMODEL_TRY(CheckComponent(proof, rows, i, buffer.shape[0]));
  return {};
}

}  // namespace

Status OnTorchNested(RuleContext& context, NodeIndex call) {
  context.tables.late_proofs.push_back({ProveNested, call});
  return {};
}

Status OnTorchMeta(RuleContext& context, NodeIndex call) {
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  const auto type = TypeNamed(graph, args[0]);
  if (!type) return Refuse(graph, call, "CALL-ARGS", "the type of a tensor is no dtype of PyTorch");
  Proof proof(context, call, "MEM-VIEW");
  const auto shape = proof.Sizes(args[1]);
  const auto strides = proof.Sizes(args[2]);
  if (!shape || !strides || shape->size() != strides->size()) {
    return Refuse(graph, call, "MEM-VIEW", "the shape or strides of a tensor are no sizes");
  }
  const auto count = ElementCount(*shape);
  const auto extent = ViewExtent(*shape, *strides);
  const std::uint64_t bits = type->item_size * std::uint64_t{8};
  const bool fits = count.ok() && extent.ok() && ContiguousBytes(count.value(), bits).ok() &&
                    ContiguousBytes(extent.value(), bits).ok();
  return fits ? Status() : Refuse(graph, call, "MEM-SIZE", "the size of a tensor overflows");
}

Status OnTorchDevice(RuleContext& context, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  if (!TypeNamed(context.graph, args[1])) {
    return Refuse(context.graph, call, "CALL-ARGS", "the type of a tensor is no dtype of PyTorch");
  }
  if (!context.tables.tensor_of.contains(args[0])) {
    return Refuse(context.graph, call, "MEM-OBJECT", "a tensor is made of an array that has no elements yet");
  }
  context.graph.Seal(args[0]);
  return {};
}

}  // namespace safemodel::pickle
