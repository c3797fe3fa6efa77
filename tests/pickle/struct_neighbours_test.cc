// SPDX-License-Identifier: Apache-2.0
// STRUCT-NEIGHBOURS and STRUCT-SVM: one lie for each thing that is proven about points, and about support vectors.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/structure_builder.h"

namespace safemodel::pickle {
namespace {

using code::Attributes;
using code::Column;
using code::Integer;
using code::Row;

using code::Lies;

const std::vector<Column> kNode = {{"idx_start", "i8"}, {"idx_end", "i8"}, {"is_leaf", "i8"}, {"radius", "f8"}};

Row Node(std::int64_t start, std::int64_t end, std::int64_t leaf) {
  return {{"idx_start", start}, {"idx_end", end}, {"is_leaf", leaf}};
}

// Distance is a metric with its numbers.
struct Distance {
  std::string name = "EuclideanDistance64";
  std::string vector = code::Zeros<double>({1});
  std::string matrix = code::Zeros<double>({1, 1});

  [[nodiscard]] std::string Code() const {
    const std::string bare =
        code::Call("sklearn.metrics._dist_metrics", "newObj", {code::Name("sklearn.metrics._dist_metrics", name)});
    return code::Built(bare, code::Tuple({Program().Op(Opcode::kBinFloat).Number(0, 8).bytes(), vector, matrix}));
  }
};

// KdTree is a tree of five points in two dimensions, with a root and two leaves.
struct KdTree {
  std::string data = code::Zeros<double>({5, 2});
  std::string indices = code::Vector<std::int64_t>({4, 0, 2, 1, 3});
  std::vector<Column> columns = kNode;
  std::vector<Row> nodes = {Node(0, 5, 0), Node(0, 2, 1), Node(2, 5, 1)};
  std::string bounds = code::Zeros<double>({2, 3, 2});
  std::int64_t leaf_size = 2;
  std::int64_t levels = 2;
  std::int64_t count = 3;
  Distance metric = {};
  std::string weights = code::Zeros<double>({5});
  std::string_view module = "sklearn.neighbors._kd_tree";
  std::string_view name = "KDTree";

  [[nodiscard]] std::string Code() const {
    const std::string zero = Integer(0);
    return code::Built(code::Call(module, "newObj", {code::Name(module, name)}),
                       code::Tuple({data, indices, code::Records(columns, 32, nodes), bounds, Integer(leaf_size),
                                    Integer(levels), Integer(count), zero, zero, zero, zero, metric.Code(), weights}));
  }
};

// Neighbours votes among the points of such a tree.
struct Neighbours {
  Attributes state = {{"_fit_X", code::Zeros<double>({5, 2})},
                      {"n_features_in_", Integer(2)},
                      {"n_samples_fit_", Integer(5)},
                      {"_tree", KdTree{}.Code()},
                      {"classes_", code::Vector<std::int64_t>({7, 8})},
                      {"_y", code::Vector<std::int64_t>({0, 1, 1, 0, 1})}};

  [[nodiscard]] std::string Code() const {
    return code::Object("sklearn.neighbors._classification", "KNeighborsClassifier", state);
  }
};

// Machine is an SVC of two classes with three support vectors in two dimensions.
struct Machine {
  std::string_view name = "SVC";
  Attributes state = {{"kernel", code::Text("rbf")},
                      {"_sparse", code::kFalse},
                      {"_n_support", code::Vector<std::int32_t>({1, 2})},
                      {"support_", code::Vector<std::int32_t>({0, 4, 9})},
                      {"support_vectors_", code::Zeros<double>({3, 2})},
                      {"dual_coef_", code::Zeros<double>({1, 3})},
                      {"_dual_coef_", code::Zeros<double>({1, 3})},
                      {"intercept_", code::Zeros<double>({1})},
                      {"_intercept_", code::Zeros<double>({1})},
                      {"_probA", code::Zeros<double>({1})},
                      {"_probB", code::Zeros<double>({0})},
                      {"classes_", code::Vector<std::int64_t>({0, 1})},
                      {"shape_fit_", code::Sizes({10, 2})},
                      {"n_features_in_", Integer(2)}};

  [[nodiscard]] std::string Code() const { return code::Object("sklearn.svm._classes", name, state); }
};

// Csr is a csr_matrix of f8 that stores all its elements.
std::string Csr(std::uint64_t rows, std::uint64_t columns) {
  std::vector<std::int32_t> pointers, indices;
  for (std::uint64_t row = 0; row <= rows; ++row) pointers.push_back(static_cast<std::int32_t>(row * columns));
  for (std::uint64_t i = 0; i < rows * columns; ++i) indices.push_back(static_cast<std::int32_t>(i % columns));
  return code::Object("scipy.sparse._csr", "csr_matrix",
                      {{"_shape", code::Sizes({rows, columns})},
                       {"data", code::Zeros<double>({rows * columns})},
                       {"indices", code::Vector(indices)},
                       {"indptr", code::Vector(pointers)}});
}

Machine SparseMachine() {
  Machine machine;
  machine.state["_sparse"] = code::kTrue;
  machine.state["support_vectors_"] = Csr(3, 2);
  machine.state["dual_coef_"] = machine.state["_dual_coef_"] = Csr(1, 3);
  return machine;
}

}  // namespace

TEST_CASE("struct: a tree of points") {
  const Lies<KdTree> lies = {
      {"data", "another type or shape", [](KdTree& t) { t.data = code::Zeros<double>({10}); }},
      {"data", "another type or shape",
       [](KdTree& t) {
         t.data = code::Zeros<std::int64_t>({5, 2});
       }},
      {"idx_array", "indices of points",
       [](KdTree& t) {
         t.indices = code::Vector<std::int64_t>({0, 1, 2, 3});
       }},
      {"idx_array", "indices of points",
       [](KdTree& t) {
         t.indices = code::Vector<std::int32_t>({0, 1, 2, 3, 4});
       }},
      {"idx_array", "points outside",
       [](KdTree& t) {
         t.indices = code::Vector<std::int64_t>({0, 1, 2, 3, 5});
       }},
      {"idx_array", "points outside",
       [](KdTree& t) {
         t.indices = code::Vector<std::int64_t>({0, 1, 2, 3, -1});
       }},
      {"idx_array", "points outside",
       [](KdTree& t) {
         t.indices = code::Vector<std::int64_t>({0, 1, 2, 3, 3});
       }},
      {"node_data", "points outside", [](KdTree& t) { t.nodes[2]["idx_end"] = 6; }},
      {"node_data", "points outside", [](KdTree& t) { t.nodes[1]["idx_start"] = -1; }},
      {"node_data", "points outside", [](KdTree& t) { t.nodes[2] = Node(5, 4, 1); }},
      {"node_data", "below the leaves", [](KdTree& t) { t.nodes[1]["is_leaf"] = 0; }},
      {"node_data", "below the leaves", [](KdTree& t) { t.nodes[0]["is_leaf"] = 1; }},
      {"node_data", "other points", [](KdTree& t) { t.nodes[2]["idx_start"] = 1; }},
      {"node_data", "other points", [](KdTree& t) { t.nodes[0]["idx_end"] = 4; }},
      {"node_data", "other points", [](KdTree& t) { t.nodes[2]["idx_end"] = 4; }},
      {"node_data", "another layout", [](KdTree& t) { t.nodes.pop_back(); }},
      {"node_data", "another layout", [](KdTree& t) { t.columns[1].descr = "u8"; }},
      {"node_bounds", "bounds of nodes",
       [](KdTree& t) {
         t.bounds = code::Zeros<double>({1, 3, 2});
       }},
      {"node_bounds", "bounds of nodes",
       [](KdTree& t) {
         t.bounds = code::Zeros<double>({2, 2, 2});
       }},
      {"node_bounds", "bounds of nodes",
       [](KdTree& t) {
         t.bounds = code::Zeros<float>({2, 3, 2});
       }},
      {"leaf_size", "without points", [](KdTree& t) { t.leaf_size = 0; }},
      {"n_levels", "more levels", [](KdTree& t) { t.levels = 41; }},
      {"n_levels", "more levels", [](KdTree& t) { t.levels = 0; }},
      {"n_nodes", "not there", [](KdTree& t) { t.count = 7; }},
      {"n_nodes", "not there", [](KdTree& t) { t.levels = 3; }},
      {"sample_weight", "weights of points", [](KdTree& t) { t.weights = code::Zeros<double>({4}); }},
      {"sample_weight", "weights of points", [](KdTree& t) { t.weights = code::Zeros<std::int64_t>({5}); }},
      {"dist_metric", "past their end",
       [](KdTree& t) {
         t.metric = {"SEuclideanDistance64", code::Zeros<double>({3})};
       }},
      {"dist_metric", "past their end",
       [](KdTree& t) {
         t.metric = {"MahalanobisDistance64", code::Zeros<double>({3}), code::Zeros<double>({3, 3})};
       }},
      {"dist_metric", "past their end",
       [](KdTree& t) {
         t.metric.name = "HaversineDistance64";
         t.data = code::Zeros<double>({5, 3});
         t.bounds = code::Zeros<double>({2, 3, 3});
       }},
      {"vec", "another type or shape", [](KdTree& t) { t.metric.vector = code::Zeros<std::int64_t>({1}); }},
      {"mat", "another type or shape",
       [](KdTree& t) {
         t.metric.matrix = code::Zeros<double>({1, 2});
       }},
  };
  CHECK_LIES("STRUCT-NEIGHBOURS", KdTree{}, lies);
  KdTree ball{.bounds = code::Zeros<double>({1, 3, 2}), .module = "sklearn.neighbors._ball_tree", .name = "BallTree"};
  CHECK(code::Judge(ball.Code()).code == "ok");
  ball.bounds = code::Zeros<double>({2, 3, 2});
  CHECK(code::Judge(ball.Code()).code == "STRUCT-NEIGHBOURS");
}

TEST_CASE("struct: an estimator and the points it was fitted with") {
  using N = Neighbours;
  const Lies<N> lies = {
      {"_fit_X", "past their end",
       [](N& n) {
         n.state["_fit_X"] = code::Zeros<double>({5, 3});
       }},
      {"_fit_X", "past their end", [](N& n) { n.state["_fit_X"] = Csr(5, 3); }},
      {"n_samples_fit_", "more neighbours", [](N& n) { n.state["n_samples_fit_"] = Integer(6); }},
      {"_tree", "was not proven", [](N& n) { n.state["_tree"] = Distance{}.Code(); }},
      {"_tree", "does not have",
       [](N& n) {
         n.state["_fit_X"] = code::Zeros<double>({4, 2});
         n.state.erase("n_samples_fit_");
       }},
      {"_y", "labels of points",
       [](N& n) {
         n.state["_y"] = code::Vector<std::int64_t>({0, 1, 1, 0});
       }},
      {"_y", "labels of points", [](N& n) { n.state["_y"] = code::Zeros<double>({5}); }},
      {"_y", "class that is not there",
       [](N& n) {
         n.state["_y"] = code::Vector<std::int64_t>({0, 1, 2, 0, 1});
       }},
      {"_y", "class that is not there",
       [](N& n) {
         n.state["_y"] = code::Vector<std::int64_t>({0, 1, -1, 0, 1});
       }},
  };
  CHECK_LIES("STRUCT-NEIGHBOURS", N{}, lies);
}

TEST_CASE("struct: support vectors") {
  using M = Machine;
  const Lies<M> lies = {
      {"kernel", "no kernel", [](M& m) { m.state["kernel"] = code::Text("cosine"); }},
      {"_n_support", "of another type",
       [](M& m) {
         m.state["_n_support"] = code::Vector<std::int64_t>({1, 2});
       }},
      {"_n_support", "before the first",
       [](M& m) {
         m.state["_n_support"] = code::Vector<std::int32_t>({-1, 4});
       }},
      {"_n_support", "classes that are not there",
       [](M& m) { m.state["_n_support"] = code::Vector<std::int32_t>({3}); }},
      {"support_", "indices of support vectors",
       [](M& m) {
         m.state["_n_support"] = code::Vector<std::int32_t>({1, 3});
       }},
      {"support_", "indices of support vectors",
       [](M& m) {
         m.state["support_"] = code::Vector<std::int64_t>({0, 4, 9});
       }},
      {"support_", "columns of the kernel matrix",
       [](M& m) {
         m.state["support_"] = code::Vector<std::int32_t>({0, 4, 10});
       }},
      {"support_", "columns of the kernel matrix",
       [](M& m) {
         m.state["support_"] = code::Vector<std::int32_t>({0, -4, 9});
       }},
      {"shape_fit_", "number of samples", [](M& m) { m.state["shape_fit_"] = code::kNone; }},
      {"support_vectors_", "past their end",
       [](M& m) {
         m.state["support_vectors_"] = code::Zeros<double>({2, 2});
       }},
      {"support_vectors_", "past their end",
       [](M& m) {
         m.state["support_vectors_"] = code::Zeros<double>({3, 1});
       }},
      {"support_vectors_", "past their end",
       [](M& m) {
         m.state["support_vectors_"] = code::Zeros<float>({3, 2});
       }},
      {"support_vectors_", "past their end", [](M& m) { m.state["n_features_in_"] = Integer(3); }},
      {"support_vectors_", "past their end", [](M& m) { m.state["kernel"] = code::Text("precomputed"); }},
      {"._dual_coef_", "coefficients",
       [](M& m) {
         m.state["_dual_coef_"] = code::Zeros<double>({1, 2});
       }},
      {".dual_coef_", "coefficients",
       [](M& m) {
         m.state["dual_coef_"] = code::Zeros<double>({2, 3});
       }},
      {".intercept_", "intercepts", [](M& m) { m.state["intercept_"] = code::Zeros<double>({0}); }},
      {"._intercept_", "intercepts", [](M& m) { m.state["_intercept_"] = code::Zeros<double>({2}); }},
      {"_probA", "probabilities", [](M& m) { m.state["_probA"] = code::Zeros<double>({2}); }},
      {"_probB", "probabilities", [](M& m) { m.state["_probB"] = code::Zeros<float>({1}); }},
      {"classes_", "classes that are not there", [](M& m) { m.state["classes_"] = code::Zeros<std::int64_t>({1}); }},
      {"_sparse", "which code", [](M& m) { m.state["_sparse"] = Integer(0); }},
      {"support_vectors_", "past their end", [](M& m) { m.state["_sparse"] = code::kTrue; }},
  };
  CHECK_LIES("STRUCT-SVM", M{}, lies);
  const Lies<M> sparse = {
      {"support_vectors_", "past their end", [](M& m) { m.state["support_vectors_"] = Csr(2, 2); }},
      {"support_vectors_", "past their end", [](M& m) { m.state["support_vectors_"] = Csr(3, 3); }},
      {"._dual_coef_", "coefficients", [](M& m) { m.state["_dual_coef_"] = Csr(1, 2); }},
      {".dual_coef_", "coefficients",
       [](M& m) {
         m.state["dual_coef_"] = code::Zeros<double>({1, 3});
       }},
  };
  CHECK_LIES("STRUCT-SVM", SparseMachine(), sparse);
}

TEST_CASE("struct: neighbours and machines without one of their attributes") {
  CHECK(code::IsJudgedWithoutEach("STRUCT-NEIGHBOURS", Neighbours{}));
  CHECK(code::IsJudgedWithoutEach("STRUCT-SVM", Machine{}));
  CHECK(code::IsJudgedWithoutEach("STRUCT-SVM", SparseMachine()));
}

TEST_CASE("struct: machines without classes have two entries, each of them the number of vectors") {
  Machine machine{.name = "SVR"};
  machine.state["_n_support"] = code::Vector<std::int32_t>({3, 3});
  machine.state.erase("classes_");
  CHECK(code::Judge(machine.Code()).code == "ok");
  machine.state["_n_support"] = code::Vector<std::int32_t>({3});
  CHECK(code::Judge(machine.Code()).code == "STRUCT-SVM");
  machine.state["_n_support"] = code::Vector<std::int32_t>({4, 3});
  CHECK(code::Judge(machine.Code()).code == "STRUCT-SVM");
}

}  // namespace safemodel::pickle
