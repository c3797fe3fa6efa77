// SPDX-License-Identifier: Apache-2.0
// STRUCT-TREE and STRUCT-HGB: the nodes of decision trees. Predicting follows their numbers without looking at them.
#include <algorithm>
#include <array>
#include <optional>

#include "pickle/numpy_rules.h"
#include "pickle/struct_proof.h"
#include "pickle/struct_rules.h"

namespace safemodel::pickle {
namespace {

constexpr const char* kCode = "STRUCT-TREE";
constexpr std::uint64_t kMostNodes = std::uint64_t{1} << 31;
constexpr std::array<Dtype, 2> kI64 = {Dtype::kI64, Dtype::kI64};
constexpr std::array<Dtype, 2> kF64 = {Dtype::kF64, Dtype::kF64};
constexpr std::array<Dtype, 2> kU32 = {Dtype::kU32, Dtype::kU32};
constexpr std::array<Dtype, 2> kU8 = {Dtype::kU8, Dtype::kU8};

constexpr std::array<RecordFieldRule, 8> kTreeNode = {{{"left_child", kI64},
                                                       {"right_child", kI64},
                                                       {"feature", kI64},
                                                       {"threshold", kF64},
                                                       {"impurity", kF64},
                                                       {"n_node_samples", kI64},
                                                       {"weighted_n_node_samples", kF64},
                                                       {"missing_go_to_left", kU8}}};
// The type of the feature has grown.
constexpr std::array<RecordFieldRule, 13> kPredictorNode = {{{"value", kF64},
                                                             {"count", kU32},
                                                             {"feature_idx", {Dtype::kI64, Dtype::kU32}},
                                                             {"num_threshold", kF64},
                                                             {"missing_go_to_left", kU8},
                                                             {"left", kU32},
                                                             {"right", kU32},
                                                             {"gain", kF64},
                                                             {"depth", kU32},
                                                             {"is_leaf", kU8},
                                                             {"bin_threshold", kU8},
                                                             {"is_categorical", kU8},
                                                             {"bitset_idx", kU32}}};
constexpr std::array<RecordFieldRule, 4> kLinkageRow = {
    {{"left_node", kI64}, {"right_node", kI64}, {"value", kF64}, {"cluster_size", kI64}}};

// TreeWalk visits the nodes of a Tree in their order, in which parents stand before their children. There are very many
// of them: it says what is wrong as a text, of which an error is made once.
class TreeWalk {
 public:
  TreeWalk(std::span<const Field> fields, std::uint64_t nodes, std::uint64_t features)
      : left_(fields[0].offset),
        right_(fields[1].offset),
        feature_(fields[2].offset),
        missing_(fields.size() > 7 ? std::optional(fields[7].offset) : std::nullopt),
        nodes_(nodes),
        features_(features),
        depth_(nodes, kNoParent) {
    depth_[0] = 0;
  }

  // Visit returns what is wrong with the next node, or nothing.
  const char* Visit(ByteView node) {
    const std::uint64_t number = at_++;
    const std::int64_t left = I64(node, left_), right = I64(node, right_), feature = I64(node, feature_);
    const std::uint32_t depth = depth_[number];
    if (depth == kNoParent) return "a node of the tree has no parent, so that its depth is not known";
    deepest_ = std::max(deepest_, depth);
    if (missing_ && IntegerAt(Dtype::kU8, node.subspan(*missing_)) > 1) {
      return "a node of the tree holds a truth value that is neither 0 nor 1";
    }
    if (left == kLeaf && right == kLeaf) {
      return feature == kNoFeature ? nullptr : "a leaf of the tree has a feature, which scikit-learn would count";
    }
    if (feature < 0 || static_cast<std::uint64_t>(feature) >= features_) {
      return "predicting would read a feature outside the input";
    }
    const char* const wrong = Adopt(number, left, depth + 1);
    return wrong != nullptr ? wrong : Adopt(number, right, depth + 1);
  }

  [[nodiscard]] std::uint64_t deepest() const { return deepest_; }

 private:
  static constexpr std::int64_t kLeaf = -1;
  static constexpr std::int64_t kNoFeature = -2;
  static constexpr std::uint32_t kNoParent = ~std::uint32_t{0};

  static std::int64_t I64(ByteView node, std::uint32_t offset) { return IntegerAt(Dtype::kI64, node.subspan(offset)); }

  const char* Adopt(std::uint64_t parent, std::int64_t child, std::uint32_t depth) {
    if (child <= static_cast<std::int64_t>(parent) || static_cast<std::uint64_t>(child) >= nodes_) {
      return "predicting would follow a child outside the tree, or never end";
    }
    std::uint32_t& known = depth_[static_cast<std::size_t>(child)];
    if (known != kNoParent) return "two nodes of the tree have the same child, so that its depth is not known";
    known = depth;
    return nullptr;
  }

  std::uint32_t left_, right_, feature_;  // offsets in a node: i64 all three, as the layout says
  std::optional<std::uint32_t> missing_;  // u8
  std::uint64_t nodes_;
  std::uint64_t features_;
  std::vector<std::uint32_t> depth_;
  std::uint64_t at_ = 0;
  std::uint32_t deepest_ = 0;
};

// CheckNodes returns the real depth of a tree.
Result<std::uint64_t> CheckNodes(Proof& proof, std::uint64_t count, std::uint64_t features) {
  const auto nodes = proof.Array(proof.Find("nodes"));
  const Error other = proof.Refuse("nodes", "scikit-learn would read nodes of another layout than these have");
  if (!nodes || !nodes->IsVector() || nodes->elements != count || count == 0) return other;
  if (count > kMostNodes) return Error{Stage::kLimit, "LIMIT-COUNT", "a tree has more nodes than the limit"};
  const ImportTables& tables = proof.context().tables;
  auto fields = MatchRecord(tables, *nodes, kTreeNode);
  if (!fields) fields = MatchRecord(tables, *nodes, std::span(kTreeNode).first(7));  // before 1.3
  if (!fields) return other;
  SAFEMODEL_TRY(proof.Work(count));
  TreeWalk walk(*fields, count, features);
  const auto visit = [&](ByteView node) -> Status {
    const char* const wrong = walk.Visit(node);
    return wrong == nullptr ? Status() : proof.Refuse("nodes", wrong);
  };
  SAFEMODEL_TRY(ForEachItem(proof, *nodes, RecordSize(tables, *nodes), visit));
  return walk.deepest();
}

std::optional<ArrayView> Bitsets(Proof& proof, const char* name) {
  constexpr std::uint64_t kWords = 8;  // 256 bins
  const auto bitsets = proof.Array(proof.Find(name));
  const bool fits = bitsets && bitsets->dtype() == Dtype::kU32 && bitsets->rank() == 2 && bitsets->shape()[1] == kWords;
  return fits ? bitsets : std::nullopt;
}

// PredictorWalk visits the nodes of a TreePredictor.
struct PredictorWalk {
  Proof& proof;
  std::vector<Field> fields;
  std::uint64_t nodes = 0;
  std::uint64_t bitsets = 0;
  std::uint64_t at = 0;
  StructNote note;

  Status Visit(ByteView node) {
    const std::uint64_t number = at++;
    const auto get = [&](std::size_t field) { return IntegerIn(fields[field], node); };
    if (get(9) > 1 || get(11) > 1 || get(4) > 1) {
      return proof.Refuse("nodes", "a node of the predictor holds a truth value that is neither 0 nor 1");
    }
    if (get(9) == 1) return {};  // a leaf: nothing else of it is used
    for (const std::size_t side : {std::size_t{5}, std::size_t{6}}) {
      const auto child = static_cast<std::uint64_t>(get(side));
      if (child > number && child < nodes) continue;
      return proof.Refuse("nodes", "predicting would follow a child outside the predictor, or never end");
    }
    if (get(2) < 0 || get(2) >= std::int64_t{1} << 31) {
      return proof.Refuse("nodes", "predicting would read a feature outside the input");
    }
    note.features = std::max(note.features, static_cast<std::uint64_t>(get(2)) + 1);
    if (get(11) == 0) return {};
    note.categories = StructNote::Categories::kYes;
    if (static_cast<std::uint64_t>(get(12)) < bitsets) return {};
    return proof.Refuse("nodes", "predicting would read a set of categories that is not there");
  }
};

// CheckPredictors returns nothing when all predictors fit into `features`.
Status CheckPredictors(Proof& proof, std::uint64_t features, std::uint64_t per_iteration,
                       StructNote::Categories categories) {
  const auto iterations = proof.Items(proof.Find("_predictors"));
  if (!iterations) return proof.Refuse("_predictors", "scikit-learn would predict with something that is no list");
  for (const NodeIndex iteration : *iterations) {
    SAFEMODEL_TRY(proof.Work(1));
    const auto predictors = proof.Items(iteration);
    if (!predictors || predictors->size() != per_iteration) {
      return proof.Refuse("_predictors", "predicting would write more columns of results than there are");
    }
    for (const NodeIndex predictor : *predictors) {
      const StructNote* note = proof.IsObject(predictor, "tree_predictor") ? proof.NoteOf(predictor) : nullptr;
      if (note == nullptr) return proof.Refuse("_predictors", "a predictor is something that was not proven");
      if (note->features > features) {
        return proof.Refuse("_predictors", "predicting would read a feature outside the input");
      }
      if (note->categories == StructNote::Categories::kYes && categories == StructNote::Categories::kNo) {
        return proof.Refuse("_predictors", "predicting would read sets of categories of features that have none");
      }
    }
  }
  return {};
}

}  // namespace

// OnTreeCall checks the arguments: native code divides memory by them before any state is there.
Status OnTreeCall(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  const auto classes = proof.Array(args[1]);
  const auto outputs = proof.Count(args[2]);
  if (!classes || !classes->IsVector() || !IsIndexType(classes->dtype()) || classes->elements != outputs) {
    return proof.Refuse("n_classes", "scikit-learn would read the number of classes of outputs that are not there");
  }
  SAFEMODEL_ASSIGN(const IntegerFacts facts, proof.Integers(*classes));
  if (!facts.Within(1, kMostNodes)) return proof.Refuse("n_classes", "an output of the tree has no classes");
  StructNote note;
  note.features = *proof.Count(args[0]);
  note.outputs = *outputs;
  note.least_classes = facts.least;
  note.most_classes = facts.greatest;
  context.tables.proven[call] = note;
  return {};
}

Status OnTree(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  StructNote& note = context.tables.proven.at(call);
  const std::uint64_t count = *proof.Count(proof.Find("node_count"));
  SAFEMODEL_ASSIGN(const std::uint64_t depth, CheckNodes(proof, count, note.features));
  if (proof.Count(proof.Find("max_depth")) != depth) {
    return proof.Refuse("max_depth", "decision_path would write outside the memory that it reserves for this depth");
  }
  const auto values = proof.Array(proof.Find("values"));
  const std::vector<std::uint64_t> wanted = {count, note.outputs, static_cast<std::uint64_t>(note.most_classes)};
  if (!values || values->dtype() != Dtype::kF64 || values->shape() != wanted) {
    return proof.Refuse("values", "predicting would read values of nodes that are not there");
  }
  note.rows = count;
  return {};
}

// OnLinkage proves the tree of clusters that HDBSCAN cuts: each row joins two of what was there before.
Status OnLinkage(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const char* const name = "_single_linkage_tree_";
  if (!proof.Has(name)) return {};
  const auto rows = proof.Array(proof.Find(name));
  const auto fields = rows && rows->IsVector() ? MatchRecord(context.tables, *rows, kLinkageRow) : std::nullopt;
  if (!fields) return proof.Refuse(name, "scikit-learn would read rows of another layout than these have");
  std::int64_t known = static_cast<std::int64_t>(rows->elements) + 1;
  const auto visit = [&](ByteView row) -> Status {
    const std::int64_t left = IntegerIn((*fields)[0], row), right = IntegerIn((*fields)[1], row);
    if (left >= 0 && right >= 0 && left < known && right < known) {
      ++known;
      return {};
    }
    return proof.Refuse(name, "cutting the tree would write outside the memory that it reserves for its nodes");
  };
  return ForEachItem(proof, *rows, RecordSize(context.tables, *rows), visit);
}

Status OnPredictor(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, "STRUCT-HGB");
  const auto nodes = proof.Array(proof.Find("nodes"));
  auto fields = nodes && nodes->IsVector() && nodes->elements > 0 ? MatchRecord(context.tables, *nodes, kPredictorNode)
                                                                  : std::nullopt;
  if (!fields) return proof.Refuse("nodes", "scikit-learn would read nodes of another layout than these have");
  const auto binned = Bitsets(proof, "binned_left_cat_bitsets");
  const auto raw = Bitsets(proof, "raw_left_cat_bitsets");
  if (!binned || !raw || binned->shape() != raw->shape()) {
    return proof.Refuse(binned ? "raw_left_cat_bitsets" : "binned_left_cat_bitsets",
                        "predicting would read sets of categories of another size");
  }
  PredictorWalk walk{proof, std::move(*fields), nodes->elements, raw->shape()[0], 0, {}};
  SAFEMODEL_TRY(
      ForEachItem(proof, *nodes, RecordSize(context.tables, *nodes), [&](ByteView node) { return walk.Visit(node); }));
  walk.note.rows = nodes->elements;
  context.tables.proven[call] = walk.note;
  return {};
}

Status OnHistGradientBoosting(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, "STRUCT-HGB");
  if (!proof.Has("_predictors")) return {};  // not fitted
  const auto features = proof.Count(proof.Find("n_features_in_"));
  const auto per_iteration = proof.Count(proof.Find("n_trees_per_iteration_"));
  if (!features) return proof.Refuse("n_features_in_", "the number of features is not known");
  if (!per_iteration) return proof.Refuse("n_trees_per_iteration_", "the number of trees is not known");
  const NodeIndex mapper = proof.Find("_bin_mapper");
  const auto thresholds = proof.Items(proof.FindOf(mapper, "bin_thresholds_"));
  if (!thresholds || thresholds->size() != *features) {
    return proof.Refuse("_bin_mapper.bin_thresholds_", "predicting would read bins of features that are not there");
  }
  const auto categorical = proof.Array(proof.FindOf(mapper, "is_categorical_"));
  if (!categorical || !categorical->IsVector() || !IsIntegers(categorical->dtype()) ||
      categorical->elements != *features) {
    return proof.Refuse("_bin_mapper.is_categorical_", "predicting would read sets of categories that are not there");
  }
  SAFEMODEL_ASSIGN(const IntegerFacts facts, proof.Integers(*categorical));
  if (!facts.Within(0, 2)) return proof.Refuse("_bin_mapper.is_categorical_", "a truth value is neither 0 nor 1");
  const auto baseline = proof.Array(proof.Find("_baseline_prediction"));
  if (baseline && baseline->elements != *per_iteration) {
    return proof.Refuse("_baseline_prediction", "predicting would write more columns of results than there are");
  }
  return CheckPredictors(proof, *features, *per_iteration,
                         facts.greatest == 1 ? StructNote::Categories::kYes : StructNote::Categories::kNo);
}

}  // namespace safemodel::pickle
