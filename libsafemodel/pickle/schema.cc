// SPDX-License-Identifier: Apache-2.0
#include "pickle/schema.h"

#include <algorithm>

#include "pickle/allow_list.h"

namespace safemodel::pickle {

namespace {

bool IsCode(Kind kind) { return kind == Kind::kGlobal || kind == Kind::kCall || kind == Kind::kPersistent; }

bool IsInteger(Kind kind) { return kind == Kind::kInt || kind == Kind::kLong; }

bool IsBool(Kind kind) { return kind == Kind::kTrue || kind == Kind::kFalse; }

bool HasItems(Kind kind) {
  return kind == Kind::kList || kind == Kind::kTuple || kind == Kind::kDict || kind == Kind::kSet ||
         kind == Kind::kFrozenset;
}

// SpellsData says that a call is how older protocols write a value: set([1]) is {1}.
bool SpellsData(const Graph& graph, NodeIndex node) {
  const AllowEntry* entry = graph.EntryOf(node);
  if (entry == nullptr || entry->rule == nullptr || entry->rule->spells != Rule::Spells::kData) return false;
  const Call& call = graph.CallOf(node);
  return call.state == kNoNode && call.appends == kNoNode && call.set_items == kNoNode;
}

}  // namespace

// Mismatch remembers what stood where something else was wanted; items of a container count as well.
bool Matcher::Mismatch(NodeIndex node) {
  if (IsCode(graph_.kind(node))) found_code_ = true;
  if (!HasItems(graph_.kind(node))) return false;
  for (const NodeIndex item : graph_.ItemsOf(node)) {
    ++work_;
    if (IsCode(graph_.kind(item))) found_code_ = true;
  }
  return false;
}

bool Matcher::Matches(const Schema& schema, NodeIndex node) {
  ++work_;
  if (exhausted()) return false;
  using Form = Schema::Form;
  switch (schema.form) {
    case Form::kNode: return true;
    case Form::kPlain: return IsPlain(node) || Mismatch(node);
    case Form::kData: return IsData(node) || Mismatch(node);
    case Form::kInert: return IsInert(node) || Mismatch(node);
    case Form::kList: return MatchesItems(schema, node, Kind::kList);
    case Form::kSet: return MatchesItems(schema, node, Kind::kSet);
    case Form::kTupleOf: return MatchesItems(schema, node, Kind::kTuple);
    case Form::kTuple: return MatchesTuple(schema, node);
    case Form::kDict: return MatchesDict(schema, node);
    case Form::kMapping: return MatchesMapping(schema, node);
    case Form::kAttributes: return MatchesAttributes(schema, node);
    case Form::kGlobals:
    case Form::kType:
    case Form::kFunction:
    case Form::kCaller:
    case Form::kClass: return MatchesGlobal(schema, node) || Mismatch(node);
    case Form::kObject:
    case Form::kMade: return MatchesCall(schema, node) || Mismatch(node);
    case Form::kStorage: return context_.tables.storage_of.contains(node) || Mismatch(node);
    case Form::kReference: return IsReference(node) || Mismatch(node);
    case Form::kRaw: return graph_.kind(node) == Kind::kRawArray || Mismatch(node);
    case Form::kEmpty: return Matches(*schema.parts[0], node) && (IsEmpty(node) || Mismatch(node));
    case Form::kOneOf:
      return std::any_of(schema.parts.begin(), schema.parts.end(),
                         [&](const Schema* part) { return Matches(*part, node); });
    default: return MatchesConstant(schema, node) || Mismatch(node);
  }
}

bool Matcher::InRange(const Schema& schema, NodeIndex node) const {
  const Kind kind = graph_.kind(node);
  // An integer beyond i64 fits only where any integer does.
  if (kind == Kind::kLong) return schema.low == INT64_MIN && schema.high == INT64_MAX;
  return kind == Kind::kInt && graph_.IntOf(node) >= schema.low && graph_.IntOf(node) <= schema.high;
}

bool Matcher::MatchesConstant(const Schema& schema, NodeIndex node) {
  using Form = Schema::Form;
  const Kind kind = graph_.kind(node);
  switch (schema.form) {
    case Form::kNone: return kind == Kind::kNone;
    case Form::kTrue: return kind == Kind::kTrue;
    case Form::kFalse: return kind == Kind::kFalse;
    case Form::kBool: return IsBool(kind);
    case Form::kInt: return InRange(schema, node);
    case Form::kFloat: return kind == Kind::kFloat;
    case Form::kNumber: return kind == Kind::kFloat || IsInteger(kind) || IsBool(kind);
    case Form::kStr: return graph_.IsText(node);
    case Form::kLiteral: return graph_.IsText(node) && graph_.TextOf(node) == schema.text;
    case Form::kBytes:
      return (kind == Kind::kBytes || kind == Kind::kPy2Str) &&
             (schema.size == 0 || graph_.SizeOf(node) == schema.size);
    case Form::kByteArray: return kind == Kind::kByteArray;
    default: return false;
  }
}

bool Matcher::MatchesItems(const Schema& schema, NodeIndex node, Kind kind) {
  const bool fits = graph_.kind(node) == kind || (kind == Kind::kSet && graph_.kind(node) == Kind::kFrozenset);
  if (!fits) return Mismatch(node);
  graph_.Seal(node);
  const std::span<const NodeIndex> items = graph_.ItemsOf(node);
  return std::all_of(items.begin(), items.end(), [&](NodeIndex item) { return Matches(*schema.parts[0], item); });
}

bool Matcher::MatchesTuple(const Schema& schema, NodeIndex node) {
  if (graph_.kind(node) != Kind::kTuple) return Mismatch(node);
  const std::span<const NodeIndex> items = graph_.ItemsOf(node);
  if (items.size() != schema.parts.size()) return Mismatch(node);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!Matches(*schema.parts[i], items[i])) return false;
  }
  return true;
}

bool Matcher::MatchesDict(const Schema& schema, NodeIndex node) {
  if (graph_.kind(node) != Kind::kDict) return Mismatch(node);
  graph_.Seal(node);
  const std::span<const NodeIndex> items = graph_.ItemsOf(node);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!Matches(*schema.parts[0], items[i]) || !Matches(*schema.parts[1], items[i + 1])) return false;
  }
  return true;
}

// MatchesMapping: torch kept its modules in OrderedDicts for a long time, and optimizers keep a defaultdict. Their
// items are those that were set; arguments are no items, so there must be none that say more than a factory.
bool Matcher::MatchesMapping(const Schema& schema, NodeIndex node) {
  if (graph_.kind(node) == Kind::kDict) return MatchesDict(schema, node);
  const AllowEntry* entry = graph_.EntryOf(node);
  if (entry == nullptr || entry->module != "collections" || entry->item_key == nullptr) return Mismatch(node);
  const Call& call = graph_.CallOf(node);
  graph_.Seal(node);
  for (const NodeIndex arg : graph_.ItemsOf(call.args)) {
    const Kind kind = graph_.kind(arg);
    if (kind == Kind::kNone || kind == Kind::kGlobal) continue;
    // Python 2 writes OrderedDict([[key, value], …]).
    if (kind != Kind::kList) return Mismatch(arg);
    for (const NodeIndex pair : graph_.ItemsOf(arg)) {
      const std::span<const NodeIndex> item = graph_.ItemsOf(pair);
      if (item.size() != 2) return Mismatch(pair);
      if (!Matches(*schema.parts[0], item[0]) || !Matches(*schema.parts[1], item[1])) return false;
    }
  }
  return call.set_items == kNoNode || MatchesDict(schema, call.set_items);
}

bool Matcher::MatchesAttributes(const Schema& schema, NodeIndex node) {
  if (graph_.kind(node) != Kind::kDict) return Mismatch(node);
  graph_.Seal(node);
  const std::span<const NodeIndex> items = graph_.ItemsOf(node);
  std::unordered_map<std::string_view, bool> seen;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!graph_.IsText(items[i])) return Mismatch(items[i]);
    const auto found = schema.attributes.find(graph_.TextOf(items[i]));
    const bool named = found != schema.attributes.end();
    const Schema* wanted = named ? found->second.schema : schema.others;
    if (wanted == nullptr) return Mismatch(items[i + 1]);
    if (named && found->second.presence == Schema::Presence::kRequired) seen.emplace(found->first, true);
    if (!Matches(*wanted, items[i + 1])) return false;
  }
  return seen.size() == schema.required || Mismatch(node);
}

bool Matcher::MatchesGlobal(const Schema& schema, NodeIndex node) {
  if (graph_.kind(node) != Kind::kGlobal) return false;
  const AllowEntry* entry = graph_.GlobalOf(node).entry;
  if (entry == nullptr) return false;
  // Where any type may stand, it is called later: a factory of missing values. Nobody vouches for such calls.
  if (entry->origin == AllowEntry::Origin::kUser) return false;
  switch (schema.form) {
    case Schema::Form::kType: return entry->kind == EntryKind::kType || entry->kind == EntryKind::kClass;
    case Schema::Form::kFunction: return entry->kind == EntryKind::kFunction;
    case Schema::Form::kCaller: return entry->kind == EntryKind::kCaller;
    case Schema::Form::kClass: return entry->kind == EntryKind::kClass;
    default:
      return std::any_of(schema.names.begin(), schema.names.end(),
                         [&](const auto& name) { return entry->module == name.first && entry->name == name.second; });
  }
}

bool Matcher::MatchesCall(const Schema& schema, NodeIndex node) {
  const AllowEntry* entry = graph_.EntryOf(node);
  if (entry == nullptr) return false;
  if (schema.form == Schema::Form::kMade) {
    return entry->rule != nullptr &&
           std::find(schema.rules.begin(), schema.rules.end(), entry->rule) != schema.rules.end();
  }
  return std::any_of(schema.names.begin(), schema.names.end(),
                     [&](const auto& name) { return entry->module == name.first && entry->name == name.second; });
}

bool Matcher::IsEmpty(NodeIndex node) {
  graph_.Seal(node);
  if (HasItems(graph_.kind(node))) return graph_.ItemsOf(node).empty();
  if (graph_.kind(node) != Kind::kCall) return false;
  const Call& call = graph_.CallOf(node);
  if (call.state != kNoNode || call.appends != kNoNode || call.set_items != kNoNode) return false;
  // Python 2 writes OrderedDict([]).
  const std::span<const NodeIndex> args = graph_.ItemsOf(call.args);
  return std::all_of(args.begin(), args.end(),
                     [&](NodeIndex arg) { return HasItems(graph_.kind(arg)) && graph_.ItemsOf(arg).empty(); });
}

bool Matcher::IsPlain(NodeIndex root) {
  using Plain = Graph::Plain;
  pending_.assign(1, root);
  visited_.clear();
  bool plain = true;
  while (plain && !pending_.empty()) {
    const NodeIndex node = pending_.back();
    pending_.pop_back();
    ++work_;
    if (graph_.plain(node) == Plain::kYes) continue;
    const bool spelled = SpellsData(graph_, node);
    if (exhausted() || graph_.plain(node) == Plain::kNo || (IsCode(graph_.kind(node)) && !spelled)) {
      plain = false;
      break;
    }
    if (!HasItems(graph_.kind(node)) && !spelled) continue;
    // Assumed until something below says otherwise, which also ends cycles.
    graph_.SetPlain(node, Plain::kYes);
    graph_.Seal(node);
    visited_.push_back(node);
    const std::span<const NodeIndex> items = graph_.ItemsOf(spelled ? graph_.CallOf(node).args : node);
    pending_.insert(pending_.end(), items.begin(), items.end());
  }
  if (plain) return true;
  // Some of these may be plain after all; they are looked at again when they are asked for. The root is not.
  for (const NodeIndex node : visited_) graph_.SetPlain(node, Plain::kUnknown);
  graph_.SetPlain(root, Plain::kNo);
  return false;
}

bool Matcher::IsInert(NodeIndex node) const {
  const Kind kind = graph_.kind(node);
  if (kind != Kind::kCall && kind != Kind::kGlobal) return graph_.tainted(node);
  const AllowEntry* entry = kind == Kind::kCall ? graph_.EntryOf(node) : graph_.GlobalOf(node).entry;
  return entry == nullptr || entry->origin == AllowEntry::Origin::kUser;
}

bool Matcher::IsReference(NodeIndex node) const {
  return graph_.kind(node) == Kind::kPersistent && context_.tables.tensor_of.contains(node);
}

// AddPartsOfData says whether a node itself may be part of data, and puts what it is made of on the list.
bool Matcher::AddPartsOfData(NodeIndex node) {
  const Kind kind = graph_.kind(node);
  const auto add = [&](NodeIndex part) {
    if (part != kNoNode) pending_.push_back(part);
  };
  if (HasItems(kind)) {
    graph_.Seal(node);
    for (const NodeIndex item : graph_.ItemsOf(node)) add(item);
    return true;
  }
  if (kind == Kind::kPersistent) return context_.tables.storage_of.contains(node) || IsReference(node);
  if (kind == Kind::kGlobal) {
    const AllowEntry* entry = graph_.GlobalOf(node).entry;
    return entry != nullptr && (entry->kind == EntryKind::kType || entry->kind == EntryKind::kValue);
  }
  if (kind != Kind::kCall) return true;
  const AllowEntry* entry = graph_.EntryOf(node);
  if (entry == nullptr || (entry->result != AllowEntry::Result::kData && !SpellsData(graph_, node))) return false;
  const Call& call = graph_.CallOf(node);
  graph_.Seal(node);
  // The names among its arguments are those that its own schema allows.
  for (const NodeIndex arg : graph_.ItemsOf(call.args)) {
    if (graph_.kind(arg) != Kind::kGlobal) add(arg);
  }
  for (const NodeIndex part : {call.state, call.appends, call.set_items}) add(part);
  return true;
}

bool Matcher::IsData(NodeIndex root) {
  data_.resize(graph_.size());
  pending_.assign(1, root);
  visited_.clear();
  while (!pending_.empty()) {
    const NodeIndex node = pending_.back();
    pending_.pop_back();
    ++work_;
    if (data_[node] != 0) continue;
    if (exhausted() || !AddPartsOfData(node)) {
      for (const NodeIndex seen : visited_) data_[seen] = 0;
      return false;
    }
    // Assumed until something below says otherwise, which also ends cycles.
    data_[node] = 1;
    visited_.push_back(node);
  }
  return true;
}

}  // namespace safemodel::pickle
