// SPDX-License-Identifier: Apache-2.0
// What SerializeDirectory refuses to write. That the reader refuses it too is tested by editing valid bytes, in
// directory_test.cc.
#include <doctest/doctest.h>

#include "container/fixture.h"

namespace safemodel::container {
namespace {

struct BadDirectory {
  const char* reason;
  Stage stage;
  const char* code;
  std::function<void(Directory&)> edit;
};

const std::vector<BadDirectory>& RowsOfTensors() {
  static const std::vector<BadDirectory> rows = {
      {"name empty", Stage::kMalformed, "bad_tensor_name", [](Directory& d) { d.tensors[0].name = ""; }},
      {"name with a control", Stage::kMalformed, "bad_tensor_name", [](Directory& d) { d.tensors[0].name = "\x1B"; }},
      {"name no UTF-8", Stage::kMalformed, "bad_tensor_name", [](Directory& d) { d.tensors[3].name = "\xFF"; }},
      {"name too long", Stage::kLimit, "long_tensor_name",
       [](Directory& d) { d.tensors[3].name = std::string(4097, 'z'); }},
      {"names unsorted", Stage::kMalformed, "tensor_order",
       [](Directory& d) { std::swap(d.tensors[0], d.tensors[1]); }},
      {"names equal", Stage::kMalformed, "tensor_order", [](Directory& d) { d.tensors[1].name = "a"; }},
      {"rank 65", Stage::kLimit, "high_rank",
       [](Directory& d) { d.tensors[0].shape.assign(65, 1), d.tensors[0].strides.assign(65, 1); }},
      {"one stride too few", Stage::kMalformed, "bad_strides", [](Directory& d) { d.tensors[1].strides.pop_back(); }},
      {"one stride too many", Stage::kMalformed, "bad_strides",
       [](Directory& d) { d.tensors[1].strides.push_back(1); }},
      {"negative stride", Stage::kMalformed, "bad_strides", [](Directory& d) { d.tensors[1].strides[0] = ~0ull; }},
      {"negative stride of a dimension of 1", Stage::kMalformed, "bad_strides",
       [](Directory& d) {
         d.tensors[1].shape = {1, 4}, d.tensors[1].strides = {~0ull, 2};
       }},
      {"storage outside", Stage::kMalformed, "storage_outside", [](Directory& d) { d.tensors[0].storage = 3; }},
      {"shape 2^32 x 2^32", Stage::kMalformed, "shape_overflow",
       [](Directory& d) {
         d.tensors[0].shape = {1ull << 32, 1ull << 32}, d.tensors[0].strides = {0, 0};
       }},
      {"shape 2^63 x 2", Stage::kMalformed, "shape_overflow",
       [](Directory& d) {
         d.tensors[0].shape = {1ull << 63, 2}, d.tensors[0].strides = {0, 0};
       }},
      {"an overflow beside a zero", Stage::kMalformed, "shape_overflow",
       [](Directory& d) {
         d.tensors[0].shape = {1ull << 32, 0, 1ull << 32}, d.tensors[0].strides = {0, 0, 0};
       }},
      {"element type outside", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.tensors[2].element_type = 2; }},
      {"element type of another kind", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.tensors[2].element_type = 0; }},
      {"packed and strided", Stage::kMalformed, "packed_strided",
       [](Directory& d) { d.tensors[1].dtype = Dtype::kF4E2M1; }},
      {"packed and expanded", Stage::kMalformed, "packed_strided",
       [](Directory& d) {
         d.tensors[0].dtype = Dtype::kF6E2M3, d.tensors[0].strides = {0, 0};
       }},
      {"unused storage", Stage::kMalformed, "unused_storage", [](Directory& d) { d.tensors[1].storage = 0; }},
  };
  return rows;
}

const std::vector<BadDirectory>& RowsOfTypes() {
  using Type = ElementType;
  static const std::vector<BadDirectory> rows = {
      {"plain kind", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[0].kind = Dtype::kF32; }},
      {"item size 0", Stage::kMalformed, "bad_element_type", [](Directory& d) { d.element_types[0].item_size = 0; }},
      {"text of 6 bytes", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[0].item_size = 6; }},
      {"time of 4 bytes", Stage::kMalformed, "bad_element_type",
       [](Directory& d) {
         d.element_types.push_back(Type{Dtype::kDatetime64, 4, "ns", {}});
       }},
      {"unit with a bracket", Stage::kMalformed, "bad_element_type",
       [](Directory& d) {
         d.element_types.push_back(Type{Dtype::kDatetime64, 8, "[ns]", {}});
       }},
      {"foreign without a name", Stage::kMalformed, "bad_tensor_name",
       [](Directory& d) {
         d.element_types.push_back(Type{Dtype::kForeign, 8, "", {}});
       }},
      {"detail where none belongs", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[0].detail = "x"; }},
      {"fields of no record", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[0].fields = d.element_types[1].fields; }},
      {"record without fields", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[1].fields.clear(); }},
      {"fields overlap", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[1].fields[1].offset = 7; }},
      {"fields repeat", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[1].fields[1].name = "id"; }},
      {"field name empty", Stage::kMalformed, "bad_tensor_name",
       [](Directory& d) { d.element_types[1].fields[1].name = ""; }},
      {"field leaves its record", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[1].fields[2].offset = 17; }},
      {"field starts behind its record", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[1].fields[2].offset = ~0u; }},
      {"subarray leaves its record", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[1].fields[2].shape = {3}; }},
      {"subarray wraps", Stage::kMalformed, "shape_overflow",
       [](Directory& d) {
         d.element_types[1].fields[2].shape = {1ull << 62, 8};
       }},
      {"subarray of rank 65", Stage::kLimit, "high_rank",
       [](Directory& d) { d.element_types[1].fields[2].shape.assign(65, 1); }},
      {"field of itself", Stage::kMalformed, "bad_element_type",
       [](Directory& d) {
         d.element_types[1].fields[1].dtype = Dtype::kRecord, d.element_types[1].fields[1].element_type = 1;
       }},
      {"field of a later type", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { std::swap(d.element_types[0], d.element_types[1]), d.tensors[2].element_type = 0; }},
      {"field of packed elements", Stage::kMalformed, "bad_element_type",
       [](Directory& d) { d.element_types[1].fields[0].dtype = Dtype::kF4E2M1; }},
      {"records nested too deep", Stage::kLimit, "deep_records",
       [](Directory& d) {
         for (std::uint32_t i = 1; i < 17; ++i)
           d.element_types.push_back(Type{Dtype::kRecord, 24, "", {{"in", Dtype::kRecord, i, 0, {}}}});
       }},
  };
  return rows;
}

const std::vector<BadDirectory>& RowsOfFiles() {
  static const std::vector<BadDirectory> rows = {
      {"path leaves the folder", Stage::kMalformed, "bad_path", [](Directory& d) { d.files[0].path = "../x"; }},
      {"path in .git", Stage::kUnsafe, "git_folder", [](Directory& d) { d.files[0].path = ".git/hooks/x"; }},
      {"two files of one path", Stage::kMalformed, "file_order",
       [](Directory& d) { d.files[1].path = d.files[0].path; }},
      {"paths unsorted", Stage::kMalformed, "file_order", [](Directory& d) { std::swap(d.files[0], d.files[1]); }},
      {"paths differ in case", Stage::kMalformed, "paths_meet",
       [](Directory& d) { d.files[0].path = "Docs/README.txt"; }},
      {"one the folder of the other", Stage::kMalformed, "paths_meet", [](Directory& d) { d.files[0].path = "docs"; }},
      {"media type with a control", Stage::kMalformed, "bad_text",
       [](Directory& d) { d.files[0].media_type = "a\r\nb"; }},
      {"metadata unsorted", Stage::kMalformed, "metadata_order",
       [](Directory& d) {
         d.metadata = {{"b", ""}, {"a", ""}};
       }},
      {"no tree", Stage::kMalformed, "no_root", [](Directory& d) { d.tree = {}; }},
  };
  return rows;
}

void CheckWriterRefuses(const std::vector<BadDirectory>& rows) {
  for (const BadDirectory& row : rows) {
    CAPTURE(std::string(row.reason));
    Directory directory = FixtureDirectory();
    row.edit(directory);
    CheckRefused(SerializeDirectory(directory), row.stage, row.code);
  }
}

}  // namespace

TEST_CASE("directory: the writer refuses bad tensors") { CheckWriterRefuses(RowsOfTensors()); }
TEST_CASE("directory: the writer refuses bad element types") { CheckWriterRefuses(RowsOfTypes()); }
TEST_CASE("directory: the writer refuses bad files, metadata and trees") { CheckWriterRefuses(RowsOfFiles()); }

}  // namespace safemodel::container
