// SPDX-License-Identifier: Apache-2.0
// STRUCT-PANDAS: one lie for each thing that is proven about arrays, labels and blocks of columns.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/structure_builder.h"

namespace safemodel::pickle {
namespace {

using code::Attributes;
using code::Integer;
using code::List;
using code::Tuple;

using code::Lies;

std::string Index(std::string_view name, const Attributes& data) {
  return code::Call("pandas.core.indexes.base", "_new_Index", {code::Name("pandas", name), code::Dict(data)});
}
std::string Labels(const std::vector<std::string>& labels) {
  code::Values items;
  for (const std::string& label : labels) items.push_back(code::Text(label));
  return Index("Index", {{"data", code::Objects({items.size()}, items)}, {"name", code::kNone}});
}
std::string Range(std::int64_t start, std::int64_t stop, std::int64_t step) {
  return Index("RangeIndex", {{"start", Integer(start)}, {"stop", Integer(stop)}, {"step", Integer(step)}});
}
std::string Slice(std::int64_t start, std::int64_t stop, std::int64_t step) {
  return code::Call("builtins", "slice", {Integer(start), Integer(stop), Integer(step)});
}

// Block is some columns of a table.
struct Block {
  std::string values;
  std::string places;
  std::int64_t dimensions = 2;
  [[nodiscard]] std::string Code() const {
    return code::Call("pandas._libs.internals", "_unpickle_block", {values, places, Integer(dimensions)});
  }
};

std::string Numbers(std::uint64_t columns) { return code::Zeros<double>({columns, 4}); }

// Table has three columns in two blocks, and four rows.
struct Table {
  std::vector<Block> blocks = {{Numbers(2), Slice(0, 4, 2)}, {Numbers(1), code::Vector<std::int64_t>({1})}};
  std::string columns = Labels({"a", "b", "c"});
  std::string rows = Range(0, 8, 2);
  [[nodiscard]] std::string Code() const {
    code::Values items;
    for (const Block& block : blocks) items.push_back(block.Code());
    return code::Call("pandas.core.internals.managers", "BlockManager", {Tuple(items), List({columns, rows})});
  }
};

// Series is one column by the state that its manager gets.
struct Series {
  std::string values = code::Zeros<double>({4});
  std::string places = Slice(0, 4, 1);
  std::string index = Range(0, 4, 1);
  [[nodiscard]] std::string Code() const {
    const std::string block = code::Dict({{"values", values}, {"mgr_locs", places}});
    const std::string inner = code::Dict({{"axes", List({index})}, {"blocks", List({block})}});
    return code::Built(code::Name("pandas.core.internals.managers", "SingleBlockManager") + ")\x81",
                       Tuple({List({index}), List({values}), List({index}), code::Dict({{"0.14.1", inner}})}));
  }
};

// Categorical is an array of codes.
struct Categorical {
  std::string codes = code::Vector<std::int64_t>({0, 1, -1});
  std::string categories = Labels({"x", "y"});
  [[nodiscard]] std::string Code() const {
    const std::string bare = code::Call("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked",
                                        {code::Name("pandas", "Categorical"), Integer(1), code::kNone});
    return code::Built(bare, Tuple({code::Object("pandas", "CategoricalDtype", {{"categories", categories}}), codes}));
  }
};

struct Masked {
  std::string data = code::Zeros<std::int64_t>({3});
  std::string mask = code::ArrayOf(code::Dtype("b1"), {3}, Program().Bytes(std::string(3, '\0')).bytes());
  [[nodiscard]] std::string Code() const {
    return code::Object("pandas.arrays", "IntegerArray", {{"_data", data}, {"_mask", mask}});
  }
};

struct Sparse {
  std::int64_t length = 5;
  std::string indices = code::Vector<std::int32_t>({0, 4});
  std::string values = code::Zeros<double>({2});
  [[nodiscard]] std::string Code() const {
    return code::Object("pandas.arrays", "SparseArray",
                        {{"_sparse_index", code::Call("pandas._libs.sparse", "IntIndex", {Integer(length), indices})},
                         {"_sparse_values", values},
                         {"_dtype", code::kNone}});
  }
};

// Levels is an index of two levels.
struct Levels {
  std::string levels = List({Labels({"x", "y"}), Labels({"z"})});
  std::string codes = List({code::Vector<std::int64_t>({0, 1}), code::Vector<std::int64_t>({0, -1})});
  [[nodiscard]] std::string Code() const { return Index("MultiIndex", {{"levels", levels}, {"codes", codes}}); }
};

}  // namespace

TEST_CASE("struct: blocks of columns fill a table") {
  const Lies<Table> lies = {
      {"blocks", "outside its table", [](Table& t) { t.blocks[1].places = code::Vector<std::int64_t>({2}); }},
      {"blocks", "outside its table", [](Table& t) { t.blocks[1].places = code::Vector<std::int64_t>({3}); }},
      {"blocks", "outside its table", [](Table& t) { t.blocks[1].places = code::Vector<std::int64_t>({-1}); }},
      {"blocks", "outside its table", [](Table& t) { t.blocks[0].places = Slice(1, 5, 2); }},
      {"blocks", "have none", [](Table& t) { t.blocks.pop_back(); }},
      {"blocks", "have none",
       [](Table& t) {
         t.columns = Labels({"a", "b"});
       }},
      {"blocks", "have none",
       [](Table& t) {
         t.columns = Labels({"a", "b", "c", "d"});
       }},
      {"blocks", "rows of a block", [](Table& t) { t.rows = Range(0, 10, 2); }},
      {"axes", "not known", [](Table& t) { t.rows = Integer(4); }},
      {"data", "not known", [](Table& t) { t.rows = Range(0, 8, 0); }},
      {"data", "not known",
       [](Table& t) {
         t.columns = Index("Index", {{"data", code::kNone}});
       }},
      {"values", "not there", [](Table& t) { t.blocks[0].values = Numbers(3); }},
      {"values", "not there", [](Table& t) { t.blocks[0].dimensions = 1; }},
      {"values", "not there", [](Table& t) { t.blocks[0].values = code::Zeros<double>({8}); }},
      {"mgr_locs", "no number of columns", [](Table& t) { t.blocks[0].places = Slice(-3, 4, 2); }},
      {"mgr_locs", "no number of columns", [](Table& t) { t.blocks[1].places = code::Zeros<double>({1}); }},
  };
  CHECK_LIES("STRUCT-PANDAS", Table{}, lies);
}

TEST_CASE("struct: a series and its one block") {
  const Lies<Series> lies = {
      {"blocks", "rows of a block", [](Series& s) { s.values = code::Zeros<double>({3}); }},
      {"blocks", "have none", [](Series& s) { s.places = Slice(0, 3, 1); }},
      {"blocks", "outside its table", [](Series& s) { s.places = Slice(1, 5, 1); }},
      {"axes", "not known", [](Series& s) { s.index = Integer(4); }},
  };
  CHECK_LIES("STRUCT-PANDAS", Series{}, lies);
}

TEST_CASE("struct: codes stand for categories that are there") {
  const Lies<Categorical> codes = {
      {"_codes", "not there",
       [](Categorical& c) {
         c.codes = code::Vector<std::int64_t>({0, 2});
       }},
      {"_codes", "not there",
       [](Categorical& c) {
         c.codes = code::Vector<std::int64_t>({0, -2});
       }},
      {"_codes", "no codes", [](Categorical& c) { c.codes = code::Zeros<double>({2}); }},
      {"_codes", "no codes", [](Categorical& c) { c.categories = code::kNone; }},
      {"_ndarray", "no array", [](Categorical& c) { c.codes = Integer(0); }},
  };
  CHECK_LIES("STRUCT-PANDAS", Categorical{}, codes);
  const Lies<Levels> levels = {
      {"codes", "not there",
       [](Levels& l) {
         l.codes = List({code::Vector<std::int64_t>({0, 2}), code::Vector<std::int64_t>({0, 0})});
       }},
      {"codes", "levels that are not there",
       [](Levels& l) {
         l.codes = List({code::Vector<std::int64_t>({0, 1}), code::Vector<std::int64_t>({0})});
       }},
      {"codes", "levels that are not there",
       [](Levels& l) {
         l.codes = List({code::Vector<std::int64_t>({0, 1})});
       }},
      {"codes", "no codes",
       [](Levels& l) {
         l.levels = List({Labels({"x", "y"}), Integer(1)});
       }},
  };
  CHECK_LIES("STRUCT-PANDAS", Levels{}, levels);
}

TEST_CASE("struct: arrays of pandas itself") {
  const Lies<Masked> masked = {
      {"_mask", "past its end", [](Masked& m) { m.data = code::Zeros<std::int64_t>({4}); }},
      {"_mask", "past its end", [](Masked& m) { m.mask = code::Zeros<std::uint8_t>({3}); }},
      {"_mask", "past its end",
       [](Masked& m) {
         m.data = code::Zeros<std::int64_t>({3, 1});
       }},
  };
  CHECK_LIES("STRUCT-PANDAS", Masked{}, masked);
  const Lies<Sparse> sparse = {
      {"indices", "outside the array",
       [](Sparse& s) {
         s.indices = code::Vector<std::int32_t>({0, 5});
       }},
      {"indices", "outside the array",
       [](Sparse& s) {
         s.indices = code::Vector<std::int32_t>({4, 0});
       }},
      {"indices", "outside the array",
       [](Sparse& s) {
         s.indices = code::Vector<std::int32_t>({-1, 4});
       }},
      {"indices", "another type",
       [](Sparse& s) {
         s.indices = code::Vector<std::int64_t>({0, 4});
       }},
      {"_sparse_values", "not there", [](Sparse& s) { s.values = code::Zeros<double>({3}); }},
  };
  CHECK_LIES("STRUCT-PANDAS", Sparse{}, sparse);
}

}  // namespace safemodel::pickle
