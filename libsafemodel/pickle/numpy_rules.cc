// SPDX-License-Identifier: Apache-2.0
// Rules of numpy: element types, arrays, scalars, masked arrays, and joblib's arrays.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/cursor.h"
#include "base/try.h"
#include "pickle/numpy_array.h"
#include "pickle/numpy_dtype.h"
#include "pickle/numpy_mask.h"
#include "pickle/numpy_rules.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint32_t kAlignedStruct = 0x80;
constexpr std::uint32_t kNeedsPython = 0x10;  // says nothing about the bytes

// At gives an error that a helper made without knowing the pickle its place, and names the rule that it broke.
Error At(const Graph& graph, NodeIndex call, Error error) {
  if (std::string_view(error.code) == "NPY-HEADER") {
    error.stage = Stage::kUnsafe;
    error.code = "MEM-DTYPE";
  }
  error.offset = graph.offset(call);
  return error;
}

Error BadDtype(const Graph& graph, NodeIndex call) {
  return Refuse(graph, call, "MEM-DTYPE", "an element type contradicts itself, and numpy would believe its sizes");
}

// Shape returns a tuple of dimensions; a schema has checked that they are integers, not negative.
std::vector<std::uint64_t> Shape(const Graph& graph, NodeIndex tuple) {
  std::vector<std::uint64_t> shape;
  for (const NodeIndex dimension : graph.ItemsOf(tuple))
    shape.push_back(static_cast<std::uint64_t>(graph.IntOf(dimension)));
  return shape;
}

Result<DtypeNote> TypeOf(RuleContext& context, NodeIndex dtype) {
  const auto note = context.tables.dtype_of.find(dtype);
  if (note == context.tables.dtype_of.end()) return BadDtype(context.graph, dtype);
  context.graph.Seal(dtype);  // it must stay what the array was checked with
  return note->second;
}

// --- numpy.dtype(text, align, copy), then the state (version, order, subarray, names, fields, size, alignment, flags)
// ---

Status OnDtype(RuleContext& context, NodeIndex call) {
  const Graph& graph = context.graph;
  const NodeIndex text = ArgsOf(graph, call)[0];
  if (graph.kind(text) == Kind::kGlobal) return {};  // numpy.record: the state says everything
  ElementTypeTable table(context.tables.element_types, context.limits);
  const std::string_view written = graph.TextOf(text);
  if (written == "V0" || written == "V") return {};  // nothing yet
  auto note = ParseDtypeText(written, table);
  if (!note.ok()) return At(graph, call, note.error());
  context.tables.dtype_of[call] = std::move(note).value();
  return {};
}

// DtypeState is the state of a dtype, taken apart.
struct DtypeState {
  std::string_view order;
  NodeIndex subarray = kNoNode;
  NodeIndex names = kNoNode;
  NodeIndex fields = kNoNode;
  std::int64_t item_size = 0;
  std::int64_t alignment = 0;
  std::int64_t flags = 0;
  NodeIndex metadata = kNoNode;
};

DtypeState TakeState(const Graph& graph, NodeIndex call) {
  const std::span<const NodeIndex> items = StateOf(graph, call);
  return {graph.TextOf(items[1]),
          items[2],
          items[3],
          items[4],
          graph.IntOf(items[5]),
          graph.IntOf(items[6]),
          graph.IntOf(items[7]),
          items.size() > 8 ? items[8] : kNoNode};
}

// TimeUnit returns "[25us]" of the metadata (…, (b'us', 25, 1, 1)), "" for the generic unit, nothing when it is
// neither.
std::optional<std::string> TimeUnit(const Graph& graph, NodeIndex metadata) {
  if (metadata == kNoNode || graph.kind(metadata) != Kind::kTuple) return std::nullopt;
  const std::span<const NodeIndex> unit = graph.ItemsOf(graph.ItemsOf(metadata)[1]);
  const auto name = graph.BytesOf(unit[0]);
  const std::int64_t count = graph.IntOf(unit[1]);
  if (!name || name->size() > 8 || graph.IntOf(unit[2]) != 1 || count < 1) return std::nullopt;
  if (AsText(*name) == "generic") return std::string();
  std::string text = "[";
  if (count != 1) text += std::to_string(count);
  text += AsText(*name);
  text += ']';
  return text;
}

Result<DtypeNote> SimpleType(RuleContext& context, NodeIndex call, const DtypeState& state) {
  const Graph& graph = context.graph;
  const NodeIndex text = ArgsOf(graph, call)[0];
  std::string written(state.order == "=" ? "<" : state.order);
  if (written != "<" && written != ">" && written != "|") return BadDtype(graph, call);
  written += graph.TextOf(text);
  const char letter = written.size() > 1 ? written[1] : '\0';
  if (letter == 'M' || letter == 'm') {
    const auto unit = TimeUnit(graph, state.metadata);
    if (!unit) return BadDtype(graph, call);
    written += *unit;
  }
  ElementTypeTable table(context.tables.element_types, context.limits);
  SAFEMODEL_ASSIGN(DtypeNote note, ParseDtypeText(written, table));
  const bool flexible = letter == 'S' || letter == 'U' || letter == 'V';
  const std::int64_t item_size = flexible ? std::int64_t{note.item_size} : -1;
  const std::int64_t alignment = flexible ? std::int64_t{note.alignment} : -1;
  if (state.item_size != item_size || state.alignment != alignment || state.flags != note.flags)
    return BadDtype(graph, call);
  return note;
}

Result<DtypeNote> Subarray(RuleContext& context, NodeIndex call, const DtypeState& state) {
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> parts = graph.ItemsOf(state.subarray);
  if (parts[0] == call) return BadDtype(graph, call);
  SAFEMODEL_ASSIGN(const DtypeNote base, TypeOf(context, parts[0]));
  SAFEMODEL_ASSIGN(DtypeNote note, MakeSubarray(base, Shape(graph, parts[1])));
  if (state.item_size != std::int64_t{note.item_size} || state.alignment != std::int64_t{note.alignment} ||
      (state.flags & ~std::int64_t{kNeedsPython}) != std::int64_t{note.flags & ~kNeedsPython}) {
    return BadDtype(graph, call);
  }
  return note;
}

Result<DtypeNote> Record(RuleContext& context, NodeIndex call, const DtypeState& state) {
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> names = graph.ItemsOf(state.names);
  // Looking names up one by one is quadratic; records with more fields than this do not occur.
  constexpr std::size_t kMostFields = 1024;
  if (names.size() > kMostFields) return Error{Stage::kLimit, "LIMIT-COUNT", "a record has more fields than the limit"};
  if (graph.kind(state.fields) != Kind::kDict || graph.ItemsOf(state.fields).size() != 2 * names.size())
    return BadDtype(graph, call);
  if (state.item_size < 0 || state.item_size > std::numeric_limits<std::int32_t>::max()) return BadDtype(graph, call);
  std::vector<RecordField> fields;
  std::uint32_t alignment = 1;
  for (const NodeIndex name : names) {
    const NodeIndex field = LastValue(graph, state.fields, graph.TextOf(name));
    if (field == kNoNode) return BadDtype(graph, call);
    const std::span<const NodeIndex> parts = graph.ItemsOf(field);
    const std::int64_t offset = graph.IntOf(parts[1]);
    if (parts[0] == call) return BadDtype(graph, call);  // a record that holds itself has no end
    SAFEMODEL_ASSIGN(DtypeNote type, TypeOf(context, parts[0]));
    if (offset > state.item_size) return BadDtype(graph, call);
    if ((state.flags & kAlignedStruct) != 0) alignment = std::max(alignment, type.alignment);
    fields.push_back({std::string(graph.TextOf(name)), std::move(type), static_cast<std::uint32_t>(offset)});
  }
  ElementTypeTable table(context.tables.element_types, context.limits);
  SAFEMODEL_ASSIGN(DtypeNote note,
                   MakeRecord(std::move(fields), static_cast<std::uint32_t>(state.item_size), alignment, table));
  constexpr std::int64_t kFree = kNeedsPython | kAlignedStruct;
  // numpy believes these flags: without those of its object fields a record's bytes would become pointers.
  if ((state.flags & ~kFree) != (std::int64_t{note.flags} & ~kFree) || state.alignment != std::int64_t{alignment}) {
    return BadDtype(graph, call);
  }
  return note;
}

Status OnDtypeState(RuleContext& context, NodeIndex call) {
  const Graph& graph = context.graph;
  const DtypeState state = TakeState(graph, call);
  const bool is_record = graph.kind(state.names) == Kind::kTuple;
  const bool is_subarray = graph.kind(state.subarray) == Kind::kTuple;
  if (is_record == (graph.kind(state.fields) == Kind::kNone) || (is_record && is_subarray))
    return BadDtype(graph, call);
  auto note = is_record     ? Record(context, call, state)
              : is_subarray ? Subarray(context, call, state)
                            : SimpleType(context, call, state);
  if (!note.ok()) return At(graph, call, note.error());
  context.tables.dtype_of[call] = std::move(note).value();
  return {};
}

std::string TypeText(const DtypeNote& note, const std::vector<ElementType>& types) {
  struct Letter {
    Dtype dtype;
    const char* text;
  };
  constexpr std::array<Letter, 14> kLetters = {{{Dtype::kBool, "b"},
                                                {Dtype::kI8, "i"},
                                                {Dtype::kI16, "i"},
                                                {Dtype::kI32, "i"},
                                                {Dtype::kI64, "i"},
                                                {Dtype::kU8, "u"},
                                                {Dtype::kU16, "u"},
                                                {Dtype::kU32, "u"},
                                                {Dtype::kU64, "u"},
                                                {Dtype::kF16, "f"},
                                                {Dtype::kF32, "f"},
                                                {Dtype::kF64, "f"},
                                                {Dtype::kComplex64, "c"},
                                                {Dtype::kComplex128, "c"}}};
  if (note.objects == DtypeNote::Objects::kYes) return "|O";
  std::string text = note.swaps.empty() ? (note.alignment == 1 ? "|" : "<") : ">";
  const auto number =
      std::find_if(kLetters.begin(), kLetters.end(), [&](const Letter& l) { return l.dtype == note.dtype; });
  if (number != kLetters.end()) return text.append(number->text).append(std::to_string(note.item_size));
  switch (note.dtype) {
    case Dtype::kBytes: return text.append("S").append(std::to_string(note.item_size));
    case Dtype::kText: return text.append("U").append(std::to_string(note.item_size / 4));
    case Dtype::kDatetime64: text.append("M8"); break;
    case Dtype::kTimedelta64: text.append("m8"); break;
    default: return text.append("V").append(std::to_string(note.item_size));
  }
  const std::string& unit = types[note.element_type].detail;
  if (!unit.empty()) text.append("[").append(unit).append("]");
  return text;
}

// RecordToTree uses the form of numpy.dtype(dict): names, formats, offsets, itemsize, aligned.
TreeRef RecordToTree(TreeContext& tree, const DtypeState& state) {
  const Graph& graph = tree.graph();
  std::vector<TreeRef> names, formats, offsets;
  for (const NodeIndex name : graph.ItemsOf(state.names)) {
    const std::span<const NodeIndex> parts = graph.ItemsOf(LastValue(graph, state.fields, graph.TextOf(name)));
    names.push_back(tree.Of(name));
    formats.push_back(tree.Of(parts[0]));
    offsets.push_back(tree.Of(parts[1]));
  }
  std::vector<TreeRef> items = {tree.Str("names"),    tree.Parent(NodeKind::kList, std::move(names)),
                                tree.Str("formats"),  tree.Parent(NodeKind::kList, std::move(formats)),
                                tree.Str("offsets"),  tree.Parent(NodeKind::kList, std::move(offsets)),
                                tree.Str("itemsize"), tree.Int(state.item_size)};
  if ((state.flags & kAlignedStruct) != 0) {
    items.push_back(tree.Str("aligned"));
    items.push_back(tree.Leaf(NodeKind::kTrue));
  }
  return tree.Parent(NodeKind::kDict, std::move(items));
}

TreeRef ObjectWithArgs(TreeContext& tree, std::string_view module, std::string_view name, std::vector<TreeRef> args) {
  const TreeRef tuple = tree.Parent(NodeKind::kTuple, std::move(args));
  return tree.Parent(NodeKind::kObject, {tree.Global(module, name), tuple}, kObjectArgs);
}

Result<TreeRef> DtypeToTree(TreeContext& tree, NodeIndex call) {
  const Graph& graph = tree.graph();
  const bool built = graph.CallOf(call).state != kNoNode;
  const DtypeState state = built ? TakeState(graph, call) : DtypeState{};
  TreeRef meaning = 0;
  if (built && graph.kind(state.names) == Kind::kTuple) {
    meaning = RecordToTree(tree, state);
  } else if (built && graph.kind(state.subarray) == Kind::kTuple) {
    const std::span<const NodeIndex> parts = graph.ItemsOf(state.subarray);
    meaning = tree.Parent(NodeKind::kTuple, {tree.Of(parts[0]), tree.Of(parts[1])});
  } else {
    const auto note = tree.tables().dtype_of.find(call);
    if (note == tree.tables().dtype_of.end()) return BadDtype(graph, call);
    meaning = tree.Str(TypeText(note->second, tree.tables().element_types));
  }
  return ObjectWithArgs(tree, "numpy", "dtype", {meaning});
}

// --- arrays ---

bool HoldsBytes(const Graph& graph, NodeIndex node) { return graph.kind(node) != Kind::kList; }

// CheckObjects proves that an array of objects is a list of as many as its shape says.
Status CheckObjects(RuleContext& context, NodeIndex call, const DtypeNote& type,
                    const std::vector<std::uint64_t>& shape, NodeIndex data) {
  const Graph& graph = context.graph;
  DtypeNote unit;
  unit.item_size = 1;
  auto count = ArrayBytes(unit, shape, context.limits);
  if (!count.ok()) return At(graph, call, count.error());
  if (type.objects == DtypeNote::Objects::kNo || count.value() != graph.ItemsOf(data).size()) {
    return Refuse(graph, call, "MEM-OBJECT", "an array of objects has another number of them than its shape says");
  }
  return {};
}

// ArrayState is what comes with BUILD: (version, shape, dtype, fortran, data, …).
struct ArrayState {
  std::vector<std::uint64_t> shape;
  DtypeNote type;
  ArrayOrder order = ArrayOrder::kC;
  NodeIndex data = kNoNode;
};

Result<ArrayState> TakeArray(RuleContext& context, NodeIndex call) {
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> items = StateOf(graph, call);
  ArrayState out;
  out.shape = Shape(graph, items[1]);
  SAFEMODEL_ASSIGN(out.type, TypeOf(context, items[2]));
  out.order = graph.IntOf(items[3]) != 0 ? ArrayOrder::kFortran : ArrayOrder::kC;
  out.data = items[4];
  return out;
}

// HoldsNumbers says that elements are numbers of more than a byte, or records of numbers.
bool HoldsNumbers(const ImportTables& tables, const DtypeNote& type) {
  const auto is_number = [](Dtype dtype) { return !IsExtended(dtype) && BitsPerElement(dtype) > 8; };
  if (type.dtype != Dtype::kRecord) return is_number(type.dtype);
  const std::vector<Field>& fields = tables.element_types[type.element_type].fields;
  const auto is_part = [&](const Field& field) {
    return is_number(field.dtype) || (!IsExtended(field.dtype) && field.shape.empty());
  };
  return std::ranges::all_of(fields, is_part) &&
         std::ranges::any_of(fields, [&](const Field& field) { return is_number(field.dtype); });
}

Result<std::uint32_t> AddArrayOf(RuleContext& context, NodeIndex call, NodeIndex data, const DtypeNote& type,
                                 std::vector<std::uint64_t> shape, ArrayOrder order) {
  SAFEMODEL_ASSIGN(SharedSource source, context.graph.SourceOf(data));
  auto tensor = AddArray(context.tables, std::move(source), type, std::move(shape), order, context.limits);
  if (!tensor.ok()) return At(context.graph, call, tensor.error());
  if (HoldsNumbers(context.tables, type)) context.graph.MarkNumbers(data);
  return tensor;
}

Status OnArrayState(RuleContext& context, NodeIndex call) {
  SAFEMODEL_ASSIGN(ArrayState array, TakeArray(context, call));
  if (!HoldsBytes(context.graph, array.data)) return CheckObjects(context, call, array.type, array.shape, array.data);
  SAFEMODEL_ASSIGN(context.tables.tensor_of[call],
                   AddArrayOf(context, call, array.data, array.type, std::move(array.shape), array.order));
  return {};
}

// ListOfObjects makes (shape, items), with dtype and order when they say more than that.
std::vector<TreeRef> ListOfObjects(TreeContext& tree, NodeIndex call) {
  const Graph& graph = tree.graph();
  const std::span<const NodeIndex> state = StateOf(graph, call);
  std::vector<TreeRef> args = {tree.Of(state[1]), tree.Of(state[4])};
  const bool fortran = graph.IntOf(state[3]) != 0;
  const auto type = tree.tables().dtype_of.find(state[2]);
  const bool record = type != tree.tables().dtype_of.end() && type->second.dtype == Dtype::kRecord;
  if (fortran || record) {
    args.push_back(tree.Of(state[2]));
    args.push_back(tree.Str(fortran ? "F" : "C"));
  }
  return args;
}

Result<TreeRef> ArrayToTree(TreeContext& tree, NodeIndex call) {
  const Graph& graph = tree.graph();
  const GlobalName& subtype = graph.GlobalOf(ArgsOf(graph, call)[0]);
  const auto tensor = tree.tables().tensor_of.find(call);
  // What a memory map showed was saved, and not what it was a map of.
  const std::string_view name = subtype.mapped_name == "memmap" ? "ndarray" : subtype.mapped_name;
  if (tensor == tree.tables().tensor_of.end()) return ObjectWithArgs(tree, "numpy", name, ListOfObjects(tree, call));
  const TreeRef array = tree.Tensor(tensor->second);
  return name == "ndarray" ? array : ObjectWithArgs(tree, "numpy", name, {array});
}

// _frombuffer(buffer, dtype, shape, order[, axes]): with order K the shape is that of the bytes, and axes turn it.
Status OnFromBuffer(RuleContext& context, NodeIndex call) {
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  SAFEMODEL_ASSIGN(const DtypeNote type, TypeOf(context, args[1]));
  const ArrayOrder order = graph.TextOf(args[3]) == "F" ? ArrayOrder::kFortran : ArrayOrder::kC;
  SAFEMODEL_ASSIGN(const std::uint32_t number, AddArrayOf(context, call, args[0], type, Shape(graph, args[2]), order));
  context.tables.tensor_of[call] = number;
  if (args.size() < 5) return {};
  const std::vector<std::uint64_t> axes = Shape(graph, args[4]);
  ImportedTensor& tensor = context.tables.tensors[number];
  std::vector<std::uint64_t> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  bool permutation = axes.size() == tensor.shape.size();
  for (std::size_t i = 0; permutation && i < sorted.size(); ++i) permutation = sorted[i] == i;
  if (!permutation) return Refuse(graph, call, "MEM-VIEW", "the axes of an array are no permutation");
  const ImportedTensor before = tensor;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    tensor.shape[i] = before.shape[axes[i]];
    tensor.strides[i] = before.strides[axes[i]];
  }
  return {};
}

Result<TreeRef> TensorToTree(TreeContext& tree, NodeIndex call) {
  return tree.Tensor(tree.tables().tensor_of.at(call));
}

Status OnScalar(RuleContext& context, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  SAFEMODEL_ASSIGN(const DtypeNote type, TypeOf(context, args[0]));
  SAFEMODEL_ASSIGN(context.tables.tensor_of[call], AddArrayOf(context, call, args[1], type, {}, ArrayOrder::kC));
  return {};
}

Result<TreeRef> ScalarToTree(TreeContext& tree, NodeIndex call) {
  return ObjectWithArgs(tree, "numpy", "generic", {tree.Tensor(tree.tables().tensor_of.at(call))});
}

// --- masked arrays: (version, shape, dtype, fortran, data, mask, fill value) ---

Status OnMaskedState(RuleContext& context, NodeIndex call) {
  SAFEMODEL_TRY(OnArrayState(context, call));
  const NodeIndex state = context.graph.CallOf(call).state;
  SAFEMODEL_ASSIGN(const ArrayState array, TakeArray(context, call));
  SAFEMODEL_ASSIGN(const DtypeNote mask, MaskType(context, context.graph.ItemsOf(state)[2], array.type));
  const NodeIndex bytes = context.graph.ItemsOf(state)[5];
  SAFEMODEL_ASSIGN(context.tables.tensor_of[state], AddArrayOf(context, call, bytes, mask, array.shape, array.order));
  return {};
}

Result<TreeRef> MaskedToTree(TreeContext& tree, NodeIndex call) {
  const NodeIndex state = tree.graph().CallOf(call).state;
  const auto data = tree.tables().tensor_of.find(call);
  const TreeRef array = data != tree.tables().tensor_of.end()
                            ? tree.Tensor(data->second)
                            : ObjectWithArgs(tree, "numpy", "ndarray", ListOfObjects(tree, call));
  const TreeRef mask = tree.Tensor(tree.tables().tensor_of.at(state));
  return ObjectWithArgs(tree, "numpy.ma", "MaskedArray", {array, mask, tree.Of(tree.graph().ItemsOf(state)[6])});
}

// SubclassOf returns the class of a joblib array. Where joblib up to 0.9 compressed, its constructor takes it.
NodeIndex SubclassOf(const Graph& graph, NodeIndex state) {
  const NodeIndex subclass = LastValue(graph, state, "subclass");
  return subclass != kNoNode ? subclass : graph.ItemsOf(LastValue(graph, state, "init_args"))[0];
}

// JoblibToTree: the array of a wrapper takes its place; only subclasses get here.
Result<TreeRef> JoblibToTree(TreeContext& tree, NodeIndex call) {
  const Graph& graph = tree.graph();
  const auto tensor = tree.tables().tensor_of.find(call);
  if (tensor == tree.tables().tensor_of.end()) {
    return Error{Stage::kMalformed, "PKL-MALFORMED", "a joblib array is used without its bytes", graph.offset(call)};
  }
  const GlobalName& subclass = graph.GlobalOf(SubclassOf(graph, graph.CallOf(call).state));
  return ObjectWithArgs(tree, "numpy", subclass.mapped_name, {tree.Tensor(tensor->second)});
}

const std::array<Rule, 13> kRules = {{
    {.name = "numpy_dtype", .on_call = OnDtype, .on_build = OnDtypeState, .to_tree = DtypeToTree},
    {.name = "numpy_array", .on_build = OnArrayState, .to_tree = ArrayToTree},
    {.name = "numpy_frombuffer", .on_call = OnFromBuffer, .to_tree = TensorToTree},
    {.name = "numpy_scalar", .on_call = OnScalar, .to_tree = ScalarToTree},
    {.name = "numpy_masked", .on_build = OnMaskedState, .to_tree = MaskedToTree},
    {.name = "numpy_bit_generator",
     .on_call = OnBitGenerator,
     .on_build = OnGeneratorState,
     .to_tree = BitGeneratorToTree},
    {.name = "numpy_random_state", .on_build = OnGeneratorState, .to_tree = RandomStateToTree},
    {.name = "numpy_generator", .on_build = OnGeneratorState, .to_tree = GeneratorToTree},
    {.name = "numpy_seed", .to_tree = PyxToTree},
    {.name = "of_class", .to_tree = PyxToTree},
    {.name = "joblib_array", .to_tree = JoblibToTree},
    {.name = "joblib_file", .to_tree = JoblibToTree},
    {.name = "joblib_zfile", .to_tree = JoblibToTree},
}};

}  // namespace

NodeIndex LastValue(const Graph& graph, NodeIndex dict, std::string_view key) {
  const std::span<const NodeIndex> items = graph.ItemsOf(dict);
  NodeIndex found = kNoNode;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (graph.TextOf(items[i]) == key) found = items[i + 1];
  }
  return found;
}

std::optional<std::uint32_t> ArrayOf(const RuleContext& context, NodeIndex node) {
  if (context.graph.kind(node) == Kind::kRawArray) return context.graph.TensorOf(node);
  const auto tensor = context.tables.tensor_of.find(node);
  if (tensor == context.tables.tensor_of.end()) return std::nullopt;
  return tensor->second;
}

std::span<const Rule> NumpyRules() { return kRules; }

}  // namespace safemodel::pickle
