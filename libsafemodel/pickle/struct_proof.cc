// SPDX-License-Identifier: Apache-2.0
#include "pickle/struct_proof.h"

#include <algorithm>
#include <cmath>

#include "base/cursor.h"
#include "pickle/allow_list.h"
#include "pickle/global_name.h"
#include "pickle/judge.h"
#include "value/tensor_view.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint64_t kMostPermuted = std::uint64_t{1} << 32;  // a bitmap of 512 MiB

std::string_view RuleOf(const Graph& graph, NodeIndex node) {
  const AllowEntry* entry = graph.EntryOf(node);
  return entry == nullptr || entry->rule == nullptr ? std::string_view() : entry->rule->name;
}

// ClassName is the class of an object: that of the argument where a function makes it.
std::string ClassName(const Graph& graph, NodeIndex object) {
  const Call& call = graph.CallOf(object);
  const std::span<const NodeIndex> args = graph.ItemsOf(call.args);
  const bool made_by_function = call.entry != nullptr && call.entry->kind == EntryKind::kReducer;
  if (made_by_function && !args.empty() && graph.kind(args[0]) == Kind::kGlobal) {
    return FullName(graph.GlobalOf(args[0]));
  }
  return FullName(graph.GlobalOf(call.callee));
}

}  // namespace

bool IsIntegers(Dtype dtype) {
  switch (dtype) {
    case Dtype::kBool:
    case Dtype::kI8:
    case Dtype::kU8:
    case Dtype::kI16:
    case Dtype::kU16:
    case Dtype::kI32:
    case Dtype::kU32:
    case Dtype::kI64:
    case Dtype::kU64: return true;
    default: return false;
  }
}

bool IsReals(Dtype dtype) { return dtype == Dtype::kF32 || dtype == Dtype::kF64; }

Error Proof::Refuse(std::string_view attribute, const char* text) const {
  Error error{Stage::kUnsafe, code_, text, graph_.offset(object_)};
  error.subject = ClassName(graph_, object_);
  if (!attribute.empty()) error.subject.append(".").append(attribute);
  return error;
}

NodeIndex Proof::FindOf(NodeIndex object, std::string_view attribute) {
  if (object == kNoNode || graph_.kind(object) != Kind::kCall) return kNoNode;
  const NodeIndex state = graph_.CallOf(object).state;
  if (state == kNoNode || graph_.kind(state) != Kind::kDict) return kNoNode;
  const std::span<const NodeIndex> items = graph_.ItemsOf(state);
  context_.tables.proof_work += items.size() / 2;
  for (std::size_t i = items.size(); i >= 2; i -= 2) {
    if (graph_.TextOf(items[i - 2]) == attribute) return items[i - 1];
  }
  return kNoNode;
}

bool Proof::IsObject(NodeIndex node, std::string_view rule) const {
  return node != kNoNode && RuleOf(graph_, node) == rule;
}

const StructNote* Proof::NoteOf(NodeIndex node) const {
  const auto note = context_.tables.proven.find(node);
  return note == context_.tables.proven.end() ? nullptr : &note->second;
}

std::optional<std::int64_t> Proof::Integer(NodeIndex node) const {
  if (node == kNoNode) return std::nullopt;
  switch (graph_.kind(node)) {
    case Kind::kInt:
    case Kind::kFalse:
    case Kind::kTrue: return graph_.IntOf(node);
    case Kind::kCall: break;
    default: return std::nullopt;
  }
  if (RuleOf(graph_, node) != "numpy_scalar") return std::nullopt;
  const auto found = context_.tables.tensor_of.find(node);
  if (found == context_.tables.tensor_of.end()) return std::nullopt;
  const ImportedTensor& tensor = context_.tables.tensors[found->second];
  if (!IsIntegers(tensor.dtype)) return std::nullopt;
  std::array<std::uint8_t, 8> bytes{};
  const MutableBytes number = MutableBytes(bytes).first(BitsPerElement(tensor.dtype) / 8);
  if (!context_.tables.storages[tensor.storage].source->ReadAt(0, number).ok()) return std::nullopt;
  return IntegerAt(tensor.dtype, number);
}

std::optional<std::uint64_t> Proof::Count(NodeIndex node) const {
  const auto value = Integer(node);
  if (!value || *value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::optional<ArrayView> Proof::Array(NodeIndex node) const {
  if (node == kNoNode) return std::nullopt;
  std::uint32_t number = 0;
  if (graph_.kind(node) == Kind::kRawArray) {
    number = graph_.TensorOf(node);
  } else {
    const std::string_view rule = RuleOf(graph_, node);
    if (rule != "numpy_array" && rule != "numpy_frombuffer") return std::nullopt;
    const auto found = context_.tables.tensor_of.find(node);
    if (found == context_.tables.tensor_of.end()) return std::nullopt;
    // A matrix keeps two dimensions whatever is done with it, and a record array makes attributes of its fields.
    const NodeIndex subtype = graph_.ItemsOf(graph_.CallOf(node).args)[0];
    const auto is_plain = [](std::string_view name) { return name == "ndarray" || name == "memmap"; };
    if (rule == "numpy_array" && !is_plain(graph_.GlobalOf(subtype).mapped_name)) return std::nullopt;
    number = found->second;
  }
  const ImportedTensor& tensor = context_.tables.tensors[number];
  const auto elements = ElementCount(tensor.shape);
  if (!elements.ok()) return std::nullopt;
  return ArrayView{&tensor, context_.tables.storages[tensor.storage].source.get(), elements.value()};
}

std::optional<ObjectArray> Proof::Objects(NodeIndex node) {
  if (node == kNoNode || RuleOf(graph_, node) != "numpy_array" || graph_.CallOf(node).state == kNoNode) {
    return std::nullopt;
  }
  const std::span<const NodeIndex> state = graph_.ItemsOf(graph_.CallOf(node).state);
  auto shape = Sizes(state[1]);
  if (!shape || graph_.kind(state[4]) != Kind::kList || context_.tables.tensor_of.contains(node)) return std::nullopt;
  graph_.Seal(state[4]);
  return ObjectArray{std::move(*shape), state[4]};
}

std::optional<std::vector<NodeIndex>> Proof::Items(NodeIndex node) {
  if (node == kNoNode || (graph_.kind(node) != Kind::kList && graph_.kind(node) != Kind::kTuple)) return std::nullopt;
  graph_.Seal(node);
  const std::span<const NodeIndex> items = graph_.ItemsOf(node);
  context_.tables.proof_work += items.size();
  if (!Work(0).ok()) return std::nullopt;
  return std::vector<NodeIndex>(items.begin(), items.end());
}

std::optional<std::vector<std::uint64_t>> Proof::Sizes(NodeIndex node) {
  if (node == kNoNode || graph_.kind(node) != Kind::kTuple) return std::nullopt;
  std::vector<std::uint64_t> sizes;
  if (graph_.ItemsOf(node).size() > context_.limits.rank) return std::nullopt;
  for (const NodeIndex item : graph_.ItemsOf(node)) {
    const auto size = Count(item);
    if (!size) return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

Result<IntegerFacts> Proof::Integers(const ArrayView& array) {
  IntegerFacts facts;
  const Dtype dtype = array.dtype();
  const auto visit = [&](ByteView item) -> Status {
    const std::int64_t value = IntegerAt(dtype, item);
    if (facts.count++ == 0) {
      facts.least = facts.greatest = facts.first = value;
    } else {
      facts.ascending = facts.ascending && value >= facts.last;
      facts.least = std::min(facts.least, value);
      facts.greatest = std::max(facts.greatest, value);
    }
    facts.last = value;
    return {};
  };
  SAFEMODEL_TRY(ForEachItem(*this, array, BitsPerElement(dtype) / 8, visit));
  return facts;
}

Result<FloatFacts> Proof::Floats(const ArrayView& array) {
  FloatFacts facts;
  const Dtype dtype = array.dtype();
  double last = -std::numeric_limits<double>::infinity();
  const auto visit = [&](ByteView item) -> Status {
    const double value = RealAt(dtype, item);
    facts.finite = facts.finite && std::isfinite(value);
    facts.ascending = facts.ascending && value >= last;
    last = value;
    return {};
  };
  SAFEMODEL_TRY(ForEachItem(*this, array, BitsPerElement(dtype) / 8, visit));
  return facts;
}

Result<bool> Proof::IsPermutation(const ArrayView& array) {
  if (array.elements > kMostPermuted) {
    return Error{Stage::kLimit, "LIMIT-COUNT", "a permutation is longer than this reader checks",
                 graph_.offset(object_)};
  }
  std::vector<bool> seen(array.elements);
  bool permutation = true;
  const auto visit = [&](ByteView item) -> Status {
    const std::int64_t value = IntegerAt(array.dtype(), item);
    const bool fresh =
        value >= 0 && static_cast<std::uint64_t>(value) < array.elements && !seen[static_cast<std::size_t>(value)];
    if (fresh) seen[static_cast<std::size_t>(value)] = true;
    permutation = permutation && fresh;
    return {};
  };
  SAFEMODEL_TRY(ForEachItem(*this, array, BitsPerElement(array.dtype()) / 8, visit));
  return permutation;
}

Status Proof::Work(std::uint64_t steps) {
  constexpr std::uint64_t kFree = std::uint64_t{1} << 22;
  constexpr std::uint64_t kPerByte = 16;  // real files share an array among a few objects
  context_.tables.proof_work += steps;
  if (context_.tables.proof_work <=
      kFree + kPerByte * (graph_.size() + graph_.stream()->size() + context_.tables.late_bytes))
    return {};
  return Error{Stage::kLimit, "LIMIT-COUNT", "too many objects share the same data", graph_.offset(object_)};
}

std::uint32_t RecordSize(const ImportTables& tables, const ArrayView& array) {
  return array.dtype() == Dtype::kRecord ? tables.element_types[array.tensor->element_type].item_size : 0;
}

std::optional<std::vector<Field>> MatchRecord(const ImportTables& tables, const ArrayView& array,
                                              std::span<const RecordFieldRule> fields) {
  if (array.dtype() != Dtype::kRecord) return std::nullopt;
  const ElementType& type = tables.element_types[array.tensor->element_type];
  if (type.fields.size() != fields.size()) return std::nullopt;
  std::uint32_t end = 0;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field& field = type.fields[i];
    const bool same = field.name == fields[i].name && field.shape.empty() &&
                      (field.dtype == fields[i].dtypes[0] || field.dtype == fields[i].dtypes[1]);
    if (!same || field.offset != end) return std::nullopt;
    end += BitsPerElement(field.dtype) / 8;
  }
  constexpr std::uint32_t kMostPadding = 7;  // behind the last field
  if (type.item_size < end || type.item_size > end + kMostPadding) return std::nullopt;
  return type.fields;
}

}  // namespace safemodel::pickle
