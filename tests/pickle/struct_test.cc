// SPDX-License-Identifier: Apache-2.0
// Proofs of structures on objects written by hand, so that single numbers can lie. tests/interop changes those that the
// real libraries write.
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/assemble.h"

namespace safemodel::pickle {
namespace {

using P = Program;
using Numbers = std::vector<std::int32_t>;

// Vector is a numpy array of i4 with one dimension.
std::string Vector(const Numbers& numbers) {
  P data;
  for (const std::int32_t number : numbers) data.Number(static_cast<std::uint32_t>(number), 4);
  const std::string dtype = P().Global("numpy", "dtype")
                                .Ops("(")
                                .Str("i4")
                                .Raw("I00\nI01\ntR(I3\n")
                                .Str("<")
                                .Raw("NNNI-1\nI-1\nI0\ntb")
                                .bytes();
  return P()
      .Global("numpy.core.multiarray", "_reconstruct")
      .Ops("(")
      .Global("numpy", "ndarray")
      .Raw("I0\n\x85")
      .Bytes("b")
      .Raw("tR(I1\n")
      .Int(static_cast<std::int32_t>(numbers.size()))
      .Raw("\x85" + dtype + "I00\n")
      .Bytes(data.bytes())
      .Ops("tb")
      .bytes();
}

// Matrix is a csr_matrix of two rows and three columns.
struct Matrix {
  Numbers pointers{0, 1, 3};
  Numbers indices{0, 1, 2};
  Numbers data{7, 8, 9};
  std::string shape = "K\x02K\x03\x86";
  std::string also = {};  // more of its state

  [[nodiscard]] std::string Code() const {
    const std::string state = P().Ops("}(")
                                  .Str("_shape")
                                  .Raw(shape)
                                  .Str("maxprint")
                                  .Ops("K")
                                  .U8(50)
                                  .Str("indptr")
                                  .Raw(Vector(pointers))
                                  .Str("indices")
                                  .Raw(Vector(indices))
                                  .Str("data")
                                  .Raw(Vector(data))
                                  .Raw(also)
                                  .Ops("ub")
                                  .bytes();
    return RunBytes(P(3).Global("scipy.sparse._csr", "csr_matrix").Ops(")").Op(Opcode::kNewObj).Raw(state).Stop())
        ->code();
  }
};

// Vectorizer is a CountVectorizer with these words and their columns.
std::string Vectorizer(const std::vector<std::pair<std::string_view, int>>& words) {
  P vocabulary = P().Ops("}(");
  for (const auto& [word, column] : words) vocabulary.Str(word).Int(column);
  return RunBytes(P(3).Global("sklearn.feature_extraction.text", "CountVectorizer")
                      .Ops(")")
                      .Op(Opcode::kNewObj)
                      .Ops("}(")
                      .Str("vocabulary_")
                      .Raw(vocabulary.Ops("u").bytes())
                      .Ops("ub")
                      .Stop())
      ->code();
}

}  // namespace

TEST_CASE("struct: a sparse matrix whose parts fit together") {
  CHECK(Matrix{}.Code() == "ok");
  CHECK(Matrix{.pointers = {0, 0, 3}}.Code() == "ok");
  CHECK(Matrix{.pointers = {0, 0, 0}, .indices = {}, .data = {}}.Code() == "ok");
}

TEST_CASE("struct: a sparse matrix that leads out of its arrays") {
  CHECK(Matrix{.pointers = {0, 1, 4}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.pointers = {0, 2, 1}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.pointers = {1, 1, 3}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.pointers = {0, -1, 3}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.pointers = {0, 3}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.pointers = {0, 1, 2, 3}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.indices = {0, 1, 3}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.indices = {0, -1, 2}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.indices = {0, 1}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.data = {7, 8}}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.shape = "K\x02K\x02\x86"}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.shape = "K\x03K\x03\x86"}.Code() == "STRUCT-SPARSE");
  CHECK(Matrix{.shape = "K\x02\x85"}.Code() == "STRUCT-SPARSE");
  // The value that counts is the last one.
  CHECK(Matrix{.also = P().Str("indices").Raw(Vector({0, 1, 9})).bytes()}.Code() == "STRUCT-SPARSE");
}

TEST_CASE("struct: the numbers of a vocabulary are its columns") {
  CHECK(Vectorizer({{"a", 0}, {"b", 1}, {"c", 2}}) == "ok");
  CHECK(Vectorizer({{"a", 2}, {"b", 0}, {"c", 1}}) == "ok");
  CHECK(Vectorizer({{"a", 0}, {"b", 3}, {"c", 2}}) == "STRUCT-VOCAB");
  CHECK(Vectorizer({{"a", 0}, {"b", 0}, {"c", 2}}) == "STRUCT-VOCAB");
  CHECK(Vectorizer({{"a", -1}, {"b", 0}, {"c", 1}}) == "STRUCT-VOCAB");
  CHECK(Vectorizer({{"a", 0}, {"b", 1 << 30}}) == "STRUCT-VOCAB");
}

}  // namespace safemodel::pickle
