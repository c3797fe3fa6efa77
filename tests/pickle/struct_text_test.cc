// SPDX-License-Identifier: Apache-2.0
// STRUCT-VOCAB, STRUCT-ENCODER and STRUCT-RNG: one lie for each thing that is proven about numbers of columns, and
// about the state of random generators.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/structure_builder.h"

namespace safemodel::pickle {
namespace {

using code::Attributes;
using code::Integer;
using code::Lies;
using code::List;

using E = code::Estimator;

constexpr std::string_view kText = "sklearn.feature_extraction.text";

std::string Diagonal(std::int32_t size) {
  std::vector<std::int32_t> indices, pointers{0};
  for (std::int32_t i = 0; i < size; ++i) {
    indices.push_back(i);
    pointers.push_back(i + 1);
  }
  return code::Object("scipy.sparse._csr", "csr_matrix",
                      {{"_shape", code::Tuple({Integer(size), Integer(size)})},
                       {"data", code::Zeros<double>({static_cast<std::uint64_t>(size)})},
                       {"indices", code::Vector(indices)},
                       {"indptr", code::Vector(pointers)}});
}

std::string Words(const std::map<std::string, std::int64_t>& columns) {
  Attributes items;
  for (const auto& [word, column] : columns) items[word] = Integer(column);
  return code::Dict(items);
}

E Idf() {
  return {kText,
          "TfidfTransformer",
          {{"idf_", code::Zeros<double>({3})}, {"_idf_diag", Diagonal(3)}, {"n_features_in_", Integer(3)}}};
}

E Tfidf() {
  return {kText, "TfidfVectorizer", {{"vocabulary_", Words({{"a", 2}, {"b", 0}, {"c", 1}})}, {"_tfidf", Idf().Code()}}};
}

// OneHot knows three and two categories; of the first, the last two became one, and the second drops its first.
E OneHot() {
  return {"sklearn.preprocessing._encoders",
          "OneHotEncoder",
          {{"categories_", List({code::Vector<std::int64_t>({1, 2, 3}), code::Objects({2}, {code::Text("x"), "N"})})},
           {"n_features_in_", Integer(2)},
           {"_infrequent_indices", List({code::Vector<std::int64_t>({1, 2}), code::kNone})},
           {"_default_to_infrequent_mappings", List({code::Vector<std::int64_t>({0, 1, 1}), code::kNone})},
           {"drop_idx_", code::Objects({2}, {code::kNone, Integer(0)})},
           {"_n_features_outs", List({Integer(2), Integer(1)})}}};
}

E Ordinal() {
  return {"sklearn.preprocessing._encoders",
          "OrdinalEncoder",
          {{"categories_", List({code::Vector<double>({1, 2})})},
           {"n_features_in_", Integer(1)},
           {"_missing_indices", "(" + Integer(0) + Integer(1) + "d"}}};
}

E Target() {
  return {"sklearn.preprocessing._target_encoder",
          "TargetEncoder",
          {{"categories_", List({code::Vector<double>({1, 2})})},
           {"n_features_in_", Integer(1)},
           {"encodings_", List({code::Zeros<double>({2}), code::Zeros<double>({2}), code::Zeros<double>({2})})}}};
}

// Philox is a generator that holds four numbers and says which of them is next.
struct Philox {
  std::string buffer = code::Zeros<std::uint64_t>({4});
  std::string position = Integer(4);
  std::string has_uint32 = Integer(0);
  [[nodiscard]] std::string Code() const {
    const std::string bare = code::Call("numpy.random._pickle", "__bit_generator_ctor", {code::Text("Philox")});
    return code::Built(bare, code::Dict({{"bit_generator", code::Text("Philox")},
                                         {"state", code::Dict({{"counter", code::Zeros<std::uint64_t>({4})},
                                                               {"key", code::Zeros<std::uint64_t>({2})}})},
                                         {"buffer", buffer},
                                         {"buffer_pos", position},
                                         {"has_uint32", has_uint32},
                                         {"uinteger", Integer(0)}}));
  }
};

}  // namespace

TEST_CASE("struct: words, their columns and their weights") {
  const Lies<E> vectorizer = {
      {"vocabulary_", "no dict", [](E& e) { e.state["vocabulary_"] = List({}); }},
      {"vocabulary_", "outside the matrix",
       [](E& e) {
         e.state["vocabulary_"] = Words({{"a", 1}, {"b", 3}, {"c", 0}});
       }},
      {"vocabulary_", "fewer words",
       [](E& e) { e.state["vocabulary_"] = "(" + Integer(5) + Integer(0) + code::Text("a") + Integer(1) + "d"; }},
      {"vocabulary_", "fewer words",
       [](E& e) { e.state["vocabulary_"] = "(" + code::Text("a") + Integer(0) + code::Text("a") + Integer(1) + "d"; }},
      {"feature_names_", "names that are not there", [](E& e) { e.state["feature_names_"] = List({code::Text("a")}); }},
      {"idf_", "weights of columns",
       [](E& e) {
         e.state["vocabulary_"] = Words({{"a", 0}, {"b", 1}});
       }},
      {"_tfidf", "would come after", [](E& e) { e.state["_tfidf"] = code::Name(kText, "TfidfTransformer") + ")\x81"; }},
  };
  CHECK_LIES("STRUCT-VOCAB", Tfidf(), vectorizer);
  const Lies<E> weights = {
      {"idf_", "weights of columns", [](E& e) { e.state["idf_"] = code::Zeros<double>({2}); }},
      {"idf_", "weights of columns", [](E& e) { e.state["idf_"] = code::Zeros<std::int64_t>({3}); }},
      {"idf_", "weights of columns",
       [](E& e) {
         e.state["idf_"] = code::Zeros<double>({3, 1});
       }},
      {"_idf_diag", "another size", [](E& e) { e.state["_idf_diag"] = Diagonal(4); }},
      {"_idf_diag", "another size",
       [](E& e) {
         e.state["_idf_diag"] = code::Zeros<double>({3, 3});
       }},
  };
  CHECK_LIES("STRUCT-VOCAB", Idf(), weights);
  const E hasher{kText, "HashingVectorizer", {{"n_features", Integer(8)}}};
  const Lies<E> columns = {
      {"n_features", "divide by zero", [](E& e) { e.state["n_features"] = Integer(0); }},
      {"n_features", "divide by zero", [](E& e) { e.state["n_features"] = Integer(-1); }},
      {"n_features", "divide by zero", [](E& e) { e.state["n_features"] = Integer(std::int64_t{1} << 31); }},
      {"n_features", "divide by zero", [](E& e) { e.state.erase("n_features"); }},
  };
  CHECK_LIES("STRUCT-VOCAB", hasher, columns);
}

TEST_CASE("struct: categories and the columns they become") {
  const Lies<E> one_hot = {
      {"categories_", "features that are not there", [](E& e) { e.state["n_features_in_"] = Integer(3); }},
      {"categories_", "no vector",
       [](E& e) {
         e.state["categories_"] = List({Integer(3), Integer(2)});
       }},
      {"_infrequent_indices", "codes of features", [](E& e) { e.state["_infrequent_indices"] = List({code::kNone}); }},
      {"_infrequent_indices", "outside the matrix",
       [](E& e) {
         e.state["_infrequent_indices"] = List({code::Vector<std::int64_t>({3}), code::kNone});
       }},
      {"_default_to_infrequent_mappings", "codes of categories",
       [](E& e) {
         e.state["_default_to_infrequent_mappings"] = List({code::Vector<std::int64_t>({0, 1}), code::kNone});
       }},
      {"_default_to_infrequent_mappings", "outside the matrix",
       [](E& e) {
         e.state["_default_to_infrequent_mappings"] = List({code::Vector<std::int64_t>({0, 1, 3}), code::kNone});
       }},
      {"drop_idx_", "not there",
       [](E& e) {
         e.state["drop_idx_"] = code::Objects({2}, {code::kNone, Integer(2)});
       }},
      {"drop_idx_", "not there", [](E& e) { e.state["drop_idx_"] = code::Objects({1}, {code::kNone}); }},
      {"_n_features_outs", "outside the matrix",
       [](E& e) {
         e.state["_n_features_outs"] = List({Integer(3), Integer(1)});
       }},
      {"_n_features_outs", "outside the matrix",
       [](E& e) {
         e.state["_n_features_outs"] = List({Integer(2), Integer(2)});
       }},
      {"_n_features_outs", "outside the matrix", [](E& e) { e.state["_n_features_outs"] = List({Integer(2)}); }},
  };
  CHECK_LIES("STRUCT-ENCODER", OneHot(), one_hot);
  const Lies<E> ordinal = {
      {"_missing_indices", "other features",
       [](E& e) { e.state["_missing_indices"] = "(" + Integer(1) + Integer(0) + "d"; }},
      {"_missing_indices", "other features",
       [](E& e) { e.state["_missing_indices"] = "(" + Integer(0) + Integer(2) + "d"; }},
      {"_missing_indices", "other features", [](E& e) { e.state["_missing_indices"] = List({}); }},
  };
  CHECK_LIES("STRUCT-ENCODER", Ordinal(), ordinal);
  const Lies<E> target = {
      {"encodings_", "numbers of categories", [](E& e) { e.state["encodings_"] = List({code::Zeros<double>({1})}); }},
      {"encodings_", "numbers of categories", [](E& e) { e.state["encodings_"] = List({}); }},
  };
  CHECK_LIES("STRUCT-ENCODER", Target(), target);
}

TEST_CASE("struct: vectorizers and encoders without one of their attributes") {
  CHECK(code::IsJudgedWithoutEach("STRUCT-VOCAB", Tfidf()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-VOCAB", Idf()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-ENCODER", OneHot()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-ENCODER", Ordinal()));
  CHECK(code::IsJudgedWithoutEach("STRUCT-ENCODER", Target()));
}

TEST_CASE("struct: where a generator is in its numbers") {
  const Lies<Philox> lies = {
      {"", "outside its numbers", [](Philox& p) { p.position = Integer(5); }},
      {"", "outside its numbers", [](Philox& p) { p.position = Integer(-1); }},
      {"", "outside its numbers", [](Philox& p) { p.position = code::kNone; }},
      {"", "outside its numbers", [](Philox& p) { p.buffer = code::Zeros<std::uint64_t>({3}); }},
      {"", "outside its numbers", [](Philox& p) { p.buffer = code::Zeros<std::int64_t>({4}); }},
      {"", "outside its numbers", [](Philox& p) { p.has_uint32 = Integer(2); }},
  };
  CHECK_LIES("STRUCT-RNG", Philox{}, lies);
}

}  // namespace safemodel::pickle
