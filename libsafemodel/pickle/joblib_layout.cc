// SPDX-License-Identifier: Apache-2.0
#include "pickle/joblib_layout.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "base/try.h"
#include "pickle/allow_list.h"
#include "pickle/numpy_array.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kMostPadding = 16;

// Wrapper is the state of a NumpyArrayWrapper; a schema has checked the kinds.
struct Wrapper {
  std::string_view subclass;
  std::vector<std::uint64_t> shape;
  ArrayOrder order = ArrayOrder::kC;
  NodeIndex dtype = kNoNode;
  bool aligned = false;
};

Wrapper TakeWrapper(const Graph& graph, NodeIndex call) {
  Wrapper out;
  const std::span<const NodeIndex> items = graph.ItemsOf(graph.CallOf(call).state);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const std::string_view name = graph.TextOf(items[i]);
    const NodeIndex value = items[i + 1];
    if (name == "subclass") out.subclass = graph.GlobalOf(value).mapped_name;
    if (name == "order") out.order = graph.TextOf(value) == "F" ? ArrayOrder::kFortran : ArrayOrder::kC;
    if (name == "dtype") out.dtype = value;
    if (name == "numpy_array_alignment_bytes") out.aligned = graph.kind(value) != Kind::kNone;
    if (name != "shape") continue;
    out.shape.clear();
    for (const NodeIndex dimension : graph.ItemsOf(value))
      out.shape.push_back(static_cast<std::uint64_t>(graph.IntOf(dimension)));
  }
  return out;
}

// SkipPadding reads u8 n, then n bytes FF: readers skip n bytes, whatever they are.
Status SkipPadding(const Graph& graph, NodeIndex wrapper, RawInput& input) {
  std::array<std::uint8_t, 1> size{};
  SAFEMODEL_TRY(input.Read(size));
  std::array<std::uint8_t, kMostPadding> fill{};
  const bool fits = size[0] >= 1 && size[0] <= kMostPadding;
  const MutableBytes padding = MutableBytes(fill).first(fits ? size[0] : 0);
  SAFEMODEL_TRY(input.Read(padding));
  if (fits && std::all_of(padding.begin(), padding.end(), [](std::uint8_t c) { return c == 0xFF; })) return {};
  return Refuse(graph, wrapper, "JOBLIB-PADDING",
                "the padding in front of an array is not what joblib writes and may hide data");
}

Result<std::uint32_t> ReadArray(RuleContext& context, NodeIndex built, const Wrapper& wrapper, const DtypeNote& type,
                                RawInput& input) {
  if (wrapper.aligned) SAFEMODEL_TRY(SkipPadding(context.graph, built, input));
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ArrayBytes(type, wrapper.shape, context.limits));
  const std::uint64_t begin = input.position();
  if (bytes > input.remaining()) {
    return Error{Stage::kMalformed, "PKL-MALFORMED", "the file ends inside an array", begin};
  }
  SAFEMODEL_TRY(input.Skip(bytes));
  SAFEMODEL_ASSIGN(SharedSource data, MakeSliceSource(context.graph.stream(), begin, bytes));
  return AddArray(context.tables, std::move(data), type, wrapper.shape, wrapper.order, context.limits);
}

}  // namespace

Result<NodeIndex> JoblibLayout::AfterBuild(RuleContext& context, NodeIndex built, RawInput& input) {
  Graph& graph = context.graph;
  const AllowEntry* entry = graph.EntryOf(built);
  if (entry == nullptr || entry->rule == nullptr || entry->rule->name != "joblib_array") return built;
  wrappers_.insert(built);
  if (!input.AtFrameEnd()) {
    return Refuse(graph, built, "JOBLIB-FRAME",
                  "the bytes of an array lie inside a frame, so readers see different programs");
  }
  const Wrapper wrapper = TakeWrapper(graph, built);
  const auto type = context.tables.dtype_of.find(wrapper.dtype);
  if (type == context.tables.dtype_of.end())
    return Refuse(graph, built, "MEM-DTYPE", "an array has an element type without meaning");
  graph.Seal(wrapper.dtype);
  if (type->second.objects == DtypeNote::Objects::kYes) return input.RunNested();
  SAFEMODEL_ASSIGN(const std::uint32_t tensor, ReadArray(context, built, wrapper, type->second, input));
  if (wrapper.subclass == "ndarray") return graph.AddRawArray(graph.offset(built), tensor);
  context.tables.tensor_of[built] = tensor;
  return built;
}

Status JoblibLayout::OnMemoGet(RuleContext& context, NodeIndex node) {
  if (!wrappers_.contains(node)) return {};
  return Refuse(context.graph, node, "JOBLIB-REUSE",
                "the pickle uses the wrapper of an array again, which joblib never does");
}

}  // namespace safemodel::pickle
