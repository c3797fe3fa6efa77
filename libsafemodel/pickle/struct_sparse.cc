// SPDX-License-Identifier: Apache-2.0
// STRUCT-SPARSE: sparse matrices of scipy. Its compiled loops use indices and lengths without looking at them.
#include <algorithm>
#include <array>
#include <optional>

#include "base/checked.h"
#include "pickle/struct_proof.h"
#include "pickle/struct_rules.h"

namespace safemodel::pickle {
namespace {

constexpr const char* kCode = "STRUCT-SPARSE";
constexpr std::int64_t kMostI32 = std::numeric_limits<std::int32_t>::max();

// Shape is what `_shape` says. Arrays, not matrices, may have one dimension, and COO any number.
Result<std::vector<std::uint64_t>> ShapeOf(Proof& proof, std::size_t most_dimensions) {
  const auto shape = proof.Sizes(proof.Find("_shape"));
  if (shape && !shape->empty() && shape->size() <= most_dimensions) {
    if (std::ranges::all_of(*shape, [](std::uint64_t size) { return size <= std::uint64_t{1} << 62; })) return *shape;
  }
  return proof.Refuse("_shape", "scipy takes the sizes of a sparse matrix from something that is no shape of one");
}

// Indices returns the facts of a vector of indices.
Result<IntegerFacts> Indices(Proof& proof, NodeIndex node, const char* name) {
  const auto array = proof.Array(node);
  if (!array || !array->IsVector() || !IsIndexType(array->dtype())) {
    return proof.Refuse(name, "scipy reads indices of a sparse matrix from an array of another type or shape");
  }
  return proof.Integers(*array);
}

Result<ArrayView> Data(Proof& proof, std::size_t rank) {
  const auto data = proof.Array(proof.Find("data"));
  if (data && data->rank() == rank && !IsExtended(data->dtype())) return *data;
  return proof.Refuse("data", "scipy reads elements of a sparse matrix from an array of another type or shape");
}

StructNote Note(const std::vector<std::uint64_t>& shape, std::uint64_t stored, Dtype dtype) {
  StructNote note;
  note.rows = shape.size() > 1 ? shape[0] : 1;
  note.columns = shape.back();
  note.stored = stored;
  note.dtype = dtype;
  return note;
}

// Accept remembers what was proven. Nothing may be added to the object any more.
Status Accept(Proof& proof, const StructNote& note) {
  proof.context().graph.Seal(proof.object());
  proof.context().tables.proven[proof.object()] = note;
  return {};
}

// CheckPointers proves that rows (or columns) are consecutive parts of `stored` elements.
Status CheckPointers(Proof& proof, std::uint64_t major, std::uint64_t stored) {
  SAFEMODEL_ASSIGN(const IntegerFacts pointers, Indices(proof, proof.Find("indptr"), "indptr"));
  if (pointers.count == major + 1 && pointers.first == 0 && pointers.ascending && pointers.Within(0, stored + 1)) {
    return {};
  }
  return proof.Refuse("indptr", "scipy would read and write outside the elements of a sparse matrix");
}

Status CheckCompressed(Proof& proof, const std::vector<std::uint64_t>& shape, std::uint64_t major,
                       std::uint64_t minor) {
  SAFEMODEL_ASSIGN(const ArrayView data, Data(proof, 1));
  SAFEMODEL_ASSIGN(const IntegerFacts indices, Indices(proof, proof.Find("indices"), "indices"));
  if (indices.count != data.elements) {
    return proof.Refuse("indices", "scipy would read elements of a sparse matrix that are not there");
  }
  if (!indices.Within(0, minor)) {
    return proof.Refuse("indices", "scipy would read and write outside the vectors that a sparse matrix is used with");
  }
  SAFEMODEL_TRY(CheckPointers(proof, major, data.elements));
  return Accept(proof, Note(shape, data.elements, data.dtype()));
}

Status OnCoordinates(Proof& proof, const std::vector<std::uint64_t>& shape, const std::vector<NodeIndex>& coordinates,
                     std::uint64_t stored) {
  if (coordinates.size() != shape.size()) {
    return proof.Refuse("coords", "scipy would look for a dimension of a sparse matrix that is not there");
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    SAFEMODEL_ASSIGN(const IntegerFacts facts, Indices(proof, coordinates[i], "coords"));
    if (facts.count == stored && facts.Within(0, shape[i])) continue;
    return proof.Refuse("coords", "scipy would read and write outside the matrix that it makes of a sparse one");
  }
  return {};
}

// RowsOf returns the lists of an array of objects, one for each row.
Result<std::vector<NodeIndex>> RowsOf(Proof& proof, const char* name, std::uint64_t rows) {
  const auto objects = proof.Objects(proof.Find(name));
  if (objects && objects->shape == std::vector<std::uint64_t>{rows}) {
    if (auto items = proof.Items(objects->items)) return std::move(*items);
  }
  return proof.Refuse(name, "scipy takes the rows of a sparse matrix from something that has another number of them");
}

Status CheckListRow(Proof& proof, NodeIndex columns_of_row, NodeIndex data_of_row, std::uint64_t columns) {
  const bool lists =
      proof.graph().kind(columns_of_row) == Kind::kList && proof.graph().kind(data_of_row) == Kind::kList;
  const auto indices = lists ? proof.Items(columns_of_row) : std::nullopt;
  const auto data = lists ? proof.Items(data_of_row) : std::nullopt;
  SAFEMODEL_TRY(proof.Work(1));
  if (!indices || !data || indices->size() != data->size()) {
    return proof.Refuse("data", "scipy would read elements of a sparse matrix that are not there");
  }
  std::int64_t last = -1;
  for (const NodeIndex index : *indices) {
    const auto column = proof.Integer(index);
    if (!column || *column <= last || static_cast<std::uint64_t>(*column) >= columns) {
      return proof.Refuse("rows", "scipy would write outside the matrix that it makes of a sparse one");
    }
    last = *column;
  }
  return {};
}

// CheckKeys proves that the keys of a dict are positions inside the matrix.
Status CheckKeys(Proof& proof, NodeIndex dict, const std::vector<std::uint64_t>& shape) {
  if (dict == kNoNode) return {};
  const Error outside = proof.Refuse("_dict", "scipy would write outside the matrix that it makes of a sparse one");
  if (proof.graph().kind(dict) != Kind::kDict) return outside;
  proof.context().graph.Seal(dict);
  const std::span<const NodeIndex> items = proof.graph().ItemsOf(dict);
  SAFEMODEL_TRY(proof.Work(items.size()));
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (shape.size() == 1 && proof.Count(items[i])) {
      if (*proof.Count(items[i]) >= shape[0]) return outside;
      continue;
    }
    const auto position = proof.Sizes(items[i]);
    if (!position || position->size() != shape.size()) return outside;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if ((*position)[d] >= shape[d]) return outside;
    }
  }
  return {};
}

}  // namespace

Status OnCsr(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> shape, ShapeOf(proof, 2));
  return CheckCompressed(proof, shape, shape.size() > 1 ? shape[0] : 1, shape.back());
}

Status OnCsc(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> shape, ShapeOf(proof, 2));
  if (shape.size() != 2) return proof.Refuse("_shape", "scipy would look for a dimension that is not there");
  return CheckCompressed(proof, shape, shape[1], shape[0]);
}

Status OnCoo(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> shape, ShapeOf(proof, context.limits.rank));
  SAFEMODEL_ASSIGN(const ArrayView data, Data(proof, 1));
  // Releases before 1.11 call the coordinates row and col. Each release uses one spelling, so both must hold.
  const auto coordinates = proof.Items(proof.Find("coords"));
  if (coordinates) SAFEMODEL_TRY(OnCoordinates(proof, shape, *coordinates, data.elements));
  const NodeIndex row = proof.Find("row");
  if (row != kNoNode || !coordinates) {
    SAFEMODEL_TRY(OnCoordinates(proof, shape, {row, proof.Find("col")}, data.elements));
  }
  return Accept(proof, Note(shape, data.elements, data.dtype()));
}

Status OnBsr(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> shape, ShapeOf(proof, 2));
  SAFEMODEL_ASSIGN(const ArrayView data, Data(proof, 3));
  const std::uint64_t height = data.shape()[1], width = data.shape()[2];
  if (shape.size() != 2 || height == 0 || width == 0 || shape[0] % height != 0 || shape[1] % width != 0) {
    return proof.Refuse("data", "scipy would read blocks of a sparse matrix that reach over its edge");
  }
  SAFEMODEL_ASSIGN(const IntegerFacts indices, Indices(proof, proof.Find("indices"), "indices"));
  if (indices.count != data.shape()[0] || !indices.Within(0, shape[1] / width)) {
    return proof.Refuse("indices", "scipy would read and write outside the vectors that a sparse matrix is used with");
  }
  SAFEMODEL_TRY(CheckPointers(proof, shape[0] / height, indices.count));
  return Accept(proof, Note(shape, data.elements, data.dtype()));
}

Status OnDia(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> shape, ShapeOf(proof, 2));
  SAFEMODEL_ASSIGN(const ArrayView data, Data(proof, 2));
  SAFEMODEL_ASSIGN(const IntegerFacts offsets, Indices(proof, proof.Find("offsets"), "offsets"));
  // A diagonal outside the matrix is nothing, as long as its place can be computed in the numbers that scipy uses.
  const std::uint64_t most = *std::ranges::max_element(shape);
  const bool fits = shape.size() == 2 && most <= static_cast<std::uint64_t>(kMostI32) &&
                    offsets.Within(-kMostI32, static_cast<std::uint64_t>(kMostI32) - shape[0] + 1);
  if (offsets.count != data.shape()[0] || !fits) {
    return proof.Refuse("offsets", "scipy would read and write outside the diagonals of a sparse matrix");
  }
  return Accept(proof, Note(shape, data.elements, data.dtype()));
}

Status OnLil(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> shape, ShapeOf(proof, 2));
  if (shape.size() != 2) return proof.Refuse("_shape", "scipy would look for a dimension that is not there");
  SAFEMODEL_ASSIGN(const std::vector<NodeIndex> rows, RowsOf(proof, "rows", shape[0]));
  SAFEMODEL_ASSIGN(const std::vector<NodeIndex> data, RowsOf(proof, "data", shape[0]));
  for (std::size_t i = 0; i < rows.size(); ++i) SAFEMODEL_TRY(CheckListRow(proof, rows[i], data[i], shape[1]));
  return Accept(proof, Note(shape, 0, Dtype::kVoid));
}

Status OnDok(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> shape, ShapeOf(proof, 2));
  const Call& made = context.graph.CallOf(call);
  SAFEMODEL_TRY(CheckKeys(proof, proof.Find("_dict"), shape));
  SAFEMODEL_TRY(CheckKeys(proof, made.set_items, shape));
  if (made.how == How::kReconstruct) SAFEMODEL_TRY(CheckKeys(proof, context.graph.ItemsOf(made.args)[1], shape));
  return Accept(proof, Note(shape, 0, Dtype::kVoid));
}

namespace {

constexpr std::array<Rule, 8> kRules = {{{.name = "csr", .on_build = OnCsr},
                                         {.name = "csc", .on_build = OnCsc},
                                         {.name = "coo", .on_build = OnCoo},
                                         {.name = "bsr", .on_build = OnBsr},
                                         {.name = "dia", .on_build = OnDia},
                                         {.name = "lil", .on_build = OnLil},
                                         {.name = "dok", .on_build = OnDok},
                                         {.name = "bspline", .on_build = OnBSpline}}};

}  // namespace

std::span<const Rule> ScipyRules() { return kRules; }

const StructNote* SparseNote(const Proof& proof, NodeIndex node) {
  for (const std::string_view rule : {"csr", "csc", "coo", "bsr", "dia", "lil", "dok"}) {
    if (proof.IsObject(node, rule)) return proof.NoteOf(node);
  }
  return nullptr;
}

}  // namespace safemodel::pickle
