// SPDX-License-Identifier: Apache-2.0
// What native code of scipy, scikit-learn, numpy and pandas takes for granted, looked at once more in the simplest way:
// everything is read into memory and walked through as that code would walk.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/structure_view.h"

namespace safemodel::fuzz {

using Shape = std::vector<std::uint64_t>;

inline bool IsPermutation(std::vector<std::int64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

inline std::vector<std::int64_t> AllOf(const Plain& array) {
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < array.size(); ++i) numbers.push_back(array.At(i));
  return numbers;
}

inline void CheckTree(const View& view, NodeId tree) {
  const std::vector<NodeId> args = view.Args(tree);
  const std::int64_t features = view.Int(args.at(0)).value(), outputs = view.Int(args.at(2)).value();
  const Plain classes = view.Array(args.at(1)).value();
  const Plain nodes = view.ArrayAt(tree, "nodes").value(), values = view.ArrayAt(tree, "values").value();
  const std::int64_t count = view.IntAt(tree, "node_count").value();
  SAFEMODEL_PROPERTY(static_cast<std::size_t>(count) == nodes.size() && count > 0);
  std::int64_t deepest = 0;
  std::set<std::int64_t> seen;
  std::vector<std::pair<std::int64_t, std::int64_t>> pending{{0, 0}};
  while (!pending.empty()) {
    const auto [node, depth] = pending.back();
    pending.pop_back();
    SAFEMODEL_PROPERTY(node >= 0 && node < count && seen.insert(node).second);
    deepest = std::max(deepest, depth);
    const auto at = static_cast<std::size_t>(node);
    if (nodes.type->fields.size() > 7) SAFEMODEL_PROPERTY(nodes.In(at, "missing_go_to_left") <= 1);
    const std::int64_t left = nodes.In(at, "left_child"), right = nodes.In(at, "right_child");
    const std::int64_t feature = nodes.In(at, "feature");
    if (left == -1) {
      SAFEMODEL_PROPERTY(right == -1 && feature == -2);
      continue;
    }
    SAFEMODEL_PROPERTY(feature >= 0 && feature < features);
    pending.emplace_back(left, depth + 1);
    pending.emplace_back(right, depth + 1);
  }
  SAFEMODEL_PROPERTY(seen.size() == static_cast<std::size_t>(count));
  SAFEMODEL_PROPERTY(view.IntAt(tree, "max_depth") == deepest);
  std::int64_t most = 0;
  for (const std::int64_t one : AllOf(classes)) {
    SAFEMODEL_PROPERTY(one >= 1);
    most = std::max(most, one);
  }
  SAFEMODEL_PROPERTY(classes.size() == static_cast<std::size_t>(outputs));
  SAFEMODEL_PROPERTY((values.shape == Shape{static_cast<std::uint64_t>(count), static_cast<std::uint64_t>(outputs),
                                            static_cast<std::uint64_t>(most)}));
  SAFEMODEL_PROPERTY(values.dtype == Dtype::kF64);
}

// FeaturesOfTree is how many features the tree of an estimator reads; nothing when there is no tree.
inline std::optional<std::int64_t> FeaturesOfTree(const View& view, NodeId estimator) {
  const auto tree = view.Get(estimator, "tree_");
  if (!tree || view.NameOf(*tree) != "Tree") return std::nullopt;
  return view.Int(view.Args(*tree).at(0));
}

inline void CheckDecisionTree(const View& view, NodeId estimator) {
  if (!view.Get(estimator, "tree_")) return;
  SAFEMODEL_PROPERTY(FeaturesOfTree(view, estimator).has_value());
  SAFEMODEL_PROPERTY(FeaturesOfTree(view, estimator) == view.IntAt(estimator, "n_features_in_"));
  const NodeId tree = *view.Get(estimator, "tree_");
  SAFEMODEL_PROPERTY(view.Int(view.Args(tree).at(2)) == view.IntAt(estimator, "n_outputs_"));
}

inline void CheckForest(const View& view, NodeId forest) {
  const auto estimators = view.Get(forest, "estimators_");
  if (!estimators) return;
  for (const NodeId member : view.Items(*estimators)) {
    SAFEMODEL_PROPERTY(FeaturesOfTree(view, member).has_value());
    SAFEMODEL_PROPERTY(FeaturesOfTree(view, member) == view.IntAt(forest, "n_features_in_"));
  }
}

inline void CheckBag(const View& view, NodeId bag) {
  const auto estimators = view.Get(bag, "estimators_");
  if (!estimators) return;
  const std::int64_t features = view.IntAt(bag, "n_features_in_").value();
  const std::vector<NodeId> members = view.Items(*estimators);
  const std::vector<NodeId> subsets = view.Items(view.Get(bag, "estimators_features_").value());
  SAFEMODEL_PROPERTY(members.size() == subsets.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Plain chosen = view.Array(subsets[i]).value();
    for (const std::int64_t one : AllOf(chosen)) SAFEMODEL_PROPERTY(one >= 0 && one < features);
    const auto read = FeaturesOfTree(view, members[i]);
    if (read) SAFEMODEL_PROPERTY(static_cast<std::size_t>(*read) == chosen.size());
  }
}

inline void CheckBoosting(const View& view, NodeId boosting) {
  const auto estimators = view.Get(boosting, "estimators_");
  if (!estimators) return;
  const std::vector<NodeId> members = view.Objects(*estimators).value();
  for (const NodeId member : members) {
    SAFEMODEL_PROPERTY(FeaturesOfTree(view, member).has_value());
    SAFEMODEL_PROPERTY(FeaturesOfTree(view, member) == view.IntAt(boosting, "n_features_in_"));
  }
}

inline void CheckPredictor(const View& view, NodeId predictor, std::int64_t features) {
  const Plain nodes = view.ArrayAt(predictor, "nodes").value();
  const Plain bitsets = view.ArrayAt(predictor, "raw_left_cat_bitsets").value();
  SAFEMODEL_PROPERTY(bitsets.shape.size() == 2 && bitsets.shape[1] == 8 && bitsets.dtype == Dtype::kU32);
  SAFEMODEL_PROPERTY(nodes.size() > 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes.In(i, "is_leaf") != 0) continue;
    for (const std::string_view side : {"left", "right"}) {
      const auto child = static_cast<std::size_t>(nodes.In(i, side));
      SAFEMODEL_PROPERTY(child > i && child < nodes.size());
    }
    SAFEMODEL_PROPERTY(nodes.In(i, "feature_idx") >= 0 && nodes.In(i, "feature_idx") < features);
    if (nodes.In(i, "is_categorical") == 0) continue;
    SAFEMODEL_PROPERTY(static_cast<std::uint64_t>(nodes.In(i, "bitset_idx")) < bitsets.shape[0]);
  }
}

inline void CheckHistogramBoosting(const View& view, NodeId boosting) {
  const auto predictors = view.Get(boosting, "_predictors");
  if (!predictors) return;
  const std::int64_t columns = view.IntAt(boosting, "n_trees_per_iteration_").value();
  for (const NodeId iteration : view.Items(*predictors)) {
    SAFEMODEL_PROPERTY(view.Items(iteration).size() == static_cast<std::size_t>(columns));
    for (const NodeId one : view.Items(iteration)) {
      CheckPredictor(view, one, view.IntAt(boosting, "n_features_in_").value());
    }
  }
}

// CheckPoints: a query goes down from the root and reads the points of the leaves.
inline void CheckPoints(const View& view, NodeId tree) {
  const std::vector<NodeId> parts = view.Items(view.State(tree).value());
  const Plain data = view.Array(parts.at(0)).value(), indices = view.Array(parts.at(1)).value();
  const Plain nodes = view.Array(parts.at(2)).value(), bounds = view.Array(parts.at(3)).value();
  SAFEMODEL_PROPERTY(data.shape.size() == 2 && indices.size() == data.shape[0] && IsPermutation(AllOf(indices)));
  const std::int64_t count = view.Int(parts.at(6)).value();
  SAFEMODEL_PROPERTY(static_cast<std::size_t>(count) == nodes.size());
  SAFEMODEL_PROPERTY(bounds.shape.size() == 3 && bounds.shape[1] == nodes.size() && bounds.shape[2] == data.shape[1]);
  SAFEMODEL_PROPERTY(bounds.shape[0] == (view.NameOf(tree).starts_with("KD") ? 2 : 1) && bounds.dtype == data.dtype);
  std::vector<std::size_t> pending{0};
  std::vector<int> read(indices.size());
  while (!pending.empty()) {
    const std::size_t node = pending.back();
    pending.pop_back();
    SAFEMODEL_PROPERTY(node < nodes.size());
    const std::int64_t start = nodes.In(node, "idx_start"), end = nodes.In(node, "idx_end");
    SAFEMODEL_PROPERTY(start >= 0 && start <= end && static_cast<std::size_t>(end) <= indices.size());
    if (nodes.In(node, "is_leaf") == 0) {
      pending.push_back(2 * node + 1);
      pending.push_back(2 * node + 2);
      continue;
    }
    for (std::int64_t i = start; i < end; ++i) ++read[static_cast<std::size_t>(i)];
  }
  SAFEMODEL_PROPERTY(std::all_of(read.begin(), read.end(), [](int times) { return times == 1; }));
  if (parts.size() > 12 && view.tree().kind(parts[12]) != NodeKind::kNone) {
    SAFEMODEL_PROPERTY(view.Array(parts[12]).value().size() == data.shape[0]);
  }
}

inline Shape SizesOf(const View& view, NodeId tuple) {
  Shape shape;
  for (const NodeId size : view.Items(tuple)) shape.push_back(static_cast<std::uint64_t>(view.Int(size).value()));
  return shape;
}

// CheckCompressed: a product with a vector reads an element, and a place of the vector, for each index of each row.
inline void CheckCompressed(const View& view, NodeId matrix) {
  Shape shape = SizesOf(view, view.Get(matrix, "_shape").value());
  if (shape.size() == 1) shape.insert(shape.begin(), 1);
  if (view.NameOf(matrix).starts_with("csc")) std::swap(shape[0], shape[1]);
  const Plain data = view.ArrayAt(matrix, "data").value(), indices = view.ArrayAt(matrix, "indices").value();
  const Plain pointers = view.ArrayAt(matrix, "indptr").value();
  const bool blocks = view.NameOf(matrix).starts_with("bsr");
  const std::uint64_t height = blocks ? data.shape.at(1) : 1, width = blocks ? data.shape.at(2) : 1;
  SAFEMODEL_PROPERTY(shape[0] % height == 0 && shape[1] % width == 0);
  SAFEMODEL_PROPERTY(pointers.size() == shape[0] / height + 1 && pointers.At(0) == 0);
  for (std::size_t row = 0; row + 1 < pointers.size(); ++row) {
    SAFEMODEL_PROPERTY(pointers.At(row) <= pointers.At(row + 1));
    for (std::int64_t i = pointers.At(row); i < pointers.At(row + 1); ++i) {
      const auto at = static_cast<std::size_t>(i);
      SAFEMODEL_PROPERTY(at < indices.size() && at < data.shape.at(0));
      SAFEMODEL_PROPERTY(indices.At(at) >= 0 && static_cast<std::uint64_t>(indices.At(at)) < shape[1] / width);
    }
  }
}

inline void CheckCoordinates(const View& view, NodeId matrix) {
  const Shape shape = SizesOf(view, view.Get(matrix, "_shape").value());
  const Plain data = view.ArrayAt(matrix, "data").value();
  std::vector<NodeId> coordinates;
  if (const auto coords = view.Get(matrix, "coords")) {
    coordinates = view.Items(*coords);
  } else {
    coordinates = {view.Get(matrix, "row").value(), view.Get(matrix, "col").value()};
  }
  SAFEMODEL_PROPERTY(coordinates.size() == shape.size());
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const Plain one = view.Array(coordinates[d]).value();
    SAFEMODEL_PROPERTY(one.size() == data.size());
    for (const std::int64_t at : AllOf(one)) SAFEMODEL_PROPERTY(at >= 0 && static_cast<std::uint64_t>(at) < shape[d]);
  }
}

inline void CheckMachine(const View& view, NodeId machine) {
  const auto support = view.ArrayAt(machine, "support_");
  if (!support) return;
  const Plain counts = view.ArrayAt(machine, "_n_support").value();
  const std::vector<std::int64_t> numbers = AllOf(counts);
  const std::string_view name = view.NameOf(machine);
  const bool classifier = name == "SVC" || name == "NuSVC";
  const std::int64_t vectors =
      classifier ? std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0}) : numbers.at(0);
  SAFEMODEL_PROPERTY(std::all_of(numbers.begin(), numbers.end(), [](std::int64_t count) { return count >= 0; }));
  SAFEMODEL_PROPERTY(support->size() == static_cast<std::size_t>(vectors));
  const std::uint64_t classes = numbers.size();
  const std::uint64_t rows = classes - 1, pairs = classes * (classes - 1) / 2;
  for (const std::string_view one : {"dual_coef_", "_dual_coef_"}) {
    const auto dual = view.ArrayAt(machine, one);
    if (dual) SAFEMODEL_PROPERTY((dual->shape == Shape{rows, support->size()} && dual->dtype == Dtype::kF64));
  }
  for (const std::string_view one : {"intercept_", "_intercept_"}) {
    SAFEMODEL_PROPERTY(view.ArrayAt(machine, one).value().size() == pairs);
  }
  const auto points = view.ArrayAt(machine, "support_vectors_");
  if (points && points->size() > 0) SAFEMODEL_PROPERTY(points->shape.at(0) == support->size());
  const Shape fitted = SizesOf(view, view.Get(machine, "shape_fit_").value());
  for (const std::int64_t at : AllOf(*support)) {
    SAFEMODEL_PROPERTY(at >= 0 && static_cast<std::uint64_t>(at) < fitted.at(0));
  }
}

inline void CheckMersenne(const View& view, NodeId generator) {
  auto state = view.State(generator);
  if (state && view.IsSequence(*state) && !view.Items(*state).empty()) state = view.Items(*state)[0];  // and a seed
  const auto inner = state ? view.Get(*state, "state") : std::nullopt;
  if (!inner || !view.Get(*inner, "pos")) return;
  const std::int64_t position = view.IntAt(*inner, "pos").value();
  SAFEMODEL_PROPERTY(position >= 0 && position <= 624 && view.ArrayAt(*inner, "key").value().size() == 624);
}

inline void CheckVocabulary(const View& view, NodeId vectorizer) {
  const auto vocabulary = view.Get(vectorizer, "vocabulary_");
  if (!vocabulary) return;
  std::vector<std::int64_t> columns;
  const std::vector<NodeId> items = view.Items(*vocabulary);
  for (std::size_t i = 1; i < items.size(); i += 2) columns.push_back(view.Int(items[i]).value());
  SAFEMODEL_PROPERTY(IsPermutation(columns));
  const auto weights = view.Get(vectorizer, "_tfidf");
  const auto idf = weights ? view.ArrayAt(*weights, "idf_") : std::nullopt;
  if (idf) SAFEMODEL_PROPERTY(idf->size() == columns.size());
}

inline void CheckSpline(const View& view, NodeId spline) {
  const auto degree = static_cast<std::uint64_t>(view.IntAt(spline, "k").value());
  for (const auto& [t, c] : {std::pair{"t", "c"}, std::pair{"_t", "_c"}}) {
    const auto knots = view.ArrayAt(spline, t);
    if (!knots) continue;
    const Plain coefficients = view.ArrayAt(spline, c).value();
    SAFEMODEL_PROPERTY(knots->size() >= 2 * degree + 2);
    SAFEMODEL_PROPERTY(coefficients.shape.at(0) + degree + 1 >= knots->size());
    for (std::size_t i = 0; i < knots->size(); ++i) {
      SAFEMODEL_PROPERTY(std::isfinite(knots->Real(i)) && (i == 0 || knots->Real(i - 1) <= knots->Real(i)));
    }
  }
}

inline void CheckEncoder(const View& view, NodeId encoder) {
  const auto categories = view.Get(encoder, "categories_");
  if (!categories) return;
  const std::size_t features = view.Items(*categories).size();
  if (const auto fitted = view.IntAt(encoder, "n_features_in_")) {
    SAFEMODEL_PROPERTY(features == static_cast<std::size_t>(*fitted));
  }
  if (const auto outputs = view.Get(encoder, "_n_features_outs")) {
    SAFEMODEL_PROPERTY(view.Items(*outputs).size() == features);
  }
}

inline void CheckCentres(const View& view, NodeId clusters) {
  const auto centres = view.ArrayAt(clusters, "cluster_centers_");
  if (!centres) return;
  SAFEMODEL_PROPERTY(centres->shape.size() == 2 && centres->shape[0] > 0);
  SAFEMODEL_PROPERTY(centres->shape[1] == static_cast<std::uint64_t>(view.IntAt(clusters, "n_features_in_").value()));
}

inline void CheckBins(const View& view, NodeId bins) {
  const auto edges = view.Get(bins, "bin_edges_");
  if (!edges) return;
  const std::vector<NodeId> all = view.Objects(*edges).value();
  const Plain counts = view.ArrayAt(bins, "n_bins_").value();
  SAFEMODEL_PROPERTY(all.size() == counts.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    SAFEMODEL_PROPERTY(view.Array(all[i]).value().size() == static_cast<std::size_t>(counts.At(i)) + 1);
  }
}

// PlacesOf are the columns of a block, written out.
inline std::vector<std::int64_t> PlacesOf(const View& view, NodeId places) {
  if (const auto array = view.Array(places)) return AllOf(*array);
  std::vector<std::int64_t> out;
  const std::vector<NodeId> slice = view.Items(places);
  const std::int64_t step = view.Int(slice.at(2)).value_or(1), start = view.Int(slice.at(0)).value();
  const std::int64_t stop = view.Int(slice.at(1)).value_or(-1);
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop; at += step) out.push_back(at);
  return out;
}

// CheckTable: pandas writes into a table of columns the block that each of them lies in.
inline void CheckTable(const View& view, NodeId manager) {
  const std::vector<NodeId> args = view.Args(manager);
  if (args.size() < 2) return;
  std::vector<std::int64_t> places;
  for (const NodeId block : view.Items(args[0])) {
    const std::vector<std::int64_t> of_block = PlacesOf(view, view.Args(block).at(1));
    if (const auto values = view.Array(view.Args(block).at(0)); values && values->shape.size() == 2) {
      SAFEMODEL_PROPERTY(values->shape[0] == of_block.size());
    }
    places.insert(places.end(), of_block.begin(), of_block.end());
  }
  SAFEMODEL_PROPERTY(IsPermutation(places));
}

// CheckStructures looks at every object by its class, and returns how many it knew.
inline std::size_t CheckStructures(const ImportedModel& model) {
  using Check = void (*)(const View&, NodeId);
  static const std::map<std::string_view, Check> kChecks = {
      {"Tree", CheckTree},
      {"DecisionTreeClassifier", CheckDecisionTree},
      {"DecisionTreeRegressor", CheckDecisionTree},
      {"ExtraTreeClassifier", CheckDecisionTree},
      {"ExtraTreeRegressor", CheckDecisionTree},
      {"RandomForestClassifier", CheckForest},
      {"RandomForestRegressor", CheckForest},
      {"ExtraTreesClassifier", CheckForest},
      {"ExtraTreesRegressor", CheckForest},
      {"RandomTreesEmbedding", CheckForest},
      {"IsolationForest", CheckBag},
      {"BaggingClassifier", CheckBag},
      {"BaggingRegressor", CheckBag},
      {"GradientBoostingClassifier", CheckBoosting},
      {"GradientBoostingRegressor", CheckBoosting},
      {"HistGradientBoostingClassifier", CheckHistogramBoosting},
      {"HistGradientBoostingRegressor", CheckHistogramBoosting},
      {"KDTree", CheckPoints},
      {"KDTree64", CheckPoints},
      {"KDTree32", CheckPoints},
      {"BallTree", CheckPoints},
      {"BallTree64", CheckPoints},
      {"BallTree32", CheckPoints},
      {"csr_matrix", CheckCompressed},
      {"csr_array", CheckCompressed},
      {"csc_matrix", CheckCompressed},
      {"csc_array", CheckCompressed},
      {"bsr_matrix", CheckCompressed},
      {"bsr_array", CheckCompressed},
      {"coo_matrix", CheckCoordinates},
      {"coo_array", CheckCoordinates},
      {"SVC", CheckMachine},
      {"NuSVC", CheckMachine},
      {"SVR", CheckMachine},
      {"NuSVR", CheckMachine},
      {"OneClassSVM", CheckMachine},
      {"MT19937", CheckMersenne},
      {"RandomState", CheckMersenne},
      {"CountVectorizer", CheckVocabulary},
      {"TfidfVectorizer", CheckVocabulary},
      {"DictVectorizer", CheckVocabulary},
      {"BSpline", CheckSpline},
      {"OneHotEncoder", CheckEncoder},
      {"OrdinalEncoder", CheckEncoder},
      {"TargetEncoder", CheckEncoder},
      {"KMeans", CheckCentres},
      {"MiniBatchKMeans", CheckCentres},
      {"BisectingKMeans", CheckCentres},
      {"KBinsDiscretizer", CheckBins},
      {"BlockManager", CheckTable},
  };
  const View view(model);
  std::size_t known = 0;
  for (NodeId node = 0; node < model.tree.size(); ++node) {
    const auto check = kChecks.find(view.NameOf(node));
    if (check == kChecks.end()) continue;
    check->second(view, node);
    ++known;
  }
  return known;
}

}  // namespace safemodel::fuzz
