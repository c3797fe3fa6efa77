// SPDX-License-Identifier: Apache-2.0
// STRUCT-FOREST and STRUCT-SHAPE: one lie for each thing that estimators and what they hold must agree on.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/structure_builder.h"
#include "pickle/tree_builder.h"

namespace safemodel::pickle {
namespace {

using code::Attributes;
using code::Integer;
using code::Lies;
using code::List;

using E = code::Estimator;

std::string Numbers(const std::vector<std::int64_t>& numbers) { return code::Vector(numbers); }

// Regression is a tree whose result is one number.
Tree Regression() {
  Tree tree;
  tree.classes = Numbers({1});
  tree.values = code::Zeros<double>({5, 1, 1});
  return tree;
}

E Classifier(const Tree& tree = {}) {
  return {"sklearn.tree._classes",
          "DecisionTreeClassifier",
          {{"tree_", tree.Code()},
           {"n_features_in_", Integer(tree.features)},
           {"n_outputs_", Integer(1)},
           {"n_classes_", Integer(2)}}};
}

E Regressor(const Tree& tree = Regression()) {
  return {"sklearn.tree._classes",
          "DecisionTreeRegressor",
          {{"tree_", tree.Code()}, {"n_features_in_", Integer(tree.features)}, {"n_outputs_", Integer(1)}}};
}

Tree OnFeatures(Tree tree, std::int64_t features) {
  tree.features = features;
  return tree;
}

E Forest() {
  return {"sklearn.ensemble._forest",
          "RandomForestClassifier",
          {{"estimators_", List({Classifier().Code(), Classifier().Code()})},
           {"n_features_in_", Integer(3)},
           {"n_outputs_", Integer(1)},
           {"n_classes_", Integer(2)}}};
}

// Isolation is a bag of two trees, the second of which gets three of four features.
E Isolation() {
  return {"sklearn.ensemble._iforest",
          "IsolationForest",
          {{"estimators_", List({Regressor(OnFeatures(Regression(), 4)).Code(), Regressor().Code()})},
           {"estimators_features_", List({Numbers({0, 1, 2, 3}), Numbers({3, 0, 1})})},
           {"n_features_in_", Integer(4)},
           {"_average_path_length_per_tree", List({code::Zeros<double>({5}), code::Zeros<double>({5})})},
           {"_decision_path_lengths", List({code::Zeros<double>({5}), code::Zeros<double>({5})})}}};
}

E AdaBoost() {
  return {"sklearn.ensemble._weight_boosting",
          "AdaBoostClassifier",
          {{"estimators_", List({Classifier().Code()})},
           {"n_features_in_", Integer(3)},
           {"estimator_weights_", code::Zeros<double>({1})}}};
}

std::string Trees(const std::vector<std::string>& trees) { return code::Objects({1, trees.size()}, trees); }

E Boosting() {
  const std::string tree = Regressor().Code();
  const E initial{"sklearn.dummy",
                  "DummyClassifier",
                  {{"classes_", Numbers({0, 1, 2})}, {"class_prior_", code::Zeros<double>({3})}}};
  return {"sklearn.ensemble._gb",
          "GradientBoostingClassifier",
          {{"estimators_", Trees({tree, tree, tree})},
           {"n_features_in_", Integer(3)},
           {"n_classes_", Integer(3)},
           {"init_", initial.Code()}}};
}

std::string Cluster(const Attributes& more) {
  Attributes state{{"left", code::kNone}, {"right", code::kNone}, {"center", code::Zeros<double>({2})}};
  for (const auto& [name, value] : more) state[name] = value;
  return code::Object("sklearn.cluster._bisect_k_means", "_BisectingTree", state);
}

E Bisecting() {
  return {"sklearn.cluster._bisect_k_means",
          "BisectingKMeans",
          {{"cluster_centers_", code::Zeros<double>({2, 2})},
           {"n_features_in_", Integer(2)},
           {"_counts", code::Zeros<double>({2})},
           {"_bisecting_tree", Cluster({{"left", Cluster({})}, {"right", Cluster({})}})}}};
}

E Lasso() {
  return {"sklearn.linear_model._coordinate_descent",
          "Lasso",
          {{"coef_", code::Zeros<double>({3})}, {"n_features_in_", Integer(3)}}};
}

}  // namespace

TEST_CASE("struct: an estimator of one tree") {
  const Lies<E> lies = {
      {"tree_", "was not proven", [](E& e) { e.state["tree_"] = Integer(1); }},
      {"n_features_in_", "not known", [](E& e) { e.state.erase("n_features_in_"); }},
      {"n_features_in_", "features outside", [](E& e) { e.state["n_features_in_"] = Integer(2); }},
      {"n_features_in_", "features outside", [](E& e) { e.state["n_features_in_"] = Integer(4); }},
      {"n_outputs_", "outputs that the tree", [](E& e) { e.state["n_outputs_"] = Integer(2); }},
      {"n_classes_", "another number of classes", [](E& e) { e.state["n_classes_"] = Integer(3); }},
      {"n_classes_", "another number of classes",
       [](E& e) {
         e.state["n_classes_"] = Numbers({2, 2});
       }},
      {"n_classes_", "another number of classes", [](E& e) { e.state["n_classes_"] = code::Text("two"); }},
  };
  CHECK_LIES("STRUCT-SHAPE", Classifier(), lies);
  E unfitted = Classifier();
  unfitted.state.erase("tree_");
  CHECK(code::Judge(unfitted.Code()).code == "ok");
  CHECK(code::Judge(Regressor().Code()).code == "ok");
}

TEST_CASE("struct: a forest and its trees") {
  const Lies<E> lies = {
      {"estimators_", "no list", [](E& e) { e.state["estimators_"] = List({}); }},
      {"estimators_", "was not proven", [](E& e) { e.state["estimators_"] = List({Lasso().Code()}); }},
      {"estimators_", "features outside",
       [](E& e) {
         e.state["estimators_"] = List({Classifier().Code(), Classifier(OnFeatures({}, 4)).Code()});
       }},
      {"estimators_", "another number of classes",
       [](E& e) {
         e.state["estimators_"] = List({Classifier().Code(), Regressor().Code()});
       }},
      {"n_features_in_", "not known", [](E& e) { e.state["n_features_in_"] = code::kNone; }},
      {"estimators_", "features outside", [](E& e) { e.state["n_features_in_"] = Integer(2); }},
      {"n_outputs_", "outputs that its trees", [](E& e) { e.state["n_outputs_"] = Integer(2); }},
      {"n_classes_", "another number of classes", [](E& e) { e.state["n_classes_"] = Integer(3); }},
  };
  CHECK_LIES("STRUCT-FOREST", Forest(), lies);
}

TEST_CASE("struct: a bag of estimators with features of their own") {
  const Lies<E> lies = {
      {"estimators_features_", "features that are not there",
       [](E& e) {
         e.state["estimators_features_"] = List({Numbers({0, 1, 2, 3}), Numbers({4, 0, 1})});
       }},
      {"estimators_features_", "features that are not there",
       [](E& e) {
         e.state["estimators_features_"] = List({Numbers({0, 1, 2, 3}), Numbers({-1, 0, 1})});
       }},
      {"estimators_features_", "features outside",
       [](E& e) {
         e.state["estimators_features_"] = List({Numbers({0, 1, 2, 3}), Numbers({0, 1})});
       }},
      {"estimators_features_", "no index",
       [](E& e) {
         e.state["estimators_features_"] = List({Numbers({0, 1, 2, 3}), code::Zeros<double>({3})});
       }},
      {"estimators_features_", "estimators that are not there",
       [](E& e) {
         e.state["estimators_features_"] = List({Numbers({0, 1, 2, 3})});
       }},
      {"_average_path_length_per_tree", "nodes of its trees",
       [](E& e) { e.state["_average_path_length_per_tree"] = List({code::Zeros<double>({5})}); }},
      {"_decision_path_lengths", "nodes of its trees",
       [](E& e) {
         e.state["_decision_path_lengths"] = List({code::Zeros<double>({5}), code::Zeros<double>({4})});
       }},
      {"n_features_in_", "not known", [](E& e) { e.state.erase("n_features_in_"); }},
      {"estimators_", "no list", [](E& e) { e.state["estimators_"] = Integer(2); }},
  };
  CHECK_LIES("STRUCT-FOREST", Isolation(), lies);
}

TEST_CASE("struct: estimators that were boosted one after the other") {
  const Lies<E> ada_boost = {
      {"estimator_weights_", "weights of estimators",
       [](E& e) { e.state["estimator_weights_"] = code::Zeros<double>({0}); }},
      {"estimators_", "features outside", [](E& e) { e.state["n_features_in_"] = Integer(2); }},
      {"estimators_", "after the ensemble",
       [](E& e) {
         e.state["estimators_"] = List({code::Name("sklearn.tree._classes", "DecisionTreeClassifier") + ")\x81"});
       }},
  };
  CHECK_LIES("STRUCT-FOREST", AdaBoost(), ada_boost);
  const Lies<E> boosting = {
      {"estimators_", "more columns",
       [](E& e) {
         e.state["estimators_"] = Trees({Regressor().Code(), Regressor().Code()});
       }},
      {"estimators_", "more columns",
       [](E& e) {
         e.state["estimators_"] = code::Objects({3}, {"N", "N", "N"});
       }},
      {"estimators_", "was not proven",
       [](E& e) {
         e.state["estimators_"] = Trees({Regressor().Code(), Regressor().Code(), "N"});
       }},
      {"estimators_", "several outputs",
       [](E& e) {
         e.state["estimators_"] = Trees({Regressor().Code(), Regressor().Code(), Classifier().Code()});
       }},
      {"estimators_", "features outside", [](E& e) { e.state["n_features_in_"] = Integer(4); }},
      {"estimators_", "more columns", [](E& e) { e.state["n_classes_"] = Integer(4); }},
      {"init_", "more columns",
       [](E& e) {
         e.state["init_"] = code::Object("sklearn.dummy", "DummyClassifier",
                                         {{"classes_", Numbers({0, 1})}, {"class_prior_", code::Zeros<double>({2})}});
       }},
      {"init_", "more columns",
       [](E& e) { e.state["init_"] = code::Name("sklearn.dummy", "DummyClassifier") + ")\x81"; }},
  };
  CHECK_LIES("STRUCT-FOREST", Boosting(), boosting);
}

TEST_CASE("struct: the centres of clusters") {
  const Lies<E> lies = {
      {"cluster_centers_", "past its end",
       [](E& e) {
         e.state["cluster_centers_"] = code::Zeros<double>({2, 1});
       }},
      {"cluster_centers_", "past its end", [](E& e) { e.state["cluster_centers_"] = code::Zeros<double>({4}); }},
      {"cluster_centers_", "past its end",
       [](E& e) {
         e.state["cluster_centers_"] = code::Zeros<double>({0, 2});
       }},
      {"cluster_centers_", "past its end",
       [](E& e) {
         e.state["cluster_centers_"] = code::Zeros<std::int64_t>({2, 2});
       }},
      {"n_features_in_", "not known", [](E& e) { e.state.erase("n_features_in_"); }},
      {"_counts", "clusters that are not there", [](E& e) { e.state["_counts"] = code::Zeros<double>({1}); }},
      {"_bisecting_tree", "past its end",
       [](E& e) {
         e.state["_bisecting_tree"] = Cluster({{"left", Cluster({{"center", code::Zeros<double>({1})}})}});
       }},
      {"_bisecting_tree", "after it was looked at",
       [](E& e) {
         e.state["_bisecting_tree"] = code::Name("sklearn.cluster._bisect_k_means", "_BisectingTree") + ")\x81";
       }},
  };
  CHECK_LIES("STRUCT-SHAPE", Bisecting(), lies);
}

TEST_CASE("struct: estimators without one of their attributes") {
  CHECK(code::IsJudgedWithoutEach("STRUCT-SHAPE", Classifier()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-FOREST", Forest()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-FOREST", Isolation()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-FOREST", AdaBoost()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-FOREST", Boosting()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-SHAPE", Bisecting()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-SHAPE", Lasso()));
}

TEST_CASE("struct: coefficients that a fit goes on with") {
  const Lies<E> lies = {
      {"coef_", "past the end", [](E& e) { e.state["coef_"] = code::Zeros<double>({2}); }},
      {"coef_", "past the end",
       [](E& e) {
         e.state["coef_"] = code::Zeros<double>({3, 2});
       }},
      {"coef_", "past the end",
       [](E& e) {
         e.state["coef_"] = code::Zeros<double>({1, 1, 3});
       }},
      {"coef_", "past the end", [](E& e) { e.state["coef_"] = Integer(3); }},
  };
  CHECK_LIES("STRUCT-SHAPE", Lasso(), lies);
}

}  // namespace safemodel::pickle
