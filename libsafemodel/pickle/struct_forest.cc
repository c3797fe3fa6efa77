// SPDX-License-Identifier: Apache-2.0
// STRUCT-FOREST and STRUCT-SHAPE: what estimators that hold others, or arrays, must agree on. Ensembles call the native
// code of their trees without the checks that a tree makes for itself.
#include <algorithm>
#include <optional>

#include "pickle/struct_proof.h"
#include "pickle/struct_rules.h"

namespace safemodel::pickle {
namespace {

constexpr const char* kForest = "STRUCT-FOREST";
constexpr const char* kShape = "STRUCT-SHAPE";
constexpr const char* kOtherFeatures = "predicting would read features outside the input";

// FeaturesOf returns how many features an estimator was fitted with, in the spelling of this or of earlier releases.
std::optional<std::uint64_t> FeaturesOf(Proof& proof, NodeIndex estimator) {
  const NodeIndex node = proof.FindOf(estimator, "n_features_in_");
  return proof.Count(node != kNoNode ? node : proof.FindOf(estimator, "n_features_"));
}

// TreeOf returns what was proven about the tree of a decision tree; nothing when it has none, or none that was proven.
const StructNote* TreeOf(Proof& proof, NodeIndex estimator) {
  const NodeIndex tree = proof.FindOf(estimator, "tree_");
  const StructNote* note = proof.IsObject(tree, "tree") ? proof.NoteOf(tree) : nullptr;
  return note != nullptr && note->rows > 0 ? note : nullptr;
}

// Classes is the least and the greatest number of classes of any output.
struct Classes {
  std::uint64_t outputs = 0;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t most = 0;
};

// ClassesOf reads `n_classes_`: a number, a list of them, or an array.
Result<std::optional<Classes>> ClassesOf(Proof& proof, NodeIndex node) {
  Classes classes;
  if (const auto array = proof.Array(node); array && array->IsVector() && IsIntegers(array->dtype())) {
    SAFEMODEL_ASSIGN(const IntegerFacts facts, proof.Integers(*array));
    return std::optional(Classes{array->elements, facts.least, facts.greatest});
  }
  std::vector<NodeIndex> items = {node};
  if (auto list = proof.Items(node)) items = std::move(*list);
  for (const NodeIndex item : items) {
    const auto number = proof.Integer(item);
    if (!number) return std::optional<Classes>();
    classes.outputs += 1;
    classes.least = std::min(classes.least, *number);
    classes.most = std::max(classes.most, *number);
  }
  return std::optional(classes);
}

// CheckClasses compares `n_classes_` of an estimator with its tree; an estimator without it has numbers for results.
Status CheckClasses(Proof& proof, const StructNote& tree) {
  const NodeIndex node = proof.Find("n_classes_");
  if (node == kNoNode) return {};
  SAFEMODEL_ASSIGN(const auto classes, ClassesOf(proof, node));
  if (classes && classes->outputs == tree.outputs && classes->least == tree.least_classes &&
      classes->most == tree.most_classes) {
    return {};
  }
  return proof.Refuse("n_classes_", "predicting would copy results of another number of classes than the tree has");
}

// CheckTree proves that a decision tree inside an ensemble fits its input and its results.
Status CheckTree(Proof& proof, NodeIndex estimator, std::uint64_t features) {
  SAFEMODEL_TRY(proof.Work(1));
  const StructNote* tree = TreeOf(proof, estimator);
  if (tree == nullptr) return proof.Refuse("estimators_", "a tree of the ensemble is something that was not proven");
  if (tree->features == features) return {};
  return proof.Refuse("estimators_", kOtherFeatures);
}

// Members returns `estimators_`, a list that must not be empty.
Result<std::vector<NodeIndex>> Members(Proof& proof) {
  auto items = proof.Items(proof.Find("estimators_"));
  if (items && !items->empty()) return std::move(*items);
  return proof.Refuse("estimators_", "the ensemble would predict with something that is no list of estimators");
}

Result<std::uint64_t> Features(Proof& proof) {
  const auto features = FeaturesOf(proof, proof.object());
  if (features) return *features;
  return proof.Refuse("n_features_in_", "the number of features is not known");
}

// CheckSubset proves that a member of a bag gets features that are there, and as many as it was fitted with.
Status CheckSubset(Proof& proof, NodeIndex member, NodeIndex subset, std::uint64_t features) {
  SAFEMODEL_TRY(proof.Work(1));
  const auto array = proof.Array(subset);
  if (!array || !array->IsVector() || !IsIntegers(array->dtype())) {
    return proof.Refuse("estimators_features_", "the ensemble would choose features with something that is no index");
  }
  SAFEMODEL_ASSIGN(const IntegerFacts facts, proof.Integers(*array));
  if (!facts.Within(0, features)) {
    return proof.Refuse("estimators_features_", "the ensemble would choose features that are not there");
  }
  const bool is_tree = proof.FindOf(member, "tree_") != kNoNode || proof.IsUnbuilt(member);
  const StructNote* tree = TreeOf(proof, member);
  if (is_tree && tree == nullptr) {
    return proof.Refuse("estimators_", "a tree of the ensemble is something that was not proven");
  }
  const auto fitted = tree != nullptr ? std::optional(tree->features) : FeaturesOf(proof, member);
  if (!fitted || *fitted == facts.count) return {};
  return proof.Refuse("estimators_features_", kOtherFeatures);
}

// CheckPerNode proves that arrays that are looked up by the number of a node have one item for each node.
Status CheckPerNode(Proof& proof, const char* name, const std::vector<NodeIndex>& members) {
  if (!proof.Has(name)) return {};
  const auto arrays = proof.Items(proof.Find(name));
  bool fits = arrays && arrays->size() == members.size();
  for (std::size_t i = 0; fits && i < members.size(); ++i) {
    const auto array = proof.Array((*arrays)[i]);
    const StructNote* tree = TreeOf(proof, members[i]);
    fits = array && array->IsVector() && tree != nullptr && array->elements == tree->rows;
  }
  if (fits) return {};
  return proof.Refuse(name, "the ensemble would look up nodes of its trees that are not there");
}

// CheckInitial proves that the estimator which starts a boosting fills as many columns as the trees write.
Status CheckInitial(Proof& proof, std::uint64_t columns) {
  const NodeIndex initial = proof.Find("init_");
  if (columns == 1 || initial == kNoNode || proof.graph().kind(initial) != Kind::kCall) return {};
  for (const char* const name : {"classes_", "class_prior_"}) {
    const NodeIndex node = proof.FindOf(initial, name);
    const auto array = proof.Array(node);
    if (!proof.IsUnbuilt(initial) && (node == kNoNode || (array && array->elements == columns))) continue;
    return proof.Refuse("init_", "predicting would write more columns of results than there are");
  }
  return {};
}

// TreesPerIteration is stated by newer releases; earlier ones derive it from the number of classes.
std::optional<std::uint64_t> TreesPerIteration(Proof& proof) {
  if (const NodeIndex node = proof.Find("n_trees_per_iteration_"); node != kNoNode) return proof.Count(node);
  const NodeIndex classes = proof.Find("n_classes_");
  if (classes == kNoNode) return 1;
  const auto count = proof.Count(classes);
  return count && *count == 2 ? std::optional<std::uint64_t>(1) : count;
}

// CheckClusterTree walks the nodes of bisecting k-means. Predicting compares with the centres of all but the root.
Status CheckClusterTree(Proof& proof, NodeIndex root, std::uint64_t features) {
  std::vector<NodeIndex> pending = {root};
  while (!pending.empty()) {
    const NodeIndex node = pending.back();
    pending.pop_back();
    if (proof.IsUnbuilt(node))
      return proof.Refuse("_bisecting_tree", "a cluster gets its centre after it was looked at");
    for (const char* const side : {"left", "right"}) {
      const NodeIndex child = proof.FindOf(node, side);
      if (!proof.IsThere(child)) continue;
      SAFEMODEL_TRY(proof.Work(1));
      const auto center = proof.Array(proof.FindOf(child, "center"));
      if (!center || center->shape() != std::vector<std::uint64_t>{features}) {
        return proof.Refuse("_bisecting_tree", "predicting would read the centre of a cluster past its end");
      }
      pending.push_back(child);
    }
  }
  return {};
}

}  // namespace

Status OnDecisionTree(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kShape);
  if (!proof.Has("tree_")) return {};  // not fitted
  const StructNote* tree = TreeOf(proof, call);
  if (tree == nullptr) return proof.Refuse("tree_", "the estimator would predict with a tree that was not proven");
  SAFEMODEL_ASSIGN(const std::uint64_t features, Features(proof));
  if (features != tree->features) return proof.Refuse("n_features_in_", kOtherFeatures);
  if (proof.Count(proof.Find("n_outputs_")) != tree->outputs) {
    return proof.Refuse("n_outputs_", "predicting would copy results of outputs that the tree does not have");
  }
  return CheckClasses(proof, *tree);
}

Status OnForest(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kForest);
  if (!proof.Has("estimators_")) return {};  // not fitted
  SAFEMODEL_ASSIGN(const std::uint64_t features, Features(proof));
  SAFEMODEL_ASSIGN(const std::vector<NodeIndex> members, Members(proof));
  const auto outputs = proof.Count(proof.Find("n_outputs_"));
  for (const NodeIndex member : members) {
    SAFEMODEL_TRY(CheckTree(proof, member, features));
    const StructNote& tree = *TreeOf(proof, member);
    if (tree.outputs != outputs) {
      return proof.Refuse("n_outputs_", "the forest would add results of outputs that its trees do not have");
    }
    // All trees agree with the first one, which is compared with the forest.
    const StructNote& first = *TreeOf(proof, members[0]);
    if (tree.least_classes != first.least_classes || tree.most_classes != first.most_classes) {
      return proof.Refuse("estimators_", "the forest would add results of another number of classes");
    }
  }
  return CheckClasses(proof, *TreeOf(proof, members[0]));
}

Status OnBagging(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kForest);
  if (!proof.Has("estimators_")) return {};  // not fitted
  SAFEMODEL_ASSIGN(const std::uint64_t features, Features(proof));
  SAFEMODEL_ASSIGN(const std::vector<NodeIndex> members, Members(proof));
  const auto subsets = proof.Items(proof.Find("estimators_features_"));
  if (!subsets || subsets->size() != members.size()) {
    return proof.Refuse("estimators_features_",
                        "the ensemble would look for features of estimators that are not there");
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    SAFEMODEL_TRY(CheckSubset(proof, members[i], (*subsets)[i], features));
  }
  SAFEMODEL_TRY(CheckPerNode(proof, "_average_path_length_per_tree", members));
  return CheckPerNode(proof, "_decision_path_lengths", members);
}

Status OnAdaBoost(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kForest);
  if (!proof.Has("estimators_")) return {};  // not fitted
  SAFEMODEL_ASSIGN(const std::vector<NodeIndex> members, Members(proof));
  const auto features = FeaturesOf(proof, call);
  for (const NodeIndex member : members) {
    SAFEMODEL_TRY(proof.Work(1));
    const auto fitted = FeaturesOf(proof, member);
    if (proof.IsUnbuilt(member)) {
      return proof.Refuse("estimators_", "a member of the ensemble gets its state after the ensemble");
    }
    if (features && fitted && *fitted != *features) return proof.Refuse("estimators_", kOtherFeatures);
  }
  const auto weights = proof.Array(proof.Find("estimator_weights_"));
  if (weights && weights->IsVector() && weights->elements >= members.size()) return {};
  return proof.Refuse("estimator_weights_", "the ensemble would look for weights of estimators that are not there");
}

Status OnGradientBoosting(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kForest);
  if (!proof.Has("estimators_")) return {};  // not fitted
  SAFEMODEL_ASSIGN(const std::uint64_t features, Features(proof));
  const auto columns = TreesPerIteration(proof);
  const auto trees = proof.Objects(proof.Find("estimators_"));
  const auto items = trees ? proof.Items(trees->items) : std::nullopt;
  if (!columns || !items || trees->shape.size() != 2 || trees->shape[1] != *columns) {
    return proof.Refuse("estimators_", "predicting would write more columns of results than there are");
  }
  for (const NodeIndex tree : *items) {
    SAFEMODEL_TRY(CheckTree(proof, tree, features));
    if (TreeOf(proof, tree)->outputs == 1 && TreeOf(proof, tree)->most_classes == 1) continue;
    return proof.Refuse("estimators_", "predicting would take numbers of several outputs for those of one");
  }
  return CheckInitial(proof, *columns);
}

Status OnKMeans(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kShape);
  if (!proof.Has("cluster_centers_")) return {};  // not fitted
  SAFEMODEL_ASSIGN(const std::uint64_t features, Features(proof));
  const auto centers = proof.Array(proof.Find("cluster_centers_"));
  const bool fits = centers && IsReals(centers->dtype()) && centers->rank() == 2 && centers->shape()[0] > 0;
  if (!fits || centers->shape()[1] != features) {
    return proof.Refuse("cluster_centers_", "predicting would read the centre of a cluster past its end");
  }
  const auto counts = proof.Array(proof.Find("_counts"));
  if (proof.Has("_counts") && (!counts || counts->shape() != std::vector<std::uint64_t>{centers->shape()[0]})) {
    return proof.Refuse("_counts", "fitting on would count members of clusters that are not there");
  }
  const NodeIndex tree = proof.Find("_bisecting_tree");
  return proof.IsThere(tree) ? CheckClusterTree(proof, tree, features) : Status();
}

// OnCoefficients: a fit with a warm start writes into the coefficients.
Status OnCoefficients(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kShape);
  const auto features = FeaturesOf(proof, call);
  const NodeIndex node = proof.Find("coef_");
  if (!features || !proof.IsThere(node)) return {};
  const auto coefficients = proof.Array(node);
  const StructNote* sparse = SparseNote(proof, node);
  const bool fits = coefficients && coefficients->rank() >= 1 && coefficients->rank() <= 2 &&
                    coefficients->shape().back() == *features;
  if (fits || (sparse != nullptr && sparse->columns == *features)) return {};
  return proof.Refuse("coef_", "a fit with a warm start would write past the end of the coefficients");
}

}  // namespace safemodel::pickle
