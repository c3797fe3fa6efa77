// SPDX-License-Identifier: Apache-2.0
// STRUCT-TREE and STRUCT-HGB: one lie for each thing that is proven about the nodes of decision trees.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/structure_builder.h"
#include "pickle/tree_builder.h"

namespace safemodel::pickle {
namespace {

using code::Column;
using code::Row;

const std::vector<Column> kPredictorNode = {{"value", "f8"},
                                            {"count", "u4"},
                                            {"feature_idx", "i8"},
                                            {"num_threshold", "f8"},
                                            {"missing_go_to_left", "u1"},
                                            {"left", "u4"},
                                            {"right", "u4"},
                                            {"gain", "f8"},
                                            {"depth", "u4"},
                                            {"is_leaf", "u1"},
                                            {"bin_threshold", "u1"},
                                            {"is_categorical", "u1"},
                                            {"bitset_idx", "u4"}};

Row HistogramLeaf() { return {{"is_leaf", 1}}; }

// Predictor is a TreePredictor: a split by categories, a split by a number, three leaves.
struct Predictor {
  std::vector<Column> columns = kPredictorNode;
  std::vector<Row> nodes = {{{"left", 1}, {"right", 2}, {"feature_idx", 1}, {"is_categorical", 1}, {"bitset_idx", 1}},
                            HistogramLeaf(),
                            {{"left", 3}, {"right", 4}, {"feature_idx", 0}, {"missing_go_to_left", 1}},
                            HistogramLeaf(),
                            HistogramLeaf()};
  std::string binned = code::Zeros<std::uint32_t>({2, 8});
  std::string raw = code::Zeros<std::uint32_t>({2, 8});
  std::string instead = {};

  [[nodiscard]] std::string Code() const {
    return code::Object("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor",
                        {{"nodes", instead.empty() ? code::Records(columns, 56, nodes) : instead},
                         {"binned_left_cat_bitsets", binned},
                         {"raw_left_cat_bitsets", raw}});
  }
};

// Boosting is a regressor of one predictor on two features, of which the second has categories.
struct Boosting {
  std::string predictors = code::List({code::List({Predictor{}.Code()})});
  std::int64_t features = 2;
  std::int64_t per_iteration = 1;
  std::string thresholds = code::List({code::Zeros<double>({3}), code::Zeros<double>({3})});
  std::string categorical = code::Vector<std::uint8_t>({0, 1});
  std::string baseline = code::Zeros<double>({1, 1});
  std::string mapper_name = "_bin_mapper";

  [[nodiscard]] std::string Code() const {
    return code::Object(
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting", "HistGradientBoostingRegressor",
        {{"_predictors", predictors},
         {"n_features_in_", code::Integer(features)},
         {"n_trees_per_iteration_", code::Integer(per_iteration)},
         {mapper_name, code::Object("sklearn.ensemble._hist_gradient_boosting.binning", "_BinMapper",
                                    {{"bin_thresholds_", thresholds}, {"is_categorical_", categorical}})},
         {"_baseline_prediction", baseline}});
  }
};

// Linkage is what HDBSCAN keeps of four points.
struct Linkage {
  std::vector<Column> columns = {{"left_node", "i8"}, {"right_node", "i8"}, {"value", "f8"}, {"cluster_size", "i8"}};
  std::vector<Row> rows = {{{"left_node", 0}, {"right_node", 1}},
                           {{"left_node", 4}, {"right_node", 2}},
                           {{"left_node", 3}, {"right_node", 5}}};

  [[nodiscard]] std::string Code() const {
    return code::Object("sklearn.cluster._hdbscan.hdbscan", "HDBSCAN",
                        {{"_single_linkage_tree_", code::Records(columns, 32, rows)}});
  }
};

using code::Lies;

}  // namespace

TEST_CASE("struct: the nodes of a decision tree") {
  const Lies<Tree> lies = {
      {"nodes", "child outside the tree", [](Tree& t) { t.nodes[0]["left_child"] = 0; }},
      {"nodes", "child outside the tree", [](Tree& t) { t.nodes[0]["left_child"] = 5; }},
      {"nodes", "child outside the tree", [](Tree& t) { t.nodes[0]["left_child"] = -5; }},
      {"nodes", "child outside the tree", [](Tree& t) { t.nodes[0]["left_child"] = -1; }},
      {"nodes", "child outside the tree", [](Tree& t) { t.nodes[0]["right_child"] = std::int64_t{1} << 40; }},
      {"nodes", "child outside the tree", [](Tree& t) { t.nodes[1]["right_child"] = 1; }},
      {"nodes", "same child", [](Tree& t) { t.nodes[0]["right_child"] = 1; }},
      {"nodes", "same child", [](Tree& t) { t.nodes[1]["right_child"] = 4; }},
      {"nodes", "has no parent", [](Tree& t) { t.nodes[0] = Leaf(); }},
      {"nodes", "feature outside the input", [](Tree& t) { t.nodes[0]["feature"] = 3; }},
      {"nodes", "feature outside the input", [](Tree& t) { t.nodes[0]["feature"] = -2; }},
      {"nodes", "leaf of the tree has a feature", [](Tree& t) { t.nodes[4]["feature"] = 1; }},
      {"nodes", "neither 0 nor 1", [](Tree& t) { t.nodes[3]["missing_go_to_left"] = 2; }},
      {"nodes", "another layout", [](Tree& t) { t.count = 4; }},
      {"nodes", "another layout", [](Tree& t) { t.count = 6; }},
      {"nodes", "another layout", [](Tree& t) { t.columns[0].descr = "f8"; }},
      {"nodes", "another layout", [](Tree& t) { std::swap(t.columns[0], t.columns[1]); }},
      {"nodes", "another layout", [](Tree& t) { t.columns.pop_back(), t.columns.pop_back(), t.node_size = 48; }},
      {"nodes", "another layout", [](Tree& t) { t.instead = code::Zeros<double>({5}); }},
      {"max_depth", "outside the memory", [](Tree& t) { t.depth = 1; }},
      {"max_depth", "outside the memory", [](Tree& t) { t.depth = 3; }},
      {"values", "values of nodes",
       [](Tree& t) {
         t.values = code::Zeros<double>({4, 1, 2});
       }},
      {"values", "values of nodes",
       [](Tree& t) {
         t.values = code::Zeros<double>({5, 1, 1});
       }},
      {"values", "values of nodes",
       [](Tree& t) {
         t.values = code::Zeros<double>({5, 2});
       }},
      {"values", "values of nodes",
       [](Tree& t) {
         t.values = code::Zeros<float>({5, 1, 2});
       }},
      {"n_classes", "number of classes", [](Tree& t) { t.outputs = 2; }},
      {"n_classes", "number of classes", [](Tree& t) { t.classes = code::Vector<double>({2}); }},
      {"n_classes", "has no classes", [](Tree& t) { t.classes = code::Vector<std::int64_t>({0}); }},
  };
  CHECK_LIES("STRUCT-TREE", Tree{}, lies);
}

TEST_CASE("struct: trees of other sizes and releases") {
  Tree leaf{.depth = 0, .count = 1, .nodes = {Leaf()}, .values = code::Zeros<double>({1, 1, 2})};
  CHECK(code::Judge(leaf.Code()).code == "ok");
  leaf.nodes[0] = Split(1, 2, 0);
  CHECK(code::Judge(leaf.Code()).code == "STRUCT-TREE");
  Tree old{.node_size = 56};
  old.columns.pop_back();  // before 1.3 nothing was said about missing values
  CHECK(code::Judge(old.Code()).code == "ok");
  old.nodes[1]["feature"] = 3;
  CHECK(code::Judge(old.Code()).code == "STRUCT-TREE");
}

TEST_CASE("struct: the nodes of a histogram predictor") {
  const Lies<Predictor> lies = {
      {"nodes", "child outside the predictor", [](Predictor& p) { p.nodes[0]["left"] = 0; }},
      {"nodes", "child outside the predictor", [](Predictor& p) { p.nodes[0]["right"] = 5; }},
      {"nodes", "child outside the predictor", [](Predictor& p) { p.nodes[2]["left"] = 2; }},
      {"nodes", "child outside the predictor", [](Predictor& p) { p.nodes[2]["right"] = 0xFFFFFFFF; }},
      {"nodes", "child outside the predictor", [](Predictor& p) { p.nodes[4]["is_leaf"] = 0; }},
      {"nodes", "neither 0 nor 1", [](Predictor& p) { p.nodes[1]["is_leaf"] = 2; }},
      {"nodes", "neither 0 nor 1", [](Predictor& p) { p.nodes[0]["is_categorical"] = 3; }},
      {"nodes", "neither 0 nor 1", [](Predictor& p) { p.nodes[2]["missing_go_to_left"] = 9; }},
      {"nodes", "feature outside the input", [](Predictor& p) { p.nodes[2]["feature_idx"] = -1; }},
      {"nodes", "feature outside the input", [](Predictor& p) { p.nodes[2]["feature_idx"] = std::int64_t{1} << 31; }},
      {"nodes", "set of categories", [](Predictor& p) { p.nodes[0]["bitset_idx"] = 2; }},
      {"nodes", "another layout", [](Predictor& p) { p.nodes.clear(); }},
      {"nodes", "another layout", [](Predictor& p) { p.columns[5].descr = "i4"; }},
      {"nodes", "another layout", [](Predictor& p) { p.instead = code::Zeros<std::uint8_t>({280}); }},
      {"binned_left_cat_bitsets", "another size",
       [](Predictor& p) {
         p.binned = code::Zeros<std::uint32_t>({2, 7});
       }},
      {"raw_left_cat_bitsets", "another size",
       [](Predictor& p) {
         p.raw = code::Zeros<std::uint32_t>({3, 8});
       }},
      {"raw_left_cat_bitsets", "another size",
       [](Predictor& p) {
         p.raw = code::Zeros<std::uint64_t>({2, 8});
       }},
  };
  CHECK_LIES("STRUCT-HGB", Predictor{}, lies);
}

TEST_CASE("struct: what holds histogram predictors") {
  const Lies<Boosting> lies = {
      {"_predictors", "feature outside the input",
       [](Boosting& b) {
         b.features = 1;
         b.thresholds = code::List({code::Zeros<double>({3})});
         b.categorical = code::Vector<std::uint8_t>({1});
       }},
      {"_predictors", "no list", [](Boosting& b) { b.predictors = code::Integer(1); }},
      {"_predictors", "more columns", [](Boosting& b) { b.predictors = code::List({code::List({})}); }},
      {"_predictors", "was not proven", [](Boosting& b) { b.predictors = code::List({code::List({"N"})}); }},
      {"_predictors", "features that have none",
       [](Boosting& b) {
         b.categorical = code::Vector<std::uint8_t>({0, 0});
       }},
      {"_bin_mapper.bin_thresholds_", "bins of features", [](Boosting& b) { b.thresholds = code::List({}); }},
      {"_bin_mapper.bin_thresholds_", "bins of features", [](Boosting& b) { b.mapper_name = "_other"; }},
      {"_bin_mapper.is_categorical_", "sets of categories",
       [](Boosting& b) { b.categorical = code::Vector<std::uint8_t>({1}); }},
      {"_bin_mapper.is_categorical_", "neither 0 nor 1",
       [](Boosting& b) {
         b.categorical = code::Vector<std::uint8_t>({0, 2});
       }},
      {"_baseline_prediction", "more columns",
       [](Boosting& b) {
         b.baseline = code::Zeros<double>({1, 3});
       }},
  };
  CHECK_LIES("STRUCT-HGB", Boosting{}, lies);
}

TEST_CASE("struct: the tree of clusters that is cut") {
  const Lies<Linkage> lies = {
      {"_single_linkage_tree_", "outside the memory", [](Linkage& l) { l.rows[0]["left_node"] = 4; }},
      {"_single_linkage_tree_", "outside the memory", [](Linkage& l) { l.rows[2]["right_node"] = 6; }},
      {"_single_linkage_tree_", "outside the memory", [](Linkage& l) { l.rows[1]["right_node"] = -1; }},
      {"_single_linkage_tree_", "another layout", [](Linkage& l) { l.columns[3].descr = "f8"; }},
  };
  CHECK_LIES("STRUCT-TREE", Linkage{}, lies);
}

}  // namespace safemodel::pickle
