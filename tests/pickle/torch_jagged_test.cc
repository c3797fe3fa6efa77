// SPDX-License-Identifier: Apache-2.0
// Jagged tensors of PyTorch: one lie for each thing that its kernels would trust. tests/interop has those that PyTorch
// writes.
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "pickle/torch_builder.h"

namespace safemodel::pickle {
namespace {

// Jagged is two rows, of two and of four, of three numbers each.
struct Jagged {
  Part values = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, {6, 3}};
  Part offsets = {{0, 2, 6}, {3}};
  Part lengths = {};  // none
  std::int32_t ragged = 1;
  Sizes shortest = {2, 0};  // a number is written as a tensor with as many rows and no columns
  Sizes longest = {4, 0};
  const char* type = "NestedTensor";
  std::string also = {};  // more of the state
  // What the state says again, as opcodes: each is in the memo.
  std::int32_t ragged_again = 1;
  const char* values_again = "h\1";
  const char* offsets_again = "h\2";
  const char* lengths_again = "h\3";
  const char* cache_again = "h\4";

  [[nodiscard]] std::string Code() const;
};

File& Keep(File& file, const char* memo) {
  file.program().Ops("q").Raw(memo);
  return file;
}

std::string Jagged::Code() const {
  File file;
  Program& program = file.program();
  program.Global("torch._tensor", "_rebuild_from_type_v2").Ops("(");
  program.Global("torch.nested._internal.nested_tensor", "_rebuild_njt");
  program.Global("torch.nested._internal.nested_tensor", type).Ops("}(").Str("values");
  Keep(file.Tensor(values), "\1").program().Str("offsets");
  Keep(file.Tensor(offsets), "\2").program().Str("lengths");
  if (lengths.shape.empty()) program.Ops("N");
  if (!lengths.shape.empty()) file.Tensor(lengths);
  Keep(file, "\3").program().Str("_ragged_idx").Int(ragged).Str("_metadata_cache").Ops("}(").Str("min_seqlen");
  file.Tensor({{}, shortest}).program().Str("max_seqlen");
  file.Tensor({{}, longest}).program().Ops("u");
  Keep(file, "\4").program().Str("requires_grad").Op(Opcode::kNewFalse).Ops("u\x85}(");
  program.Str("_values").Raw(values_again).Str("_offsets").Raw(offsets_again).Str("_lengths").Raw(lengths_again);
  program.Str("_ragged_idx").Int(ragged_again).Str("_metadata_cache").Raw(cache_again).Raw(also).Ops("utR");
  return file.Code();
}

}  // namespace

TEST_CASE("jagged: rows inside their values") {
  CHECK(Jagged{}.Code() == "ok");
  CHECK(Jagged{.lengths = {{1, 3}, {2}}, .shortest = {1, 0}}.Code() == "ok");
  CHECK(Jagged{.offsets = {{0, 2, 6}, {3}, "IntStorage"}}.Code() == "ok");
  CHECK(Jagged{.shortest = {1, 0}, .longest = {9, 0}}.Code() == "ok");  // estimates
  CHECK(Jagged{.offsets = {{1, 2, 6}, {3}}, .lengths = {{1, 3}, {2}}, .shortest = {0, 0}}.Code() == "ok");
  // The notes of the compiler, as protocol 2 spells them.
  const std::string marks =
      Program().Str("_dynamo_static_indices").Global("__builtin__", "set").Ops("(](K\1etR").bytes();
  CHECK(Jagged{.also = marks}.Code() == "ok");
}

TEST_CASE("jagged: rows that lead out of them") {
  const std::pair<const char*, Jagged> rows[] = {
      {"an offset beyond", {.offsets = {{0, 2, 7}, {3}}}},
      {"offsets that fall", {.offsets = {{0, 7, 6}, {3}}}},
      {"offsets that fall behind", {.offsets = {{0, 5, 4}, {3}}}},
      {"a negative offset", {.offsets = {{0, -2, 6}, {3}}}},
      {"a first offset that is not 0", {.offsets = {{1, 2, 6}, {3}}, .shortest = {1, 0}}},
      {"no offset", {.offsets = {{}, {0}}}},
      {"offsets of rank 2", {.offsets = {{0, 2, 6}, {3, 1}}}},
      {"offsets of another type", {.offsets = {{0, 2, 6}, {3}, "CharStorage"}}},
      {"a length beyond", {.lengths = {{3, 3}, {2}}, .shortest = {1, 0}}},
      {"a negative length", {.lengths = {{-1, 3}, {2}}, .shortest = {0, 0}}},
      {"fewer lengths", {.lengths = {{2}, {1}}}},
      {"a dimension that is not there", {.ragged = 3, .ragged_again = 3}},
      {"a dimension that is too small", {.ragged = 2, .ragged_again = 2}},
      {"a longest row that is shorter", {.longest = {3, 0}}},
      {"a shortest row that is longer", {.shortest = {3, 0}}},
      {"a longest row of another shape", {.longest = {0}}},
      {"other values as attribute", {.values_again = "h\2"}},
      {"other offsets as attribute", {.offsets_again = "h\1"}},
      {"lengths as attribute alone", {.lengths_again = "h\2"}},
      {"lengths that no attribute has", {.lengths = {{2, 4}, {2}}, .lengths_again = "N"}},
      {"another cache as attribute", {.cache_again = "}"}},
      {"another dimension as attribute", {.ragged_again = 2}},
  };
  for (const auto& row : rows) {
    const std::string why = row.first;
    CAPTURE(why);
    CHECK(row.second.Code() == "MEM-NESTED");
  }
}

TEST_CASE("jagged: what else is made of it is refused") {
  CHECK(Jagged{.type = "ViewBufferFromNested"}.Code() != "ok");
  CHECK(Jagged{.ragged = 0, .ragged_again = 0}.Code() == "CALL-ARGS");
  // A set is plain data only when what is in it is.
  const std::string type = Program()
                               .Str("_dynamo_static_indices")
                               .Global("__builtin__", "set")
                               .Ops("(](")
                               .Global("collections", "OrderedDict")
                               .Ops("etR")
                               .bytes();
  CHECK(Jagged{.also = type}.Code() == "CALL-ARGS");
  const std::string call = Program().Str("hook").Global("posix", "system").bytes();
  CHECK(Jagged{.also = call}.Code() == "GLOBAL-DANGEROUS");
}

}  // namespace safemodel::pickle
