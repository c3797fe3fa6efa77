// SPDX-License-Identifier: Apache-2.0
// STRUCT-SPARSE and STRUCT-SPLINE: one lie for each thing that is proven about sparse matrices, knots and bins.
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/structure_builder.h"

namespace safemodel::pickle {
namespace {

using code::Attributes;
using code::Integer;
using code::List;
using code::Sizes;

using code::Lies;

std::string Indices(const std::vector<std::int32_t>& numbers) { return code::Vector(numbers); }

// Matrix is a matrix of one of scipy's formats by its attributes.
struct Matrix {
  std::string_view module;
  std::string_view name;
  Attributes state;
  std::string items = {};  // set on it

  [[nodiscard]] std::string Code() const {
    return code::Name(module, name) + ")\x81" + items + code::Dict(state) + "b";
  }
};
using M = Matrix;

M Coo() {
  return {"scipy.sparse._coo",
          "coo_array",
          {{"_shape", Sizes({2, 3})},
           {"data", code::Zeros<double>({2})},
           {"coords", code::Tuple({Indices({0, 1}), Indices({2, 0})})}}};
}

M Bsr() {
  return {"scipy.sparse._bsr",
          "bsr_matrix",
          {{"_shape", Sizes({4, 6})},
           {"data", code::Zeros<double>({2, 2, 3})},
           {"indices", Indices({0, 1})},
           {"indptr", Indices({0, 1, 2})}}};
}

M Dia() {
  return {"scipy.sparse._dia",
          "dia_matrix",
          {{"_shape", Sizes({3, 3})}, {"data", code::Zeros<double>({2, 3})}, {"offsets", Indices({0, -1})}}};
}

M Lil() {
  return {"scipy.sparse._lil",
          "lil_matrix",
          {{"_shape", Sizes({2, 3})},
           {"rows", code::Objects({2}, {List({Integer(0), Integer(2)}), List({})})},
           {"data", code::Objects({2}, {List({Integer(5), Integer(6)}), List({})})}}};
}

std::string Key(std::int64_t row, std::int64_t column) {
  return code::Tuple({Integer(row), Integer(column)}) + Integer(1) + "s";
}

M Dok() { return {"scipy.sparse._dok", "dok_matrix", {{"_shape", Sizes({2, 3})}}, Key(1, 2)}; }

M Csc() {
  return {"scipy.sparse._csc",
          "csc_matrix",
          {{"_shape", Sizes({2, 3})},
           {"data", code::Zeros<double>({3})},
           {"indices", Indices({0, 1, 1})},
           {"indptr", Indices({0, 1, 2, 3})}}};
}

// Spline is a BSpline of degree 1 with four coefficients.
struct Spline {
  Attributes state = {
      {"k", Integer(1)}, {"_t", code::Vector<double>({0, 0, 1, 2, 3, 3})}, {"_c", code::Zeros<double>({4, 4})}};
  [[nodiscard]] std::string Code() const { return code::Object("scipy.interpolate._bsplines", "BSpline", state); }
};

struct Transformer {
  Attributes state = {{"bsplines_", List({Spline{}.Code(), Spline{}.Code()})},
                      {"n_features_in_", Integer(2)},
                      {"degree", Integer(1)},
                      {"include_bias", code::kFalse},
                      {"n_features_out_", Integer(6)}};
  [[nodiscard]] std::string Code() const {
    return code::Object("sklearn.preprocessing._polynomial", "SplineTransformer", state);
  }
};

struct Bins {
  Attributes state = {
      {"bin_edges_", code::Objects({2}, {code::Vector<double>({0, 1, 2}), code::Vector<double>({0, 1})})},
      {"n_bins_", code::Vector<std::int64_t>({2, 1})},
      {"n_features_in_", Integer(2)}};
  [[nodiscard]] std::string Code() const {
    return code::Object("sklearn.preprocessing._discretization", "KBinsDiscretizer", state);
  }
};

}  // namespace

TEST_CASE("struct: sparse matrices by coordinates") {
  const Lies<M> lies = {
      {"_shape", "no shape", [](M& m) { m.state["_shape"] = List({}); }},
      {"data", "another type or shape",
       [](M& m) {
         m.state["data"] = code::Zeros<double>({2, 1});
       }},
      {"coords", "dimension",
       [](M& m) {
         m.state["coords"] = code::Tuple({Indices({0, 1})});
       }},
      {"coords", "outside the matrix",
       [](M& m) {
         m.state["coords"] = code::Tuple({Indices({0, 2}), Indices({2, 0})});
       }},
      {"coords", "outside the matrix",
       [](M& m) {
         m.state["coords"] = code::Tuple({Indices({0, 1}), Indices({-1, 0})});
       }},
      {"coords", "outside the matrix",
       [](M& m) {
         m.state["coords"] = code::Tuple({Indices({0, 1}), Indices({2})});
       }},
      {"coords", "another type or shape",
       [](M& m) {
         m.state["coords"] = code::Tuple({code::Zeros<double>({2}), Indices({2, 0})});
       }},
      // Both spellings count.
      {"coords", "outside the matrix",
       [](M& m) {
         m.state.insert({{"row", Indices({0, 1})}, {"col", Indices({3, 0})}});
       }},
  };
  CHECK_LIES("STRUCT-SPARSE", Coo(), lies);
}

TEST_CASE("struct: sparse matrices by columns, blocks and diagonals") {
  const Lies<M> columns = {
      {"_shape", "dimension", [](M& m) { m.state["_shape"] = Sizes({3}); }},
      {"indices", "outside the vectors",
       [](M& m) {
         m.state["indices"] = Indices({0, 1, 2});
       }},
      {"indptr", "outside the elements",
       [](M& m) {
         m.state["indptr"] = Indices({0, 1, 3});
       }},
  };
  CHECK_LIES("STRUCT-SPARSE", Csc(), columns);
  const Lies<M> blocks = {
      {"data", "over its edge",
       [](M& m) {
         m.state["_shape"] = Sizes({5, 6});
       }},
      {"data", "over its edge",
       [](M& m) {
         m.state["data"] = code::Zeros<double>({2, 0, 3});
       }},
      {"indices", "outside the vectors",
       [](M& m) {
         m.state["indices"] = Indices({0, 2});
       }},
      {"indices", "outside the vectors", [](M& m) { m.state["indices"] = Indices({0}); }},
      {"indptr", "outside the elements",
       [](M& m) {
         m.state["indptr"] = Indices({0, 1, 3});
       }},
  };
  CHECK_LIES("STRUCT-SPARSE", Bsr(), blocks);
  const Lies<M> diagonals = {
      {"offsets", "outside the diagonals", [](M& m) { m.state["offsets"] = Indices({0}); }},
      {"offsets", "outside the diagonals",
       [](M& m) {
         m.state["offsets"] = Indices({0, std::numeric_limits<std::int32_t>::min()});
       }},
      {"offsets", "outside the diagonals",
       [](M& m) {
         m.state["offsets"] = Indices({0, std::numeric_limits<std::int32_t>::max()});
       }},
      {"offsets", "outside the diagonals",
       [](M& m) {
         m.state["_shape"] = Sizes({3, std::uint64_t{1} << 32});
       }},
  };
  CHECK_LIES("STRUCT-SPARSE", Dia(), diagonals);
}

TEST_CASE("struct: sparse matrices of lists and of keys") {
  const Lies<M> lists = {
      {"_shape", "dimension", [](M& m) { m.state["_shape"] = Sizes({2}); }},
      {"rows", "another number",
       [](M& m) {
         m.state["_shape"] = Sizes({3, 3});
       }},
      {"data", "elements",
       [](M& m) {
         m.state["data"] = code::Objects({2}, {List({Integer(5)}), List({})});
       }},
      {"rows", "outside the matrix",
       [](M& m) {
         m.state["rows"] = code::Objects({2}, {List({Integer(0), Integer(3)}), List({})});
       }},
      {"rows", "outside the matrix",
       [](M& m) {
         m.state["rows"] = code::Objects({2}, {List({Integer(2), Integer(0)}), List({})});
       }},
      {"rows", "outside the matrix",
       [](M& m) {
         m.state["rows"] = code::Objects({2}, {List({Integer(-1), Integer(0)}), List({})});
       }},
  };
  CHECK_LIES("STRUCT-SPARSE", Lil(), lists);
  const Lies<M> keys = {
      {"_dict", "outside the matrix", [](M& m) { m.items += Key(2, 0); }},
      {"_dict", "outside the matrix", [](M& m) { m.items += Key(0, 3); }},
      {"_dict", "outside the matrix", [](M& m) { m.items += Key(-1, 0); }},
      {"_dict", "outside the matrix", [](M& m) { m.items += Integer(0) + Integer(1) + "s"; }},
      {"_dict", "outside the matrix",
       [](M& m) { m.state["_dict"] = "(" + Key(2, 0).substr(0, Key(2, 0).size() - 1) + "d"; }},
  };
  CHECK_LIES("STRUCT-SPARSE", Dok(), keys);
}

TEST_CASE("struct: splines") {
  const Lies<Spline> lies = {
      {"k", "degree", [](Spline& s) { s.state["k"] = Integer(-1); }},
      {"k", "degree", [](Spline& s) { s.state["k"] = Integer(1025); }},
      {"_t", "knots of a spline",
       [](Spline& s) {
         s.state["_t"] = code::Vector<double>({0, 1, 2});
       }},
      {"_t", "knots of a spline", [](Spline& s) { s.state["_t"] = code::Zeros<float>({6}); }},
      {"_t", "do not ascend",
       [](Spline& s) {
         s.state["_t"] = code::Vector<double>({0, 0, 2, 1, 3, 3});
       }},
      {"_t", "do not ascend",
       [](Spline& s) {
         s.state["_t"] = code::Vector<double>({0, 0, 1, 2, 3, std::numeric_limits<double>::infinity()});
       }},
      {"_t", "do not ascend",
       [](Spline& s) {
         s.state["_t"] = code::Vector<double>({0, 0, 1, std::numeric_limits<double>::quiet_NaN(), 3, 3});
       }},
      {"_c", "coefficients of a spline",
       [](Spline& s) {
         s.state["_c"] = code::Zeros<double>({3, 4});
       }},
      {"_c", "coefficients of a spline",
       [](Spline& s) {
         s.state["_c"] = code::Zeros<float>({4, 4});
       }},
      // Both spellings count.
      {".t", "knots of a spline", [](Spline& s) { s.state["t"] = code::kNone; }},
  };
  CHECK_LIES("STRUCT-SPLINE", Spline{}, lies);
  using T = Transformer;
  const Lies<T> transformer = {
      {"bsplines_", "more splines", [](T& t) { t.state["n_features_in_"] = Integer(1); }},
      {"bsplines_", "another size", [](T& t) { t.state["degree"] = Integer(2); }},
      {"bsplines_", "another size",
       [](T& t) {
         t.state["bsplines_"] = List({Spline{}.Code(), "N"});
       }},
      {"n_features_out_", "another size", [](T& t) { t.state["n_features_out_"] = Integer(5); }},
      {"n_features_out_", "another size", [](T& t) { t.state["include_bias"] = code::kTrue; }},
  };
  CHECK_LIES("STRUCT-SPLINE", T{}, transformer);
}

TEST_CASE("struct: matrices, splines and bins without one of their attributes") {
  for (const M& matrix : {Coo(), Bsr(), Dia(), Lil(), Dok(), Csc()}) {
    CAPTURE(matrix.name);
    CHECK(code::IsJudgedWithoutEach("STRUCT-SPARSE", matrix));
  }
  CHECK(code::IsJudgedWithoutEach("STRUCT-SPLINE", Spline{}));
  CHECK(code::IsJudgedWithoutEach("STRUCT-SPLINE", Transformer{}));
  CHECK(code::IsJudgedWithoutEach("STRUCT-SPLINE", Bins{}));
}

TEST_CASE("struct: bins and their edges") {
  const Lies<Bins> lies = {
      {"n_bins_", "more features", [](Bins& b) { b.state["n_features_in_"] = Integer(3); }},
      {"n_bins_", "fewer columns",
       [](Bins& b) {
         b.state["n_bins_"] = code::Vector<std::int64_t>({2, 0});
       }},
      {"bin_edges_", "more features",
       [](Bins& b) {
         b.state["bin_edges_"] = code::Objects({1}, {code::Vector<double>({0, 1, 2})});
       }},
      {"bin_edges_", "another number",
       [](Bins& b) {
         b.state["n_bins_"] = code::Vector<std::int64_t>({3, 1});
       }},
      {"bin_edges_", "do not ascend",
       [](Bins& b) {
         b.state["bin_edges_"] = code::Objects({2}, {code::Vector<double>({0, 2, 1}), code::Vector<double>({0, 1})});
       }},
  };
  CHECK_LIES("STRUCT-SPLINE", Bins{}, lies);
}

}  // namespace safemodel::pickle
