// SPDX-License-Identifier: Apache-2.0
// Rules of the standard library: names that are written as calls, and arguments whose text a schema cannot describe.
// Loaders hand these texts to constructors of Python, so what would cost those more than its bytes is refused.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/try.h"
#include "pickle/allow_list.h"
#include "pickle/rule.h"
#include "pickle/tree.h"

namespace safemodel::pickle {

namespace {

constexpr std::size_t kMostDigits = 4300;           // what Python converts
constexpr std::size_t kMostLongBytes = 1786;        // a number of so many digits
constexpr std::uint64_t kMostExponent = 1'000'100;  // beyond that of any number Python's own context computes

std::span<const NodeIndex> ArgsOf(const Graph& graph, NodeIndex call) { return graph.ItemsOf(graph.CallOf(call).args); }

Error Malformed(const Graph& graph, NodeIndex node, const char* text) {
  return {Stage::kMalformed, "PKL-MALFORMED", text, graph.offset(node)};
}

bool IsDigit(char letter) { return letter >= '0' && letter <= '9'; }

// Eat takes `sign` off the front of a text.
bool Eat(std::string_view& text, std::string_view sign) {
  if (!text.starts_with(sign)) return false;
  text.remove_prefix(sign.size());
  return true;
}

// TakeDigits takes all digits off the front of a text.
std::string_view TakeDigits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsDigit);
  const std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

// Named is the value that a call stands for: a name that the tables list.
Result<NodeIndex> Named(RuleContext& context, NodeIndex call, const AllowEntry& entry) {
  Graph& graph = context.graph;
  const auto known = context.tables.named.find(&entry);
  if (known != context.tables.named.end()) return known->second;
  GlobalName name{entry.module, entry.name, entry.module, entry.name, &entry, Danger::kListed};
  name.offset = graph.offset(call);
  const NodeIndex made = graph.AddGlobal(graph.offset(call), graph.AddGlobalName(name));
  context.tables.named.emplace(&entry, made);
  return made;
}

// TypeName tells which type type(constant) is.
std::string_view TypeName(const Graph& graph, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  if (args.size() != 1) return {};
  if (graph.kind(args[0]) == Kind::kNone) return "NoneType";
  if (graph.kind(args[0]) != Kind::kGlobal) return {};
  const AllowEntry* entry = graph.GlobalOf(args[0]).entry;
  if (entry == nullptr || entry->module != "builtins") return {};
  if (entry->name == "Ellipsis") return "EllipsisType";
  return entry->name == "NotImplemented" ? "NotImplementedType" : std::string_view();
}

Result<NodeIndex> FoldType(RuleContext& context, NodeIndex call) {
  const std::string_view name = TypeName(context.graph, call);
  const AllowEntry* entry = name.empty() ? nullptr : AllowList::BuiltIn().Find("types", name);
  if (entry == nullptr) return Refuse(context.graph, call, "CALL-UNLISTED", "the pickle makes a type");
  return Named(context, call, *entry);
}

// MethodOf finds the entry `CLASS.NAME` of an attribute of a class, or of an object.
const AllowEntry* MethodOf(const Graph& graph, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  constexpr std::uint64_t kLongest = 256;  // no listed attribute is nearly as long
  if (args.size() != 2 || !graph.IsText(args[1]) || graph.SizeOf(args[1]) > kLongest) return nullptr;
  const bool global = graph.kind(args[0]) == Kind::kGlobal;
  const AllowEntry* owner = global ? graph.GlobalOf(args[0]).entry : graph.EntryOf(args[0]);
  if (owner == nullptr) return nullptr;
  const bool pattern = !global && owner->module == "re" && owner->name == "_compile";
  if (!pattern && owner->kind != EntryKind::kClass && owner->kind != EntryKind::kType) return nullptr;
  const std::string name = std::string(pattern ? "Pattern" : owner->name) + "." + std::string(graph.TextOf(args[1]));
  return AllowList::BuiltIn().Find(owner->module, name);
}

// CheckAttribute: which attribute an object has is decided by data, so getattr is read for listed ones only.
Status CheckAttribute(RuleContext& context, NodeIndex call) {
  if (MethodOf(context.graph, call) != nullptr) return {};
  return Refuse(context.graph, call, "CALL-UNLISTED",
                "the pickle fetches an attribute that the allow-list does not know");
}

// FoldAttribute: a method of a class is a name; that of an object stays a call of getattr, which nothing can call.
Result<NodeIndex> FoldAttribute(RuleContext& context, NodeIndex call) {
  if (context.graph.kind(ArgsOf(context.graph, call)[0]) != Kind::kGlobal) return call;
  return Named(context, call, *MethodOf(context.graph, call));
}

// IsZoneKey: zoneinfo opens a file of this name, inside the folders of time zones.
bool IsZoneKey(std::string_view key) {
  char before = '/';
  for (const char letter : key) {
    const bool alphabetic = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (letter == '/' && before == '/') return false;
    if (!alphabetic && !IsDigit(letter) && std::string_view("/_+-").find(letter) == std::string_view::npos)
      return false;
    before = letter;
  }
  return before != '/' && key.size() <= 255;
}

Status CheckZone(RuleContext& context, NodeIndex call) {
  if (IsZoneKey(context.graph.TextOf(ArgsOf(context.graph, call)[0]))) return {};
  return Malformed(context.graph, call, "a time zone has a name that no time zone has");
}

Result<TreeRef> ZoneToTree(TreeContext& tree, NodeIndex call) {
  const std::span<const NodeIndex> args = ArgsOf(tree.graph(), call);
  return tree.Object("zoneinfo", "ZoneInfo", {tree.Of(args[0]), tree.Of(args[1])}, call);
}

// IsExponent: E, a sign, and a number that is no larger than those of honest numbers. int() of a Decimal takes as many
// bytes as its exponent says.
bool IsExponent(std::string_view text) {
  if (text.empty()) return true;
  if (!Eat(text, "E") || (!Eat(text, "+") && !Eat(text, "-")) || text.empty() || text.size() > 7) return false;
  const std::string_view digits = TakeDigits(text);
  std::uint64_t value = 0;
  for (const char digit : digits) value = 10 * value + static_cast<std::uint64_t>(digit - '0');
  return text.empty() && value <= kMostExponent;
}

// IsDecimal tells what str(Decimal) writes.
bool IsDecimal(std::string_view text) {
  Eat(text, "-");
  if (text == "Infinity") return true;
  Eat(text, "s");
  if (Eat(text, "NaN")) return TakeDigits(text).size() <= kMostDigits && text.empty();
  if (TakeDigits(text).empty()) return false;
  if (Eat(text, ".") && TakeDigits(text).empty()) return false;
  return IsExponent(text);
}

Status CheckDecimal(RuleContext& context, NodeIndex call) {
  const std::string_view text = context.graph.TextOf(ArgsOf(context.graph, call)[0]);
  if (text.size() > kMostDigits) {
    return Error{Stage::kLimit, "LIMIT-BYTES", "a decimal number has more digits than Python converts",
                 context.graph.offset(call)};
  }
  if (IsDecimal(text)) return {};
  return Malformed(context.graph, call, "a decimal number is not written as Python writes it, or out of its range");
}

// IsFraction tells what str(Fraction) writes. Fraction itself takes exponents too, and 1E999999999 fills the memory.
bool IsFraction(std::string_view text) {
  Eat(text, "-");
  if (TakeDigits(text).empty()) return false;
  if (!Eat(text, "/")) return text.empty();
  const std::string_view divisor = TakeDigits(text);
  return text.empty() && divisor.find_first_not_of('0') != std::string_view::npos;
}

Status CheckFraction(RuleContext& context, NodeIndex call) {
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  bool large = false;
  for (const NodeIndex arg : args) {
    large = large || (graph.kind(arg) == Kind::kLong && graph.LongOf(arg).size() > kMostLongBytes) ||
            graph.TextOf(arg).size() > 2 * kMostDigits;
  }
  if (large) {
    return Error{Stage::kLimit, "LIMIT-BYTES", "a fraction has more digits than Python converts", graph.offset(call)};
  }
  const bool fits = args.size() == 1 ? IsFraction(graph.TextOf(args[0]))
                                     : graph.kind(args[1]) == Kind::kLong || graph.IntOf(args[1]) != 0;
  if (fits) return {};
  return Malformed(graph, call, "a fraction is not written as Python writes it");
}

// ItemBytes returns the size of an item in the formats of array._array_reconstructor.
unsigned ItemBytes(std::int64_t format) {
  constexpr std::array<std::uint8_t, 22> kSizes{1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 4, 4, 8, 8, 2, 2, 4, 4};
  return kSizes[static_cast<std::size_t>(format)];  // a schema has checked the number
}

// FitsTypecode tells whether an item of a list may stand in an array of this type.
bool FitsTypecode(const Graph& graph, NodeIndex item, char typecode) {
  const Kind kind = graph.kind(item);
  if (typecode == 'u' || typecode == 'w') return graph.IsText(item);
  if (typecode == 'f' || typecode == 'd') return kind == Kind::kFloat || kind == Kind::kInt;
  return kind == Kind::kInt || (kind == Kind::kLong && graph.LongOf(item).size() <= 9);
}

Status CheckArray(RuleContext& context, NodeIndex call) {
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  const bool bytes = args.size() == 4;
  const std::string_view typecode = graph.TextOf(args[bytes ? 1 : 0]);
  if (typecode.size() != 1 || std::string_view("bBuwhHiIlLqQfd").find(typecode) == std::string_view::npos) {
    return Malformed(graph, call, "an array has a type that does not exist");
  }
  bool fits = true;
  if (bytes) {
    fits = graph.SizeOf(args[3]) % ItemBytes(graph.IntOf(args[2])) == 0;
  } else {
    for (const NodeIndex item : graph.ItemsOf(args[1])) fits = fits && FitsTypecode(graph, item, typecode.front());
  }
  if (fits) return {};
  return Malformed(graph, call, "the items of an array are not of its type");
}

Result<TreeRef> ArrayToTree(TreeContext& tree, NodeIndex call) {
  std::span<const NodeIndex> args = ArgsOf(tree.graph(), call);
  if (args.size() == 4) args = args.subspan(1);
  std::vector<TreeRef> parts;
  for (const NodeIndex arg : args) parts.push_back(tree.Of(arg));
  return tree.Object("array", "array", std::move(parts), call);
}

// CheckRandom: the state of the Mersenne twister is 624 words and a position, with which native code indexes them.
Status CheckRandom(RuleContext& context, NodeIndex call) {
  constexpr std::size_t kWords = 624;
  constexpr std::int64_t kLargestWord = 0xFFFFFFFF;
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> words = graph.ItemsOf(graph.ItemsOf(graph.CallOf(call).state)[1]);
  const bool fits = words.size() == kWords + 1 && std::all_of(words.begin(), words.end(), [&](NodeIndex word) {
                      return graph.kind(word) == Kind::kInt && graph.IntOf(word) <= kLargestWord;
                    });
  if (fits && graph.IntOf(words.back()) <= static_cast<std::int64_t>(kWords)) return {};
  return Refuse(graph, call, "STRUCT-RNG", "the state of a random generator points outside itself");
}

constexpr std::array<Rule, 7> kRules{{
    {.name = "type_of", .fold = FoldType},
    {.name = "attribute", .on_call = CheckAttribute, .fold = FoldAttribute},
    {.name = "zone_info", .on_call = CheckZone, .to_tree = ZoneToTree},
    {.name = "decimal", .on_call = CheckDecimal},
    {.name = "fraction", .on_call = CheckFraction},
    {.name = "array", .on_call = CheckArray, .to_tree = ArrayToTree},
    {.name = "python_random", .on_build = CheckRandom},
}};

}  // namespace

std::span<const Rule> StandardLibraryRules() { return kRules; }

}  // namespace safemodel::pickle
