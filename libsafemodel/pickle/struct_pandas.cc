// SPDX-License-Identifier: Apache-2.0
// STRUCT-PANDAS: blocks of columns. Native code of pandas writes to the place that a block claims without looking at
// it, and takes codes of categories for places in memory.
#include <algorithm>
#include <array>
#include <optional>

#include "pickle/numpy_rules.h"
#include "pickle/struct_proof.h"
#include "pickle/struct_rules.h"

namespace safemodel::pickle {
namespace {

constexpr const char* kCode = "STRUCT-PANDAS";
constexpr std::uint64_t kMostColumns = std::uint64_t{1} << 31;

// IsOwnArray says that a node is one of pandas' own arrays, made by a function or by the object protocol.
bool IsOwnArray(const Proof& proof, NodeIndex node) {
  return proof.IsObject(node, "pandas_array") || proof.IsObject(node, "pandas_masked");
}

// ShapeOf returns the shape of the array that values are kept in: numbers, objects, or one of pandas' own arrays.
std::optional<std::vector<std::uint64_t>> ShapeOf(Proof& proof, NodeIndex values) {
  if (const auto array = proof.Array(values)) return array->shape();
  if (auto objects = proof.Objects(values)) return std::move(objects->shape);
  const StructNote* note = IsOwnArray(proof, values) ? proof.NoteOf(values) : nullptr;
  if (note == nullptr) return std::nullopt;
  if (note->outputs == 2) return std::vector<std::uint64_t>{note->rows, note->columns};
  return std::vector<std::uint64_t>{note->columns};
}

// LengthOf returns the length of an index, or of one dimension of values.
std::optional<std::uint64_t> LengthOf(Proof& proof, NodeIndex node) {
  if (proof.IsObject(node, "pandas_index")) {
    const StructNote* note = proof.NoteOf(node);
    return note == nullptr ? std::nullopt : std::optional(note->columns);
  }
  const auto shape = ShapeOf(proof, node);
  return shape && shape->size() == 1 ? std::optional((*shape)[0]) : std::nullopt;
}

// Argument returns what an index is made of: the value of a key in the dict that its function takes.
NodeIndex Argument(const Proof& proof, NodeIndex dict, std::string_view name) {
  return proof.graph().kind(dict) == Kind::kDict ? LastValue(proof.graph(), dict, name) : kNoNode;
}

// RangeLength is the length of range(start, stop, step).
std::optional<std::uint64_t> RangeLength(std::int64_t start, std::int64_t stop, std::int64_t step) {
  constexpr std::int64_t kMost = std::int64_t{1} << 61;
  const auto far = [](std::int64_t value) { return value > kMost || value < -kMost; };
  if (step == 0 || far(start) || far(stop) || far(step)) return std::nullopt;
  const std::int64_t distance = step > 0 ? stop - start : start - stop;
  const std::int64_t stride = step > 0 ? step : -step;
  return distance <= 0 ? 0 : static_cast<std::uint64_t>((distance - 1) / stride + 1);
}

// CodesWithin proves that codes are places of a table, or −1 for a value that is missing.
Status CodesWithin(Proof& proof, NodeIndex node, std::optional<std::uint64_t> end, const char* name) {
  const auto codes = proof.Array(node);
  if (!codes || !IsIntegers(codes->dtype()) || !end) {
    return proof.Refuse(name, "pandas would look up categories with something that holds no codes");
  }
  SAFEMODEL_ASSIGN(const IntegerFacts facts, proof.Integers(*codes));
  if (facts.Within(-1, *end)) return {};
  return proof.Refuse(name, "pandas would read categories that are not there");
}

// Levels proves an index of several levels, and returns its length.
Result<std::uint64_t> Levels(Proof& proof, NodeIndex dict) {
  const auto levels = proof.Items(Argument(proof, dict, "levels"));
  const auto codes = proof.Items(Argument(proof, dict, "codes"));
  std::optional<std::uint64_t> length;
  bool fits = levels && codes && levels->size() == codes->size() && !levels->empty();
  for (std::size_t i = 0; fits && i < levels->size(); ++i) {
    SAFEMODEL_TRY(CodesWithin(proof, (*codes)[i], LengthOf(proof, (*levels)[i]), "codes"));
    const auto one = LengthOf(proof, (*codes)[i]);
    fits = one && (!length || *length == *one);
    length = one;
  }
  if (fits) return *length;
  return proof.Refuse("codes", "pandas would read codes of levels that are not there");
}

// Remember keeps the shape of an array or index: one dimension, or two with `rows` of them.
Status Remember(Proof& proof, std::vector<std::uint64_t> shape) {
  StructNote note;
  note.outputs = shape.size();
  note.rows = shape.size() > 1 ? shape[0] : 1;
  note.columns = shape.back();
  proof.context().tables.proven[proof.object()] = note;
  return {};
}

// --- arrays ---

// OnBacked: __pyx_unpickle_NDArrayBacked; the state is (dtype, array[, attributes]), in older releases the other way
// round.
Status OnBacked(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const std::span<const NodeIndex> state = StateOf(context.graph, call);
  NodeIndex dtype = state[0], values = state[1];
  if (!ShapeOf(proof, values)) std::swap(dtype, values);
  auto shape = ShapeOf(proof, values);
  if (!shape || shape->empty() || shape->size() > 2) {
    return proof.Refuse("_ndarray",
                        "pandas would read values from something that is no array of one or two dimensions");
  }
  const std::string_view name = context.graph.GlobalOf(ArgsOf(context.graph, call)[0]).mapped_name;
  if (name == "Categorical") {
    const auto categories = LengthOf(proof, proof.FindOf(dtype, "categories"));
    SAFEMODEL_TRY(CodesWithin(proof, values, categories, "_codes"));
  }
  return Remember(proof, std::move(*shape));
}

// OnMasked: numbers with a mask that says which of them are missing.
Status OnMasked(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  auto values = ShapeOf(proof, proof.Find("_data"));
  const auto mask = proof.Array(proof.Find("_mask"));
  if (values && mask && mask->dtype() == Dtype::kBool && mask->shape() == *values && values->size() == 1) {
    return Remember(proof, std::move(*values));
  }
  return proof.Refuse("_mask", "pandas would read the mask of values past its end");
}

// OnInterval: __pyx_unpickle_IntervalMixin with the state (attributes).
Status OnInterval(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const NodeIndex attributes = StateOf(context.graph, call)[0];
  const auto left = LengthOf(proof, Argument(proof, attributes, "_left"));
  const auto right = LengthOf(proof, Argument(proof, attributes, "_right"));
  if (left && left == right) return Remember(proof, {*left});
  return proof.Refuse("_right", "pandas would read the ends of intervals that are not there");
}

// OnSparseIndex: IntIndex(length, indices[, check]); pandas looks values up by the indices.
Status OnSparseIndex(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  const auto length = proof.Count(args[0]);
  const auto indices = proof.Array(args[1]);
  if (!length || !indices || !indices->IsVector() || indices->dtype() != Dtype::kI32) {
    return proof.Refuse("indices", "pandas would read indices of another type or shape");
  }
  SAFEMODEL_ASSIGN(const IntegerFacts facts, proof.Integers(*indices));
  if (!facts.ascending || !facts.Within(0, *length) || facts.count > *length) {
    return proof.Refuse("indices", "pandas would write values outside the array that it makes of a sparse one");
  }
  StructNote note;
  note.columns = *length;
  note.stored = facts.count;
  context.tables.proven[call] = note;
  return {};
}

Status OnSparseArray(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const NodeIndex index = proof.Find("_sparse_index");
  const StructNote* note = proof.IsObject(index, "pandas_sparse_index") ? proof.NoteOf(index) : nullptr;
  const auto values = LengthOf(proof, proof.Find("_sparse_values"));
  if (note != nullptr && values == note->stored) return Remember(proof, {note->columns});
  return proof.Refuse("_sparse_values", "pandas would read values of a sparse array that are not there");
}

// OnMade is the rule of arrays that a function makes, OnArray of those that the object protocol makes.
Status OnMade(RuleContext& context, NodeIndex call) {
  return StateOf(context.graph, call).size() == 1 ? OnInterval(context, call) : OnBacked(context, call);
}
Status OnArray(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  return proof.Has("_sparse_index") ? OnSparseArray(context, call) : OnMasked(context, call);
}

// --- indices: function(class, {data, name, …}) ---

Status OnIndex(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const NodeIndex dict = ArgsOf(context.graph, call)[1];
  const Error unknown = proof.Refuse("data", "pandas would make an index of something whose length is not known");
  if (Argument(proof, dict, "levels") != kNoNode) {
    SAFEMODEL_ASSIGN(const std::uint64_t length, Levels(proof, dict));
    return Remember(proof, {length});
  }
  if (Argument(proof, dict, "stop") != kNoNode) {
    const auto start = proof.Integer(Argument(proof, dict, "start"));
    const auto stop = proof.Integer(Argument(proof, dict, "stop"));
    const auto step = proof.Integer(Argument(proof, dict, "step"));
    const auto length = start && stop && step ? RangeLength(*start, *stop, *step) : std::nullopt;
    return length ? Remember(proof, {*length}) : unknown;
  }
  if (Argument(proof, dict, "left") != kNoNode) {
    const auto left = LengthOf(proof, Argument(proof, dict, "left"));
    if (left && left == LengthOf(proof, Argument(proof, dict, "right"))) return Remember(proof, {*left});
    return unknown;
  }
  const auto length = LengthOf(proof, Argument(proof, dict, "data"));
  return length ? Remember(proof, {*length}) : unknown;
}

// IndexToTree: function(class, dict) stands for an index of the class.
Result<TreeRef> IndexToTree(TreeContext& tree, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(tree.graph(), call);
  const GlobalName& cls = tree.graph().GlobalOf(args[0]);
  return tree.Object(cls.mapped_module, cls.mapped_name, {tree.Of(args[1])}, call);
}

// --- blocks ---

// Places is where the columns of a block stand: a slice or an array of numbers.
struct Places {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::uint64_t count = 0;
  std::optional<ArrayView> array;
};

std::optional<Places> PlacesOf(Proof& proof, NodeIndex node) {
  Places places;
  places.array = proof.Array(node);
  if (places.array) {
    places.count = places.array->elements;
    return places.array->IsVector() && IsIntegers(places.array->dtype()) ? std::optional(places) : std::nullopt;
  }
  const Graph& graph = proof.graph();
  if (node == kNoNode || graph.kind(node) != Kind::kCall) return std::nullopt;
  if (graph.GlobalOf(graph.CallOf(node).callee).mapped_name != "slice") return std::nullopt;
  const std::span<const NodeIndex> args = ArgsOf(graph, node);
  if (args.size() != 3) return std::nullopt;
  const auto start = proof.Integer(args[0]);
  const auto step = graph.kind(args[2]) == Kind::kNone ? std::optional<std::int64_t>(1) : proof.Integer(args[2]);
  if (!start || *start < 0 || !step) return std::nullopt;
  // Negative numbers count from an end that pandas takes from elsewhere; a slice that falls to the first column has
  // none.
  const bool to_first = *step < 0 && graph.kind(args[1]) == Kind::kNone;
  const auto stop = to_first ? std::optional<std::int64_t>(-1) : proof.Integer(args[1]);
  if (!stop || (*stop < 0 && !to_first)) return std::nullopt;
  const auto count = RangeLength(*start, *stop, *step);
  if (!count) return std::nullopt;
  places.start = *start;
  places.step = *step;
  places.count = *count;
  return places;
}

// Claim marks the columns of a block, each of which must be free.
Status Claim(Proof& proof, const Places& places, std::vector<bool>& taken) {
  const auto claim = [&](std::int64_t place) -> Status {
    if (place >= 0 && static_cast<std::uint64_t>(place) < taken.size() && !taken[static_cast<std::size_t>(place)]) {
      taken[static_cast<std::size_t>(place)] = true;
      return {};
    }
    return proof.Refuse("blocks", "pandas would write the place of a column outside its table of columns");
  };
  if (places.array) {
    const Dtype dtype = places.array->dtype();
    return ForEachItem(proof, *places.array, BitsPerElement(dtype) / 8,
                       [&](ByteView item) { return claim(IntegerAt(dtype, item)); });
  }
  if (places.count > taken.size()) return claim(-1);
  SAFEMODEL_TRY(proof.Work(places.count));
  std::int64_t place = places.start;
  for (std::uint64_t i = 0; i < places.count; ++i, place += places.step) SAFEMODEL_TRY(claim(place));
  return {};
}

// OnBlock: _unpickle_block(values, places, dimensions).
Status OnBlock(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  const auto places = PlacesOf(proof, args[1]);
  const auto dimensions = proof.Count(args[2]);
  if (!places) return proof.Refuse("mgr_locs", "pandas would place a block by something that is no number of columns");
  const auto shape = ShapeOf(proof, args[0]);
  // Arrays of pandas' own have one dimension in a table, too, and stand for one column.
  const bool own = IsOwnArray(proof, args[0]);
  bool fits = shape && (dimensions == 1 || dimensions == 2);
  if (fits && shape->size() == 1) fits = dimensions == 1 || (own && places->count == 1);
  if (fits && shape->size() == 2) fits = dimensions == 2 && (*shape)[0] == places->count;
  if (!fits || shape->empty() || shape->size() > 2) {
    return proof.Refuse("values", "pandas would read columns of a block that are not there");
  }
  StructNote note;
  note.columns = shape->back();
  context.tables.proven[call] = note;
  return {};
}

// CheckBlocks proves that blocks fill a table of `columns` by `rows`: each column once.
Status CheckBlocks(Proof& proof, const std::vector<NodeIndex>& blocks, std::uint64_t columns, std::uint64_t rows) {
  if (columns > kMostColumns)
    return proof.Refuse("axes", "pandas would make a table of more columns than it has blocks");
  std::vector<std::pair<Places, NodeIndex>> all;
  std::uint64_t sum = 0;
  for (const NodeIndex block : blocks) {
    SAFEMODEL_TRY(proof.Work(1));
    const StructNote* note = proof.IsObject(block, "pandas_block") ? proof.NoteOf(block) : nullptr;
    if (note == nullptr || note->columns != rows) {
      return proof.Refuse("blocks", "pandas would read rows of a block that are not there");
    }
    all.emplace_back(*PlacesOf(proof, ArgsOf(proof.graph(), block)[1]), block);
    sum += all.back().first.count;
    if (sum > columns) break;
  }
  // A range costs nothing, and neither do columns without rows: the work bounds their memory.
  if (sum != columns) return proof.Refuse("blocks", "pandas would look for blocks of columns that have none");
  SAFEMODEL_TRY(proof.Work(columns));
  std::vector<bool> taken(columns);
  for (const auto& [places, block] : all) SAFEMODEL_TRY(Claim(proof, places, taken));
  return {};
}

// OnManager: BlockManager(blocks, axes).
Status OnManager(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  if (args.size() < 2) return {};  // the state says everything
  const auto blocks = proof.Items(args[0]);
  const auto axes = proof.Items(args[1]);
  const auto columns = axes && axes->size() == 2 ? LengthOf(proof, (*axes)[0]) : std::nullopt;
  const auto rows = axes && axes->size() == 2 ? LengthOf(proof, (*axes)[1]) : std::nullopt;
  if (!blocks || !columns || !rows) {
    return proof.Refuse("axes", "pandas would make a table of axes whose lengths are not known");
  }
  return CheckBlocks(proof, *blocks, *columns, *rows);
}

// OnManagerState: (axes, values, items, {'0.14.1': {axes, blocks}}), of which only the last is used.
Status OnManagerState(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const std::span<const NodeIndex> state = StateOf(context.graph, call);
  const NodeIndex inner = Argument(proof, state[3], "0.14.1");
  const NodeIndex dict = inner == kNoNode ? state[3] : inner;
  const Error other = proof.Refuse("axes", "pandas would make a table of axes whose lengths are not known");
  const auto axes = proof.Items(Argument(proof, dict, "axes"));
  const auto blocks = proof.Items(Argument(proof, dict, "blocks"));
  if (!axes || !blocks || axes->empty() || axes->size() > 2) return other;
  const auto rows = LengthOf(proof, axes->back());
  const auto columns = axes->size() == 2 ? LengthOf(proof, axes->front()) : rows;
  if (!rows || !columns || *columns > kMostColumns) return other;
  std::uint64_t sum = 0;
  std::vector<std::pair<Places, NodeIndex>> all;
  for (const NodeIndex block : *blocks) {
    SAFEMODEL_TRY(proof.Work(1));
    const auto places = PlacesOf(proof, Argument(proof, block, "mgr_locs"));
    const auto shape = ShapeOf(proof, Argument(proof, block, "values"));
    if (!places || !shape || shape->empty() || shape->back() != *rows ||
        (shape->size() == 2 && (*shape)[0] != places->count)) {
      return proof.Refuse("blocks", "pandas would read rows of a block that are not there");
    }
    context.graph.Seal(block);
    sum += places->count;
    all.emplace_back(*places, block);
  }
  if (sum != *columns) return proof.Refuse("blocks", "pandas would look for blocks of columns that have none");
  SAFEMODEL_TRY(proof.Work(*columns));
  std::vector<bool> taken(*columns);
  for (const auto& [places, block] : all) SAFEMODEL_TRY(Claim(proof, places, taken));
  return {};
}

constexpr std::array<Rule, 6> kRules = {{{.name = "pandas_array", .on_build = OnMade, .to_tree = PyxToTree},
                                         {.name = "pandas_masked", .on_build = OnArray},
                                         {.name = "pandas_index", .on_call = OnIndex, .to_tree = IndexToTree},
                                         {.name = "pandas_sparse_index", .on_call = OnSparseIndex},
                                         {.name = "pandas_block", .on_call = OnBlock},
                                         {.name = "pandas_manager", .on_call = OnManager, .on_build = OnManagerState}}};

}  // namespace

std::span<const Rule> PandasRules() { return kRules; }

}  // namespace safemodel::pickle
