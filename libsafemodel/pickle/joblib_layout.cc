// SPDX-License-Identifier: Apache-2.0
#include "pickle/joblib_layout.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/try.h"
#include "pickle/allow_list.h"
#include "pickle/npy.h"
#include "pickle/numpy_array.h"
#include "pickle/numpy_rules.h"
#include "pickle/wrapper.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kMostPadding = 16;
// A forest has thousands of companions, a process a thousand open files: small ones are read at once.
constexpr std::uint64_t kSmallCompanion = 256u << 10;
constexpr std::uint64_t kMostCompanionMemory = 64u << 20;

// Wrapper is the state of a NumpyArrayWrapper; a schema has checked the kinds.
struct Wrapper {
  std::string_view subclass;
  std::vector<std::uint64_t> shape;
  ArrayOrder order = ArrayOrder::kC;
  NodeIndex dtype = kNoNode;
  bool aligned = false;
  bool mapped = false;  // readers may map the array into memory
};

std::vector<std::uint64_t> TakeShape(const Graph& graph, NodeIndex tuple) {
  std::vector<std::uint64_t> shape;
  for (const NodeIndex dimension : graph.ItemsOf(tuple))
    shape.push_back(static_cast<std::uint64_t>(graph.IntOf(dimension)));
  return shape;
}

Wrapper TakeWrapper(const Graph& graph, NodeIndex call) {
  Wrapper out;
  const std::span<const NodeIndex> items = graph.ItemsOf(graph.CallOf(call).state);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const std::string_view name = graph.TextOf(items[i]);
    const NodeIndex value = items[i + 1];
    if (name == "subclass") out.subclass = graph.GlobalOf(value).mapped_name;
    if (name == "order") out.order = graph.TextOf(value) == "F" ? ArrayOrder::kFortran : ArrayOrder::kC;
    if (name == "dtype") out.dtype = value;
    if (name == "allow_mmap") out.mapped = graph.kind(value) == Kind::kTrue;
    if (name == "numpy_array_alignment_bytes") out.aligned = graph.kind(value) != Kind::kNone;
    if (name != "shape") continue;
    out.shape = TakeShape(graph, value);
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

// TypeOf returns what the dtype of a wrapper means, and forbids to change it.
Result<const DtypeNote*> TypeOf(RuleContext& context, NodeIndex built, NodeIndex dtype) {
  const auto type = context.tables.dtype_of.find(dtype);
  if (type == context.tables.dtype_of.end())
    return Refuse(context.graph, built, "MEM-DTYPE", "an array has an element type without meaning");
  context.graph.Seal(dtype);
  return &type->second;
}

// Place puts an array in the place of its wrapper. joblib itself makes plain arrays of memory maps.
NodeIndex Place(RuleContext& context, NodeIndex built, std::string_view subclass, std::uint32_t tensor) {
  if (subclass != "matrix") return context.graph.AddRawArray(context.graph.offset(built), tensor);
  context.tables.tensor_of[built] = tensor;
  return built;
}

}  // namespace

JoblibLayout::JoblibLayout(SharedSource file, const ImportOptions& options, Reader reader)
    : options_(options), reader_(reader), stream_(std::make_shared<JoinedSource>()) {
  stream_->Add(std::move(file));
}

Result<NodeIndex> JoblibLayout::AfterBuild(RuleContext& context, NodeIndex built, RawInput& input) {
  // An array is the state of nothing; the position is behind BUILD.
  if (context.graph.kind(built) == Kind::kRawArray && !behind_.contains(input.position() - 1)) changed_ = true;
  const AllowEntry* entry = context.graph.EntryOf(built);
  const std::string_view rule = entry != nullptr && entry->rule != nullptr ? entry->rule->name : std::string_view();
  if (!rule.starts_with("joblib_")) return built;
  if (!wrappers_.insert(built).second) changed_ = true;
  if (reader_ == Reader::kPlain) return rule == "joblib_array" ? Glance(context, built, input) : built;
  return rule == "joblib_array" ? ReadFollowing(context, built, input) : ReadCompanion(context, built);
}

// Glance returns the array behind a wrapper, and moves nowhere.
NodeIndex JoblibLayout::Glance(RuleContext& context, NodeIndex built, RawInput& input) {
  Wrapper wrapper = TakeWrapper(context.graph, built);
  const auto type = TypeOf(context, built, wrapper.dtype);
  if (!type.ok() || wrapper.aligned) return built;
  const auto bytes = ArrayBytes(*type.value(), wrapper.shape, context.limits);
  if (!bytes.ok() || bytes.value() > input.remaining()) return built;
  auto data = MakeSliceSource(context.graph.stream(), input.position(), bytes.value());
  if (!data.ok()) return built;
  const auto array = AddArray(context.tables, std::move(data).value(), *type.value(), std::move(wrapper.shape),
                              wrapper.order, context.limits);
  if (!array.ok()) return built;
  behind_.insert(input.position());
  return context.graph.AddRawArray(context.graph.offset(built), array.value());
}

Result<NodeIndex> JoblibLayout::ReadFollowing(RuleContext& context, NodeIndex built, RawInput& input) {
  Graph& graph = context.graph;
  if (!input.AtFrameEnd()) {
    return Refuse(graph, built, "JOBLIB-FRAME",
                  "the bytes of an array lie inside a frame, so readers see different programs");
  }
  Wrapper wrapper = TakeWrapper(graph, built);
  aligned_ = aligned_ || wrapper.aligned;
  if (reader_ == Reader::kBeforeAlignment) wrapper.aligned = false;
  SAFEMODEL_ASSIGN(const DtypeNote* type, TypeOf(context, built, wrapper.dtype));
  if (type->objects == DtypeNote::Objects::kYes && wrapper.mapped) {
    return Refuse(graph, built, "MEM-OBJECT",
                  "an array of objects may be mapped into memory, where its bytes would be used as pointers");
  }
  if (type->objects == DtypeNote::Objects::kYes) return input.RunNested();
  SAFEMODEL_ASSIGN(const std::uint32_t tensor, ReadArray(context, built, wrapper, *type, input));
  if (reader_ != Reader::kJoblib) behind_.insert(input.position());
  return Place(context, built, wrapper.subclass, tensor);
}

Result<SharedSource> JoblibLayout::OpenCompanion(const Graph& graph, NodeIndex built, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find_first_of(std::string_view("/\\\0", 3)) != name.npos) {
    Error error = Refuse(graph, built, "FILE-PATH", "a companion file is named by a path");
    error.subject = name;
    return error;
  }
  if (!companions_.insert(name).second) {
    return Refuse(graph, built, "JOBLIB-REUSE", "two arrays are in one companion file, which joblib never writes");
  }
  const Error missing{Stage::kMalformed, "FILE-MISSING",
                      "a file with an array, which has to lie beside this one, is missing", graph.offset(built), name};
  if (!options_.open_sibling) return missing;
  auto opened = options_.open_sibling(name);
  if (!opened.ok()) return std::string_view(opened.error().code) == "not_found" ? missing : opened.error();
  const std::uint64_t size = opened.value()->size();
  if (size > kSmallCompanion || size > kMostCompanionMemory - companion_memory_) return opened;
  companion_memory_ += size;
  SAFEMODEL_ASSIGN(ByteBuffer bytes, ReadRange(*opened.value(), 0, size, size));
  return MakeMemorySource(std::move(bytes));
}

Result<NodeIndex> JoblibLayout::ReadCompanion(RuleContext& context, NodeIndex built) {
  const Graph& graph = context.graph;
  const std::string name(graph.TextOf(LastValue(graph, graph.CallOf(built).state, "filename")));
  SAFEMODEL_ASSIGN(const SharedSource file, OpenCompanion(graph, built, name));
  const bool npy = graph.EntryOf(built)->rule->name == "joblib_file";
  auto array = npy ? ReadNpyCompanion(context, built, file) : ReadZFileCompanion(context, built, file);
  if (array.ok() || !array.error().subject.empty()) return array;
  Error error = array.error();
  error.subject = name;
  return error;
}

Result<NodeIndex> JoblibLayout::ReadNpyCompanion(RuleContext& context, NodeIndex built, const SharedSource& file) {
  const std::uint64_t begin = stream_->Add(file);
  SAFEMODEL_ASSIGN(const NodeIndex array, ReadNpyArray(context, file, begin, options_.unknown));
  const Graph& graph = context.graph;
  if (graph.kind(array) != Kind::kRawArray) return array;
  const NodeIndex subclass = LastValue(graph, graph.CallOf(built).state, "subclass");
  return Place(context, built, graph.GlobalOf(subclass).mapped_name, graph.TensorOf(array));
}

Result<NodeIndex> JoblibLayout::ReadZFileCompanion(RuleContext& context, NodeIndex built, const SharedSource& file) {
  Graph& graph = context.graph;
  const NodeIndex attributes = graph.CallOf(built).state;
  const std::span<const NodeIndex> state = graph.ItemsOf(LastValue(graph, attributes, "state"));
  const std::vector<std::uint64_t> shape = TakeShape(graph, state[1]);
  const auto order = graph.IntOf(state[3]) != 0 ? ArrayOrder::kFortran : ArrayOrder::kC;
  SAFEMODEL_ASSIGN(const DtypeNote* type, TypeOf(context, built, state[2]));
  SAFEMODEL_ASSIGN(std::optional<Unwrapped> unwrapped, Unwrap(file, file->size(), {}));
  if (!unwrapped || unwrapped->kind != WrapperKind::kZFile) {
    return Error{Stage::kMalformed, "WRAP-MALFORMED", "a companion file is no Z-file", 0};
  }
  if (unwrapped->fault) return *unwrapped->fault;
  SAFEMODEL_ASSIGN(const std::uint32_t tensor,
                   AddArray(context.tables, std::move(unwrapped->plain), *type, shape, order, context.limits));
  const NodeIndex subclass = graph.ItemsOf(LastValue(graph, attributes, "init_args"))[0];
  return Place(context, built, graph.GlobalOf(subclass).mapped_name, tensor);
}

Status JoblibLayout::OnMemoGet(RuleContext& context, NodeIndex node) {
  if (reader_ != Reader::kJoblib || !wrappers_.contains(node)) return {};
  return Refuse(context.graph, node, "JOBLIB-REUSE",
                "the pickle uses the wrapper of an array again, which joblib never does");
}

}  // namespace safemodel::pickle
