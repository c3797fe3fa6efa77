// SPDX-License-Identifier: Apache-2.0
// Rules of Python's own types: calls that only spell data.
#include <array>
#include <bit>
#include <cstring>

#include "base/cursor.h"
#include "base/try.h"
#include "pickle/rule.h"
#include "pickle/text_values.h"
#include "pickle/tree.h"

namespace safemodel::pickle {

namespace {

std::span<const NodeIndex> ArgsOf(const Graph& graph, NodeIndex call) { return graph.ItemsOf(graph.CallOf(call).args); }

Error Malformed(const Graph& graph, NodeIndex node, const char* text) {
  return {Stage::kMalformed, "PKL-MALFORMED", text, graph.offset(node)};
}

// EncodeLatin1 turns text of code points below 256 into their bytes.
std::optional<ByteBuffer> EncodeLatin1(ByteView utf8) {
  ByteBuffer out;
  out.reserve(utf8.size());
  ByteReader reader(utf8);
  while (!reader.empty()) {
    const std::uint8_t lead = reader.U8().value();
    if (lead < 0x80) {
      out.push_back(lead);
      continue;
    }
    // Two bytes with a lead of C2 or C3 reach U+00FF.
    if ((lead & 0xFC) != 0xC0 || reader.empty()) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>(lead << 6 | (reader.U8().value() & 0x3F)));
  }
  return out;
}

// FoldLatin1: _codecs.encode(str, 'latin1') is how protocols below 3 write bytes. Shared texts are encoded once.
Result<NodeIndex> FoldLatin1(RuleContext& context, NodeIndex call) {
  Graph& graph = context.graph;
  const NodeIndex text = ArgsOf(graph, call)[0];
  const auto known = context.tables.encoded.find(text);
  if (known != context.tables.encoded.end()) return known->second;
  auto bytes = EncodeLatin1(AsBytes(graph.TextOf(text)));
  if (!bytes) return Malformed(graph, call, "a text that stands for bytes has letters above U+00FF");
  const NodeIndex made = graph.AddBytes(Kind::kBytes, graph.offset(call), graph.Keep(std::move(*bytes)));
  context.tables.encoded.emplace(text, made);
  return made;
}

Result<NodeIndex> FoldBytes(RuleContext& context, NodeIndex call) {
  Graph& graph = context.graph;
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  if (args.empty()) return graph.AddBytes(Kind::kBytes, graph.offset(call), {});
  return args[0];
}

// FoldByteArray: bytearray(bytes), or of Python 2 bytearray(text, 'latin-1').
Result<NodeIndex> FoldByteArray(RuleContext& context, NodeIndex call) {
  Graph& graph = context.graph;
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  if (args.empty()) return graph.AddBytes(Kind::kByteArray, graph.offset(call), {});
  NodeIndex bytes = args[0];
  if (graph.kind(bytes) == Kind::kStr) {
    SAFEMODEL_ASSIGN(bytes, FoldLatin1(context, call));
  }
  return graph.AddSameBytes(Kind::kByteArray, graph.offset(call), bytes);
}

Result<TreeRef> SetToTree(TreeContext& tree, NodeIndex call, NodeKind kind) {
  const std::span<const NodeIndex> args = ArgsOf(tree.graph(), call);
  std::vector<TreeRef> items;
  if (!args.empty()) {
    for (const NodeIndex item : tree.graph().ItemsOf(args[0])) items.push_back(tree.Of(item));
  }
  return tree.Parent(kind, std::move(items));
}

Result<TreeRef> MutableSetToTree(TreeContext& tree, NodeIndex call) { return SetToTree(tree, call, NodeKind::kSet); }
Result<TreeRef> FrozenSetToTree(TreeContext& tree, NodeIndex call) {
  return SetToTree(tree, call, NodeKind::kFrozenset);
}

Result<TreeRef> ArgsToTree(TreeContext& tree, NodeIndex call, NodeKind kind) {
  std::vector<TreeRef> parts;
  for (const NodeIndex arg : ArgsOf(tree.graph(), call)) parts.push_back(tree.Of(arg));
  return tree.Parent(kind, std::move(parts));
}

Result<TreeRef> SliceToTree(TreeContext& tree, NodeIndex call) { return ArgsToTree(tree, call, NodeKind::kSlice); }
Result<TreeRef> RangeToTree(TreeContext& tree, NodeIndex call) { return ArgsToTree(tree, call, NodeKind::kRange); }
Result<TreeRef> TimezoneToTree(TreeContext& tree, NodeIndex call) {
  return ArgsToTree(tree, call, NodeKind::kTimezone);
}

Result<TreeRef> ComplexToTree(TreeContext& tree, NodeIndex call) {
  ByteWriter payload;
  for (const NodeIndex part : ArgsOf(tree.graph(), call))
    payload.U64(std::bit_cast<std::uint64_t>(tree.graph().FloatOf(part)));
  return tree.Leaf(NodeKind::kComplex, payload.view());
}

// OrderedDictToTree: Python 2 passes the items as a list of pairs, Python 3 sets them one by one.
Result<TreeRef> OrderedDictToTree(TreeContext& tree, NodeIndex call) {
  const Graph& graph = tree.graph();
  const Call& made = graph.CallOf(call);
  std::vector<TreeRef> parts{tree.Global("collections", "OrderedDict")};
  std::uint8_t flags = 0;
  if (made.state != kNoNode) {
    flags |= kObjectState;
    parts.push_back(tree.Of(made.state));
  }
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  if (args.empty() && made.set_items != kNoNode) {
    parts.push_back(tree.Of(made.set_items));
    return tree.Parent(NodeKind::kObject, std::move(parts), static_cast<std::uint8_t>(flags | kObjectDictItems));
  }
  std::vector<TreeRef> items;
  const auto add = [&](std::span<const NodeIndex> more) {
    for (const NodeIndex item : more) items.push_back(tree.Of(item));
  };
  if (!args.empty()) {
    for (const NodeIndex pair : graph.ItemsOf(args[0])) {
      if (graph.ItemsOf(pair).size() != 2) return Malformed(graph, pair, "an item of a dict is no pair");
      add(graph.ItemsOf(pair));
    }
  }
  if (made.set_items != kNoNode) add(graph.ItemsOf(made.set_items));
  if (!items.empty()) {
    flags |= kObjectDictItems;
    parts.push_back(tree.Parent(NodeKind::kDict, std::move(items)));
  }
  return tree.Parent(NodeKind::kObject, std::move(parts), flags);
}

// The states of date, time and datetime: numbers of one byte, years of two, microseconds of three, high byte first.
void WriteDate(ByteWriter& out, ByteView state) {
  out.U16(static_cast<std::uint16_t>(state[0] << 8 | state[1]));
  out.U8(state[2] & 0x7F);  // since Python 3.6 the high bit of a datetime's month is its fold
  out.U8(state[3]);
}

void WriteTime(ByteWriter& out, ByteView state, bool fold) {
  out.U8(state[0] & 0x7F);
  out.U8(state[1]);
  out.U8(state[2]);
  out.U8(fold ? 1 : 0);
  out.U32(std::uint32_t{state[3]} << 16 | std::uint32_t{state[4]} << 8 | state[5]);
}

ByteView StateBytes(const Graph& graph, NodeIndex call) {
  return graph.BytesOf(ArgsOf(graph, call)[0]).value_or(ByteView{});  // a schema has checked the size
}

// Zoned wraps a time or datetime when a time zone came with it.
TreeRef Zoned(TreeContext& tree, NodeIndex call, TreeRef moment) {
  const std::span<const NodeIndex> args = ArgsOf(tree.graph(), call);
  return args.size() < 2 ? moment : tree.Parent(NodeKind::kZoned, {moment, tree.Of(args[1])});
}

Result<TreeRef> DateToTree(TreeContext& tree, NodeIndex call) {
  ByteWriter payload;
  WriteDate(payload, StateBytes(tree.graph(), call));
  return tree.Leaf(NodeKind::kDate, payload.view());
}

Result<TreeRef> TimeToTree(TreeContext& tree, NodeIndex call) {
  const ByteView state = StateBytes(tree.graph(), call);
  ByteWriter payload;
  WriteTime(payload, state, (state[0] & 0x80) != 0);
  return Zoned(tree, call, tree.Leaf(NodeKind::kTime, payload.view()));
}

Result<TreeRef> DatetimeToTree(TreeContext& tree, NodeIndex call) {
  const ByteView state = StateBytes(tree.graph(), call);
  ByteWriter payload;
  WriteDate(payload, state);
  WriteTime(payload, state.subspan(4), (state[2] & 0x80) != 0);
  return Zoned(tree, call, tree.Leaf(NodeKind::kDatetime, payload.view()));
}

Status CheckTimedelta(RuleContext& context, NodeIndex call) {
  constexpr std::array<std::int64_t, 3> kLow{-999999999, 0, 0};
  constexpr std::array<std::int64_t, 3> kHigh{999999999, 86399, 999999};
  const std::span<const NodeIndex> args = ArgsOf(context.graph, call);
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool small = context.graph.kind(args[i]) == Kind::kInt;
    if (small && context.graph.IntOf(args[i]) >= kLow[i] && context.graph.IntOf(args[i]) <= kHigh[i]) continue;
    return Malformed(context.graph, call, "a timedelta is out of its range");
  }
  return {};
}

Result<TreeRef> TimedeltaToTree(TreeContext& tree, NodeIndex call) {
  ByteWriter payload;
  for (const NodeIndex part : ArgsOf(tree.graph(), call))
    payload.U32(static_cast<std::uint32_t>(tree.graph().IntOf(part)));
  return tree.Leaf(NodeKind::kTimedelta, payload.view());
}

constexpr std::array<Rule, 14> kRules{{
    {.name = "latin1", .fold = FoldLatin1},
    {.name = "bytes", .fold = FoldBytes},
    {.name = "bytearray", .fold = FoldByteArray},
    {.name = "set", .to_tree = MutableSetToTree, .spells = Rule::Spells::kData},
    {.name = "frozenset", .to_tree = FrozenSetToTree, .spells = Rule::Spells::kData},
    {.name = "complex", .to_tree = ComplexToTree, .spells = Rule::Spells::kData},
    {.name = "slice", .to_tree = SliceToTree},
    {.name = "range", .to_tree = RangeToTree},
    {.name = "ordered_dict", .to_tree = OrderedDictToTree},
    {.name = "date", .to_tree = DateToTree},
    {.name = "time", .to_tree = TimeToTree},
    {.name = "datetime", .to_tree = DatetimeToTree},
    {.name = "timedelta", .on_call = CheckTimedelta, .to_tree = TimedeltaToTree},
    {.name = "timezone", .to_tree = TimezoneToTree},
}};

}  // namespace

std::span<const Rule> PythonRules() { return kRules; }

}  // namespace safemodel::pickle
