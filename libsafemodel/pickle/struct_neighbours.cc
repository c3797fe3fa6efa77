// SPDX-License-Identifier: Apache-2.0
// STRUCT-NEIGHBOURS: trees that queries walk through, and the labels that votes are counted by.
#include <algorithm>
#include <array>
#include <optional>

#include "pickle/numpy_rules.h"
#include "pickle/struct_proof.h"
#include "pickle/struct_rules.h"

namespace safemodel::pickle {
namespace {

constexpr const char* kCode = "STRUCT-NEIGHBOURS";
constexpr std::array<Dtype, 2> kI64 = {Dtype::kI64, Dtype::kI64};
constexpr std::array<Dtype, 2> kF64 = {Dtype::kF64, Dtype::kF64};
constexpr std::array<RecordFieldRule, 4> kNode = {
    {{"idx_start", kI64}, {"idx_end", kI64}, {"is_leaf", kI64}, {"radius", kF64}}};

// The state of a tree is a tuple of these.
enum Part : std::uint8_t {
  kData,
  kIndices,
  kNodes,
  kBounds,
  kLeafSize,
  kLevels,
  kNodeCount,
  kMetric = 11,
  kWeights,
  kParts,
};

// TreeParts is the state of a tree with what was found out about it.
struct TreeParts {
  std::vector<NodeIndex> items;
  std::uint64_t points = 0;
  std::uint64_t features = 0;
  std::uint64_t nodes = 0;
  Dtype dtype = Dtype::kF64;
};

// NodeWalk visits the nodes of a complete binary tree, each of which holds a range of the points.
struct NodeWalk {
  Proof& proof;
  std::vector<Field> fields;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;  // of all nodes so far
  std::uint64_t nodes = 0;
  std::uint64_t points = 0;

  Status Visit(ByteView node) {
    const std::uint64_t number = ranges.size();
    const std::int64_t start = IntegerIn(fields[0], node), end = IntegerIn(fields[1], node);
    if (start < 0 || end < start || static_cast<std::uint64_t>(end) > points) {
      return proof.Refuse("node_data", "a query would read points outside the data");
    }
    const std::int64_t leaf = 2 * number + 1 >= nodes ? 1 : 0;
    if (IntegerIn(fields[2], node) != leaf) {
      return proof.Refuse("node_data", "a query would go on below the leaves of the tree, or stop above them");
    }
    ranges.emplace_back(static_cast<std::uint64_t>(start), static_cast<std::uint64_t>(end));
    return CheckRange(number);
  }

  // CheckRange proves that two children split the range of their parent.
  [[nodiscard]] Status CheckRange(std::uint64_t number) const {
    const auto& [start, end] = ranges[number];
    bool fits = false;
    if (number == 0) {
      fits = start == 0 && end == points;
    } else if (number % 2 == 1) {
      fits = start == ranges[(number - 1) / 2].first && end <= ranges[(number - 1) / 2].second;
    } else {
      fits = start == ranges[number - 1].second && end == ranges[(number - 1) / 2].second;
    }
    if (fits) return {};
    return proof.Refuse("node_data", "a node of the tree holds other points than its children");
  }
};

Result<TreeParts> TakeParts(Proof& proof) {
  TreeParts parts;
  auto items = proof.Items(proof.graph().CallOf(proof.object()).state);
  // Releases before 0.22 write no weights.
  if (!items || items->size() < kWeights || items->size() > kParts) {
    return proof.Refuse("__setstate__", "the tree would take its state from a tuple of another length");
  }
  parts.items = std::move(*items);
  const auto data = proof.Array(parts.items[kData]);
  if (!data || data->rank() != 2 || !IsReals(data->dtype()) || data->elements == 0) {
    return proof.Refuse("data", "a query would read points of another type or shape");
  }
  parts.points = data->shape()[0];
  parts.features = data->shape()[1];
  parts.dtype = data->dtype();
  return parts;
}

Status CheckIndices(Proof& proof, const TreeParts& parts) {
  const auto indices = proof.Array(parts.items[kIndices]);
  if (!indices || !indices->IsVector() || indices->dtype() != Dtype::kI64 || indices->elements != parts.points) {
    return proof.Refuse("idx_array", "a query would read indices of points that are not there");
  }
  SAFEMODEL_ASSIGN(const bool permutation, proof.IsPermutation(*indices));
  if (permutation) return {};
  return proof.Refuse("idx_array", "a query would read points outside the data");
}

// CheckNodes proves the nodes, and returns how many there are.
Result<std::uint64_t> CheckNodes(Proof& proof, const TreeParts& parts) {
  const auto leaf_size = proof.Integer(parts.items[kLeafSize]);
  if (!leaf_size || *leaf_size < 1) return proof.Refuse("leaf_size", "the tree would have leaves without points");
  const auto levels = proof.Integer(parts.items[kLevels]);
  constexpr std::int64_t kMostLevels = 40;
  if (!levels || *levels < 1 || *levels > kMostLevels) {
    return proof.Refuse("n_levels", "a query would walk through more levels than the tree has");
  }
  const std::uint64_t nodes = (std::uint64_t{1} << *levels) - 1;
  if (proof.Count(parts.items[kNodeCount]) != nodes) {
    return proof.Refuse("n_nodes", "a query would walk through nodes that are not there");
  }
  const auto array = proof.Array(parts.items[kNodes]);
  auto fields = array && array->IsVector() && array->elements == nodes
                    ? MatchRecord(proof.context().tables, *array, kNode)
                    : std::nullopt;
  if (!fields) return proof.Refuse("node_data", "a query would read nodes of another layout or number");
  NodeWalk walk{proof, std::move(*fields), {}, nodes, parts.points};
  SAFEMODEL_TRY(ForEachItem(proof, *array, RecordSize(proof.context().tables, *array),
                            [&](ByteView node) { return walk.Visit(node); }));
  return nodes;
}

// CheckMetric proves that the distance has a number for each feature, where it has some.
Status CheckMetric(Proof& proof, const TreeParts& parts) {
  const NodeIndex metric = parts.items[kMetric];
  const StructNote* note = proof.IsObject(metric, "distance") ? proof.NoteOf(metric) : nullptr;
  if (note == nullptr) return proof.Refuse("dist_metric", "the tree would call a distance that was not proven");
  if (note->features == 0 || note->features == parts.features) return {};
  return proof.Refuse("dist_metric", "the distance would read numbers of features past their end");
}

Status CheckTree(RuleContext& context, NodeIndex call, std::uint64_t bounds_rows) {
  Proof proof(context, call, kCode);
  SAFEMODEL_ASSIGN(TreeParts parts, TakeParts(proof));
  SAFEMODEL_TRY(CheckIndices(proof, parts));
  SAFEMODEL_ASSIGN(parts.nodes, CheckNodes(proof, parts));
  const auto bounds = proof.Array(parts.items[kBounds]);
  const std::vector<std::uint64_t> wanted = {bounds_rows, parts.nodes, parts.features};
  if (!bounds || bounds->dtype() != parts.dtype || bounds->shape() != wanted) {
    return proof.Refuse("node_bounds", "a query would read bounds of nodes that are not there");
  }
  SAFEMODEL_TRY(CheckMetric(proof, parts));
  if (parts.items.size() == kParts && proof.IsThere(parts.items[kWeights])) {
    const auto weights = proof.Array(parts.items[kWeights]);
    if (!weights || !IsReals(weights->dtype()) || weights->shape() != std::vector<std::uint64_t>{parts.points}) {
      return proof.Refuse("sample_weight", "a query would read weights of points that are not there");
    }
  }
  StructNote note;
  note.rows = parts.points;
  note.features = parts.features;
  context.tables.proven[call] = note;
  return {};
}

// Fitted is what the fit of an estimator has left: points and features of `_fit_X`.
struct Fitted {
  std::optional<std::uint64_t> points;
  std::optional<std::uint64_t> features;
};

Result<Fitted> TakeFitted(Proof& proof) {
  Fitted fitted{std::nullopt, proof.Count(proof.Find("n_features_in_"))};
  const NodeIndex node = proof.Find("_fit_X");
  const StructNote* sparse = SparseNote(proof, node);
  const auto dense = proof.Array(node);
  if (dense && dense->rank() == 2 && IsReals(dense->dtype())) {
    fitted.points = dense->shape()[0];
    if (!fitted.features) fitted.features = dense->shape()[1];
    if (dense->shape()[1] != *fitted.features) {
      return proof.Refuse("_fit_X", "a query would read features of the points past their end");
    }
  } else if (sparse != nullptr) {
    fitted.points = sparse->rows;
    if (!fitted.features) fitted.features = sparse->columns;
    if (sparse->columns != *fitted.features) {
      return proof.Refuse("_fit_X", "a query would read features of the points past their end");
    }
  }
  const auto samples = proof.Count(proof.Find("n_samples_fit_"));
  if (samples && fitted.points && *samples != *fitted.points) {
    return proof.Refuse("n_samples_fit_", "a query would ask for more neighbours than there are points");
  }
  return fitted;
}

Status CheckHeldTree(Proof& proof, const char* name, const Fitted& fitted) {
  const NodeIndex node = proof.Find(name);
  if (!proof.IsThere(node)) return {};
  const bool is_tree = proof.IsObject(node, "kd_tree") || proof.IsObject(node, "ball_tree");
  const StructNote* tree = is_tree ? proof.NoteOf(node) : nullptr;
  if (tree == nullptr) return proof.Refuse(name, "a query would walk through a tree that was not proven");
  const bool same_points = !fitted.points || *fitted.points == tree->rows;
  if (same_points && (!fitted.features || *fitted.features == tree->features)) return {};
  return proof.Refuse(name, "a query would find points that the estimator does not have");
}

// CheckLabels proves what votes are counted by: the code that counts them takes a label for a place in memory.
Status CheckLabels(Proof& proof, const Fitted& fitted) {
  const NodeIndex classes = proof.Find("classes_");
  if (!proof.IsThere(classes) || !proof.Has("_y")) return {};
  const auto labels = proof.Array(proof.Find("_y"));
  if (!labels || labels->rank() < 1 || labels->rank() > 2 || !IsIntegers(labels->dtype()) ||
      (fitted.points && labels->shape()[0] != *fitted.points)) {
    return proof.Refuse("_y", "a vote would read labels of points that are not there");
  }
  std::uint64_t most = 0;
  if (const auto array = proof.Array(classes)) {
    most = array->elements;
  } else if (const auto objects = proof.Objects(classes); objects && objects->shape.size() == 1) {
    most = objects->shape[0];
  } else if (const auto list = proof.Items(classes)) {  // one array for each output
    for (const NodeIndex item : *list) {
      const auto one = proof.Array(item);
      const auto texts = proof.Objects(item);
      most = std::max(most, one ? one->elements : texts && !texts->shape.empty() ? texts->shape[0] : 0);
    }
  }
  SAFEMODEL_ASSIGN(const IntegerFacts facts, proof.Integers(*labels));
  if (facts.Within(0, most)) return {};
  return proof.Refuse("_y", "a vote would be counted for a class that is not there, outside the memory of the counts");
}

}  // namespace

Status OnKdTree(RuleContext& context, NodeIndex call) { return CheckTree(context, call, 2); }
Status OnBallTree(RuleContext& context, NodeIndex call) { return CheckTree(context, call, 1); }

// OnDistance: (p, vec, mat). A placeholder of one number stands where a distance has no vector or matrix.
Status OnDistance(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const std::span<const NodeIndex> state = StateOf(context.graph, call);
  const std::string_view name = context.graph.GlobalOf(ArgsOf(context.graph, call)[0]).mapped_name;
  const auto vector = proof.Array(state[1]);
  const auto matrix = proof.Array(state[2]);
  if (!vector || !vector->IsVector() || !IsReals(vector->dtype())) {
    return proof.Refuse("vec", "the distance would read numbers of another type or shape");
  }
  if (!matrix || matrix->rank() != 2 || !IsReals(matrix->dtype()) || matrix->shape()[0] != matrix->shape()[1]) {
    return proof.Refuse("mat", "the distance would read a matrix of another type or shape");
  }
  StructNote note;
  if (name.starts_with("Mahalanobis")) note.features = matrix->shape()[0];
  const bool weights = name.starts_with("SEuclidean") || name.starts_with("WMinkowski") ||
                       (name.starts_with("Minkowski") && vector->elements > 0);
  if (weights) note.features = vector->elements;
  if (name.starts_with("Haversine")) note.features = 2;  // latitude and longitude
  context.tables.proven[call] = note;
  return {};
}

Status OnNeighbours(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  SAFEMODEL_ASSIGN(const Fitted fitted, TakeFitted(proof));
  SAFEMODEL_TRY(CheckHeldTree(proof, "_tree", fitted));
  SAFEMODEL_TRY(CheckHeldTree(proof, "tree_", fitted));
  return CheckLabels(proof, fitted);
}

}  // namespace safemodel::pickle
