// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "base/cursor.h"
#include "testing/cpu_time.h"
#include "value/builder.h"

namespace safemodel {
namespace {

using Nodes = std::vector<WireNode>;

std::uint8_t K(NodeKind kind) { return static_cast<std::uint8_t>(kind); }

// Tables are what a container stores.
struct Tables {
  Nodes nodes;
  std::vector<NodeId> children = {};
  ByteBuffer payload = {};
};

Result<ValueTree> Parse(Tables tables, const Limits& limits = {}) {
  return ParseValueTree(tables.nodes, std::move(tables.children), std::move(tables.payload), 2, limits);
}

// Rewired returns the tables of a tree.
Tables Rewired(const ValueTree& tree) {
  Tables tables;
  for (const ValueTree::Node& node : tree.nodes()) tables.nodes.push_back({K(node.kind), node.flags, node.count});
  tables.children = tree.children();
  tables.payload = tree.payload();
  return tables;
}

std::string CodeOf(const Result<ValueTree>& result) { return result.ok() ? "ok" : result.error().code; }

std::string StageOf(const Result<ValueTree>& result) { return result.ok() ? "ok" : StageName(result.error().stage); }

using Build = std::function<NodeId(ValueTreeBuilder&)>;

Result<ValueTree> Finish(const Build& build, const Limits& limits = {}) {
  ValueTreeBuilder builder;
  const NodeId root = build(builder);
  return std::move(builder).Finish(root, limits);
}

NodeId DictOfKeys(ValueTreeBuilder& b, const std::vector<NodeId>& keys) {
  std::vector<NodeId> children;
  for (const NodeId key : keys) {
    children.push_back(key);
    children.push_back(b.Leaf(NodeKind::kNone));
  }
  return b.Parent(NodeKind::kDict, children);
}

NodeId Complex(ValueTreeBuilder& b, double real, double imaginary) {
  ByteWriter bytes;
  bytes.U64(std::bit_cast<std::uint64_t>(real));
  bytes.U64(std::bit_cast<std::uint64_t>(imaginary));
  return b.Leaf(NodeKind::kComplex, bytes.view());
}

NodeId Time(ValueTreeBuilder& b, std::uint8_t hour, std::uint8_t fold) {
  return b.Leaf(NodeKind::kTime, ByteBuffer{hour, 0, 0, fold, 0, 0, 0, 0});
}

NodeId Datetime(ValueTreeBuilder& b, std::uint16_t year, std::uint8_t month, std::uint8_t day, std::uint8_t hour) {
  ByteWriter bytes;
  bytes.U16(year);
  bytes.U8(month);
  bytes.U8(day);
  bytes.U8(hour);
  bytes.Zeros(7);
  return b.Leaf(NodeKind::kDatetime, bytes.view());
}

NodeId Timezone(ValueTreeBuilder& b, std::int32_t days, std::uint32_t seconds) {
  ByteWriter bytes;
  bytes.U32(static_cast<std::uint32_t>(days));
  bytes.U32(seconds);
  bytes.U32(0);
  return b.Parent(NodeKind::kTimezone, {b.Leaf(NodeKind::kTimedelta, bytes.view())});
}

NodeId Range(ValueTreeBuilder& b, std::int64_t start, std::int64_t stop, std::int64_t step) {
  return b.Parent(NodeKind::kRange, {b.Int(start), b.Int(stop), b.Int(step)});
}

NodeId Object(ValueTreeBuilder& b) { return b.Parent(NodeKind::kObject, {b.Global("m", "C")}); }

}  // namespace

TEST_CASE("value tree: tables that are well-formed come back bit by bit") {
  struct Row {
    const char* what;
    Tables tables;
  };
  const std::vector<Row> rows = {
      {"none", {{{1, 0, 0}}}},
      {"zero has no bytes", {{{4, 0, 0}}}},
      {"-1", {{{4, 0, 1}}, {}, {0xFF}}},
      {"128 needs two bytes", {{{4, 0, 2}}, {}, {0x80, 0x00}}},
      {"float, a signalling NaN", {{{5, 0, 8}}, {}, {1, 0, 0, 0, 0, 0, 0xF0, 0x7F}}},
      {"str with a lone surrogate", {{{7, 0, 3}}, {}, {0xED, 0xA0, 0x80}}},
      {"list that contains itself", {{{9, 0, 1}}, {0}}},
      {"dict that contains itself", {{{11, 0, 2}, {1, 0, 0}}, {1, 0}}},
      {"list of one node twice", {{{9, 0, 2}, {1, 0, 0}}, {1, 1}}},
      {"tuple and list in a cycle: the list closes it", {{{10, 0, 1}, {9, 0, 1}}, {1, 0}}},
      {"object with all parts",
       {{{23, 31, 6}, {22, 0, 2}, {7, 0, 1}, {7, 0, 1}, {10, 0, 0}, {1, 0, 0}, {9, 0, 0}, {11, 0, 0}, {9, 0, 0}},
        {1, 4, 5, 6, 7, 8, 2, 3},
        {'m', 'C'}}},
      {"object that is its own state", {{{23, 2, 2}, {22, 0, 2}, {7, 0, 0}}, {1, 0, 2, 2}}},
      {"tensor 1, numpy, big-endian", {{{21, 5, 4}}, {}, {1, 0, 0, 0}}},
      {"leap day", {{{16, 0, 4}}, {}, {0xD0, 0x07, 2, 29}}},
      {"set", {{{12, 0, 2}, {1, 0, 0}, {2, 0, 0}}, {1, 2}}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const auto tree = Parse(row.tables);
    REQUIRE(CodeOf(tree) == "ok");
    CHECK(tree.value().children() == row.tables.children);
    CHECK(tree.value().payload() == row.tables.payload);
    const auto again = Parse(Rewired(tree.value()));
    REQUIRE(again.ok());
    CHECK(again.value() == tree.value());
  }
}

TEST_CASE("value tree: tables that break a rule are refused") {
  struct Row {
    const char* what;
    const char* code;
    Tables tables;
  };
  const std::vector<Row> rows = {
      {"no nodes", "no_root", {}},
      {"kind 0", "unknown_node_kind", {{{0, 0, 0}}}},
      {"kind 25", "unknown_node_kind", {{{25, 0, 0}}}},
      {"a child too few in the table", "tree_not_tiled", {{{9, 0, 1}}}},
      {"a child too many in the table", "tree_not_tiled", {{{9, 0, 0}}, {0}}},
      {"a payload byte nobody owns", "tree_not_tiled", {{{1, 0, 0}}, {}, {7}}},
      {"flags on a list", "bad_node_flags", {{{9, 1, 0}}}},
      {"tensor of numpy and torch", "bad_node_flags", {{{21, 3, 4}}, {}, {0, 0, 0, 0}}},
      {"tensor with an unknown flag", "bad_node_flags", {{{21, 64, 4}}, {}, {0, 0, 0, 0}}},
      {"object with an unknown flag", "bad_node_flags", {{{23, 32, 1}, {22, 0, 2}, {7, 0, 0}}, {1, 2, 2}}},
      {"none with a byte", "bad_node_count", {{{1, 0, 1}}, {}, {0}}},
      {"dict with an odd number of children", "bad_node_count", {{{11, 0, 1}, {1, 0, 0}}, {1}}},
      {"object whose flags promise a state", "bad_node_count", {{{23, 2, 1}, {22, 0, 2}, {7, 0, 0}}, {1, 2, 2}}},
      {"timezone of three parts", "bad_node_count", {{{20, 0, 3}, {1, 0, 0}}, {1, 1, 1}}},
      {"float of 4 bytes", "bad_node_count", {{{5, 0, 4}}, {}, {0, 0, 0, 0}}},
      {"zero as a byte", "int_not_minimal", {{{4, 0, 1}}, {}, {0}}},
      {"1 with a sign byte it does not need", "int_not_minimal", {{{4, 0, 2}}, {}, {1, 0}}},
      {"-1 twice extended", "int_not_minimal", {{{4, 0, 2}}, {}, {0xFF, 0xFF}}},
      {"overlong slash", "bad_str", {{{7, 0, 2}}, {}, {0xC0, 0xAF}}},
      {"overlong three bytes", "bad_str", {{{7, 0, 3}}, {}, {0xE0, 0x80, 0x80}}},
      {"cut sequence", "bad_str", {{{7, 0, 2}}, {}, {0xE2, 0x82}}},
      {"above U+10FFFF", "bad_str", {{{7, 0, 4}}, {}, {0xF4, 0x90, 0x80, 0x80}}},
      {"lone continuation", "bad_str", {{{7, 0, 1}}, {}, {0x80}}},
      {"year 0", "bad_time", {{{16, 0, 4}}, {}, {0, 0, 1, 1}}},
      {"29 February 1900", "bad_time", {{{16, 0, 4}}, {}, {0x6C, 0x07, 2, 29}}},
      {"month 13", "bad_time", {{{16, 0, 4}}, {}, {0xD0, 0x07, 13, 1}}},
      {"hour 24", "bad_time", {{{17, 0, 8}}, {}, {24, 0, 0, 0, 0, 0, 0, 0}}},
      {"fold 2", "bad_time", {{{17, 0, 8}}, {}, {0, 0, 0, 2, 0, 0, 0, 0}}},
      {"microsecond 1000000", "bad_time", {{{17, 0, 8}}, {}, {0, 0, 0, 0, 0x40, 0x42, 0x0F, 0}}},
      {"timedelta of 10^9 days", "bad_time", {{{19, 0, 12}}, {}, {0x00, 0xCA, 0x9A, 0x3B, 0, 0, 0, 0, 0, 0, 0, 0}}},
      {"offset of +24 h", "bad_time", {{{20, 0, 1}, {19, 0, 12}}, {1}, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
      {"offset of -24 h",
       "bad_time",
       {{{20, 0, 1}, {19, 0, 12}}, {1}, {0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0}}},
      {"tensor 2 of 2", "tensor_outside", {{{21, 0, 4}}, {}, {2, 0, 0, 0}}},
      {"child that does not exist", "node_outside", {{{9, 0, 1}}, {1}}},
      {"child 2^32-1", "node_outside", {{{9, 0, 1}}, {0xFFFFFFFF}}},
      {"children numbered backwards", "node_order", {{{9, 0, 2}, {1, 0, 0}, {2, 0, 0}}, {2, 1}}},
      {"breadth first numbers", "node_order", {{{9, 0, 2}, {9, 0, 1}, {1, 0, 0}, {1, 0, 0}}, {1, 2, 3}}},
      {"a node nobody refers to", "node_unreachable", {{{9, 0, 0}, {1, 0, 0}}}},
      {"two nodes that refer to each other only", "node_unreachable", {{{1, 0, 0}, {9, 0, 1}, {9, 0, 1}}, {2, 1}}},
      {"range of a float", "bad_child_kind", {{{15, 0, 3}, {4, 0, 1}, {1, 0, 0}}, {1, 1, 2}, {1}}},
      {"range of step 0", "range_step_zero", {{{15, 0, 3}, {4, 0, 1}, {4, 0, 0}}, {1, 1, 2}, {1}}},
      {"global named by bytes", "bad_child_kind", {{{22, 0, 2}, {8, 0, 0}, {7, 0, 0}}, {1, 2}}},
      {"object whose class is a str", "bad_child_kind", {{{23, 0, 1}, {7, 0, 0}}, {1}}},
      {"object whose arguments are a list",
       "bad_child_kind",
       {{{23, 1, 2}, {22, 0, 2}, {7, 0, 0}, {9, 0, 0}}, {1, 3, 2, 2}}},
      {"zoned date", "bad_child_kind", {{{24, 0, 2}, {16, 0, 4}, {1, 0, 0}}, {1, 2}, {0xD0, 0x07, 1, 1}}},
      {"tuple that contains itself", "closed_cycle", {{{10, 0, 1}}, {0}}},
      {"frozenset that contains itself", "closed_cycle", {{{13, 0, 1}}, {0}}},
      {"two tuples in a cycle", "closed_cycle", {{{10, 0, 1}, {10, 0, 1}}, {1, 0}}},
      {"dict that is its own key", "closed_cycle", {{{11, 0, 2}}, {0, 0}}},
      {"object that is its own argument",
       "closed_cycle",
       {{{23, 1, 2}, {22, 0, 2}, {7, 0, 0}, {10, 0, 1}}, {1, 3, 2, 2, 0}}},
      {"list as a key", "unhashable_key", {{{11, 0, 2}, {9, 0, 0}}, {1, 1}}},
      {"list inside a tuple as a key", "unhashable_key", {{{11, 0, 2}, {10, 0, 1}, {9, 0, 0}}, {1, 2, 2}}},
      {"tensor as a set item", "unhashable_key", {{{12, 0, 1}, {21, 0, 4}}, {1}, {0, 0, 0, 0}}},
      {"set in a set", "unhashable_key", {{{12, 0, 1}, {12, 0, 0}}, {1}}},
      {"set items backwards", "set_order", {{{12, 0, 2}, {2, 0, 0}, {1, 0, 0}}, {1, 2}}},
      {"the same set item twice", "equal_keys", {{{12, 0, 2}, {1, 0, 0}}, {1, 1}}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(CodeOf(Parse(row.tables)) == row.code);
  }
}

TEST_CASE("value tree: keys are compared as Python compares them") {
  struct Row {
    const char* what;
    bool equal;
    Build first;
    Build second;
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const auto integer = [](std::int64_t value) { return [value](ValueTreeBuilder& b) { return b.Int(value); }; };
  const auto real = [](double value) { return [value](ValueTreeBuilder& b) { return b.Float(value); }; };
  const auto leaf = [](NodeKind kind) { return [kind](ValueTreeBuilder& b) { return b.Leaf(kind); }; };
  const auto power = [](std::size_t bytes, int offset) {  // 256^bytes + offset
    return [bytes, offset](ValueTreeBuilder& b) {
      ByteBuffer digits(bytes + 2, 0);
      digits[0] = static_cast<std::uint8_t>(offset);
      digits[bytes] = 1;
      return b.IntBytes(digits);
    };
  };
  const auto complex = [](double re, double im) { return [=](ValueTreeBuilder& b) { return Complex(b, re, im); }; };
  const auto str = [](const char* text) { return [text](ValueTreeBuilder& b) { return b.Str(text); }; };
  const auto tuple = [](Build item) {
    return [item](ValueTreeBuilder& b) { return b.Parent(NodeKind::kTuple, {item(b)}); };
  };
  const auto range = [](std::int64_t a, std::int64_t z, std::int64_t s) {
    return [=](ValueTreeBuilder& b) { return Range(b, a, z, s); };
  };
  const auto pair = [](NodeKind kind, std::int64_t x, std::int64_t y) {
    return [=](ValueTreeBuilder& b) { return b.Parent(kind, {b.Int(x), b.Int(y)}); };
  };
  const auto zoned = [](std::uint8_t hour, std::int32_t days, std::uint32_t seconds) {
    return [=](ValueTreeBuilder& b) {
      const NodeId clock = Datetime(b, 2024, 3, 1, hour);
      return b.Parent(NodeKind::kZoned, {clock, Timezone(b, days, seconds)});
    };
  };
  const std::vector<Row> rows = {
      {"1 and True", true, integer(1), leaf(NodeKind::kTrue)},
      {"0 and False", true, integer(0), leaf(NodeKind::kFalse)},
      {"1 and 1.0", true, integer(1), real(1.0)},
      {"-0.0 and 0", true, real(-0.0), integer(0)},
      {"-1 and -1.0", true, integer(-1), real(-1.0)},
      {"-128 and -128.0", true, integer(-128), real(-128.0)},
      {"2^53 + 1 and 2^53 as float", false, integer((std::int64_t{1} << 53) + 1), real(9007199254740992.0)},
      {"2^63 as int and as float", true,
       [](ValueTreeBuilder& b) {
         return b.IntBytes(ByteBuffer{0, 0, 0, 0, 0, 0, 0, 0x80, 0});
       },
       real(9223372036854775808.0)},
      {"256^100 as int and as float", true, power(100, 0), real(std::ldexp(1.0, 800))},
      {"256^100 + 1 and 256^100 as float", false, power(100, 1), real(std::ldexp(1.0, 800))},
      {"1.5 twice", true, real(1.5), real(1.5)},
      {"1.5 and 1", false, real(1.5), integer(1)},
      {"infinity and -infinity", false, real(HUGE_VAL), real(-HUGE_VAL)},
      {"two NaN", false, real(kNan), real(kNan)},
      {"1 + 0j and 1", true, complex(1, 0), integer(1)},
      {"1 - 0j and True", true, complex(1, -0.0), leaf(NodeKind::kTrue)},
      {"0 + 1j and -0 + 1j", true, complex(0.0, 1), complex(-0.0, 1)},
      {"1 + 1j and 1 - 1j", false, complex(1, 1), complex(1, -1)},
      {"NaN + 1j twice", false, complex(kNan, 1), complex(kNan, 1)},
      {"None and False", false, leaf(NodeKind::kNone), leaf(NodeKind::kFalse)},
      {"'a' twice", true, str("a"), str("a")},
      {"'a' and b'a'", false, str("a"), [](ValueTreeBuilder& b) { return b.Leaf(NodeKind::kBytes, AsBytes("a")); }},
      {"(1,) and (1.0,)", true, tuple(integer(1)), tuple(real(1.0))},
      {"(1,) and 1", false, tuple(integer(1)), integer(1)},
      {"((1,),) and ((True,),)", true, tuple(tuple(integer(1))), tuple(tuple(leaf(NodeKind::kTrue)))},
      {"(1, 2) and (2, 1)", false, pair(NodeKind::kTuple, 1, 2), pair(NodeKind::kTuple, 2, 1)},
      {"frozensets of 1, 2 and of 2, 1", true, pair(NodeKind::kFrozenset, 1, 2), pair(NodeKind::kFrozenset, 2, 1)},
      {"range(0, 3, 2) and range(0, 4, 2)", true, range(0, 3, 2), range(0, 4, 2)},
      {"range(0) and range(7, 1)", true, range(0, 0, 1), range(7, 1, 3)},
      {"range(5, 6) and range(5, 4, -1): one item", true, range(5, 6, 1), range(5, 4, -1)},
      {"range(0, 4) and range(0, 5)", false, range(0, 4, 1), range(0, 5, 1)},
      {"ranges over all of 64 bits", false, range(INT64_MIN, INT64_MAX, 1), range(INT64_MIN, INT64_MAX - 1, 1)},
      {"times that differ in fold", true, [](ValueTreeBuilder& b) { return Time(b, 3, 0); },
       [](ValueTreeBuilder& b) { return Time(b, 3, 1); }},
      {"one instant in two zones", true, zoned(12, 0, 0), zoned(13, 0, 3600)},
      {"one clock in two zones", false, zoned(12, 0, 0), zoned(12, 0, 3600)},
      {"across a day and west of Greenwich", true, zoned(23, 0, 3600), zoned(12, -1, 86400 - 36000)},
      {"naive and zoned", false, [](ValueTreeBuilder& b) { return Datetime(b, 2024, 3, 1, 12); }, zoned(12, 0, 0)},
      {"a class twice", true, [](ValueTreeBuilder& b) { return b.Global("m", "C"); },
       [](ValueTreeBuilder& b) { return b.Global("m", "C"); }},
      {"two objects", false, Object, Object},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const auto tree = Finish([&](ValueTreeBuilder& b) {
      const NodeId first = row.first(b);
      return DictOfKeys(b, {first, row.second(b)});
    });
    CHECK(CodeOf(tree) == (row.equal ? "equal_keys" : "ok"));
  }
}

TEST_CASE("value tree: the same node twice is one key, whatever it holds") {
  const auto twice = [](Build item) {
    return CodeOf(Finish([&](ValueTreeBuilder& b) {
      const NodeId key = item(b);
      return DictOfKeys(b, {key, key});
    }));
  };
  CHECK(twice([](ValueTreeBuilder& b) { return b.Float(std::nan("")); }) == "equal_keys");
  CHECK(twice(Object) == "equal_keys");
}

TEST_CASE("value tree builder: set items get their canonical order from any order") {
  const auto build = [](bool reversed) {
    return Finish([reversed](ValueTreeBuilder& b) {
      std::vector<NodeId> items = {b.Int(3),     b.Str("ab"),
                                   b.Str("c"),   b.Parent(NodeKind::kFrozenset, {b.Int(2), b.Int(-1)}),
                                   b.Float(0.5), b.Leaf(NodeKind::kNone)};
      if (reversed) {
        items[3] = b.Parent(NodeKind::kFrozenset, {b.Int(-1), b.Int(2)});
        items = std::vector<NodeId>(items.rbegin(), items.rend());
      }
      return b.Parent(NodeKind::kSet, items);
    });
  };
  const auto forward = build(false);
  const auto backward = build(true);
  REQUIRE(CodeOf(forward) == "ok");
  REQUIRE(CodeOf(backward) == "ok");
  CHECK(forward.value() == backward.value());
  // Kinds stand in ascending order: none, int, float, str, frozenset; shorter str first, as the count comes before the
  // bytes.
  const ValueTree& tree = forward.value();
  std::vector<NodeKind> kinds;
  for (const NodeId item : tree.ChildrenOf(0)) kinds.push_back(tree.kind(item));
  CHECK(kinds == std::vector<NodeKind>{NodeKind::kNone, NodeKind::kInt, NodeKind::kFloat, NodeKind::kStr,
                                       NodeKind::kStr, NodeKind::kFrozenset});
  CHECK(tree.TextOf(tree.ChildrenOf(0)[3]) == "c");
}

TEST_CASE("value tree builder: objects in sets, and what has no order") {
  const auto two_objects = [](ValueTreeBuilder& b) { return b.Parent(NodeKind::kSet, {Object(b), Object(b)}); };
  CHECK(CodeOf(Finish(two_objects)) == "ok");  // equal encodings, yet two items

  const auto two_nan = [](ValueTreeBuilder& b) {
    return b.Parent(NodeKind::kSet, {b.Float(std::nan("")), b.Float(std::nan(""))});
  };
  CHECK(CodeOf(Finish(two_nan)) == "ok");

  const auto own_set = [](ValueTreeBuilder& b) {
    const NodeId object = b.Parent(NodeKind::kObject, {});
    const NodeId set = b.Parent(NodeKind::kSet, {object});
    b.SetChildren(object, {b.Global("m", "C"), set}, kObjectState);
    return set;
  };
  CHECK(CodeOf(Finish(own_set)) == "set_cycle");

  const auto tensor_state = [](ValueTreeBuilder& b) {
    const NodeId cls = b.Global("m", "C");
    return b.Parent(NodeKind::kSet, {b.Parent(NodeKind::kObject, {cls, b.Tensor(0, kTensorTorch)}, kObjectState)});
  };
  const auto refused = Finish(tensor_state);
  CHECK(CodeOf(refused) == "tensor_in_set");
  CHECK(StageOf(refused) == "unsupported");
}

TEST_CASE("value tree builder: an item of a set may have 64 KiB, not a byte more") {
  const auto set_of = [](std::size_t bytes) {
    return CodeOf(Finish([bytes](ValueTreeBuilder& b) {
      return b.Parent(NodeKind::kSet, {b.Leaf(NodeKind::kBytes, ByteBuffer(bytes, 7))});
    }));
  };
  CHECK(set_of(65536 - 6) == "ok");
  CHECK(set_of(65536 - 5) == "set_item_too_large");
}

TEST_CASE("value tree builder: sharing cannot make the order of sets expensive") {
  // Sets of the same two tuples, whose encodings of 60 KB differ in their last byte.
  const auto sets_of_large_items = [](std::size_t sets) {
    return CodeOf(Finish([sets](ValueTreeBuilder& b) {
      std::vector<NodeId> items(10'000, b.Leaf(NodeKind::kNone));
      items.push_back(b.Int(1));
      const NodeId first = b.Parent(NodeKind::kTuple, items);
      items.back() = b.Int(2);
      const NodeId second = b.Parent(NodeKind::kTuple, items);
      std::vector<NodeId> list;
      for (std::size_t i = 0; i < sets; ++i) list.push_back(b.Parent(NodeKind::kSet, {second, first}));
      return b.Parent(NodeKind::kList, list);
    }));
  };
  CHECK(sets_of_large_items(100) == "ok");
  CHECK(sets_of_large_items(1000) == "sets_too_large");
}

TEST_CASE("value tree builder: cycles, shared nodes and what the root does not reach") {
  ValueTreeBuilder builder;
  (void)builder.Str("never referred to");
  const NodeId list = builder.Parent(NodeKind::kList, {});
  const NodeId shared = builder.Str("shared");
  const NodeId dict = builder.Parent(NodeKind::kDict, {shared, list});
  builder.SetChildren(list, {shared, dict, list});
  const auto tree = std::move(builder).Finish(dict, {});
  REQUIRE(CodeOf(tree) == "ok");
  CHECK(tree.value().size() == 3);
  CHECK(tree.value().children() == std::vector<NodeId>{1, 2, 1, 0, 2});

  ValueTreeBuilder outside;
  const NodeId lost = outside.Parent(NodeKind::kList, {17});
  CHECK(CodeOf(std::move(outside).Finish(lost, {})) == "node_outside");
  CHECK(CodeOf(ValueTreeBuilder().Finish(0, {})) == "node_outside");
}

TEST_CASE("value tree builder: integers are made minimal") {
  const auto bytes_of = [](std::int64_t value) {
    const auto tree = Finish([value](ValueTreeBuilder& b) { return b.Int(value); });
    REQUIRE(tree.ok());
    return tree.value().payload();
  };
  CHECK(bytes_of(0).empty());
  CHECK(bytes_of(-1) == ByteBuffer{0xFF});
  CHECK(bytes_of(127) == ByteBuffer{0x7F});
  CHECK(bytes_of(128) == ByteBuffer{0x80, 0});
  CHECK(bytes_of(-128) == ByteBuffer{0x80});
  CHECK(bytes_of(-129) == ByteBuffer{0x7F, 0xFF});
  CHECK(bytes_of(INT64_MIN).size() == 8);
}

TEST_CASE("value tree: limits hold exactly") {
  const auto nested = [](std::uint32_t depth, std::uint32_t limit) {
    Tables tables;
    for (std::uint32_t i = 0; i + 1 < depth; ++i) {
      tables.nodes.push_back({9, 0, 1});
      tables.children.push_back(i + 1);
    }
    tables.nodes.push_back({9, 0, 0});
    Limits limits;
    limits.tree_depth = limit;
    return Parse(std::move(tables), limits);
  };
  CHECK(CodeOf(nested(10000, 10000)) == "ok");
  CHECK(CodeOf(nested(10001, 10000)) == "tree_too_deep");
  CHECK(StageOf(nested(10001, 10000)) == "limit");
  CHECK(CodeOf(nested(200000, 200000)) == "ok");  // nothing recurses

  const auto sized = [](std::uint32_t bytes) {
    Tables tables = {{{4, 0, bytes}}, {}, ByteBuffer(bytes, 1)};
    return Parse(std::move(tables));
  };
  CHECK(CodeOf(sized(65536)) == "ok");
  CHECK(CodeOf(sized(65537)) == "int_too_large");

  Limits few;
  few.tree_nodes = 2;
  CHECK(CodeOf(Parse({{{9, 0, 1}, {1, 0, 0}}, {1}}, few)) == "ok");
  CHECK(CodeOf(Parse({{{9, 0, 2}, {1, 0, 0}, {1, 0, 0}}, {1, 2}}, few)) == "too_many_nodes");
}

TEST_CASE("value tree: billion laughs stays as small as it is") {
  // Tuples of the one before, twice: as a value, and (too large for whoever hashes them) as a key and an item of a set.
  const auto laughs = [](NodeKind outer, int levels = 40) {
    return Finish([outer, levels](ValueTreeBuilder& b) {
      NodeId node = b.Str("ha");
      for (int i = 0; i < levels; ++i) node = b.Parent(NodeKind::kTuple, {node, node});
      if (outer == NodeKind::kDict) return DictOfKeys(b, {node});
      return b.Parent(outer, {node});
    });
  };
  CHECK(CodeOf(laughs(NodeKind::kList)) == "ok");
  CHECK(CodeOf(laughs(NodeKind::kDict)) == "keys_too_large");
  CHECK(CodeOf(laughs(NodeKind::kDict, 19)) == "ok");  // 2^20 - 1, and what the nodes allow
  CHECK(CodeOf(laughs(NodeKind::kDict, 20)) == "keys_too_large");
  CHECK(CodeOf(laughs(NodeKind::kSet)) == "set_item_too_large");
}

TEST_CASE("value tree: a dict of a million entries is read in well under a second") {
  const double seconds = testing::CpuSeconds([] {
    const auto tree = Finish([](ValueTreeBuilder& b) {
      std::vector<NodeId> children;
      for (std::int64_t i = 0; i < 1'000'000; ++i) {
        children.push_back(b.Str("token_" + std::to_string(i)));
        children.push_back(b.Int(i));
      }
      return b.Parent(NodeKind::kDict, std::move(children));
    });
    REQUIRE(CodeOf(tree) == "ok");
    CHECK(tree.value().size() == 2'000'001);
  });
  MESSAGE("built and checked in " << seconds << " s");
  CHECK(seconds < 20);  // quadratic work would take hours; debug builds take a few seconds
}

}  // namespace safemodel
