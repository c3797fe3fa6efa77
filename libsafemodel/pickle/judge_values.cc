// SPDX-License-Identifier: Apache-2.0
// What a listed name, or an object, does where it stands: as a value that somebody calls later, as an attribute that
// somebody asks for, as a key that is hashed.
#include <algorithm>
#include <string>

#include "pickle/findings.h"
#include "pickle/global_name.h"
#include "pickle/judge.h"

namespace safemodel::pickle {
namespace {

bool IsContainer(Kind kind) {
  return kind == Kind::kList || kind == Kind::kTuple || kind == Kind::kDict || kind == Kind::kSet ||
         kind == Kind::kFrozenset;
}

// States says whether a schema of a tuple states a name at a place of it.
bool States(const Schema& schema, std::size_t place, const AllowEntry& entry) {
  if (schema.form != Schema::Form::kTuple || place >= schema.parts.size()) return false;
  const Schema& part = *schema.parts[place];
  const auto same = [&](const auto& name) { return entry.module == name.first && entry.name == name.second; };
  return part.form == Schema::Form::kGlobals && std::ranges::any_of(part.names, same);
}

}  // namespace

bool Judge::StandsByName(NodeIndex value) const {
  if (graph_.kind(value) != Kind::kGlobal) return false;
  const AllowEntry* entry = graph_.GlobalOf(value).entry;
  if (entry == nullptr || entry->stands == AllowEntry::Stands::kAnywhere) return false;
  return entry->kind == EntryKind::kReducer || entry->kind == EntryKind::kNamed;
}

// RefuseValue: torch.storage._load_from_bytes is read where the pickle calls it, with the bytes at hand. Handed on, it
// is called by whatever finds it there, with bytes that nobody has seen; and getattr with names that nobody has seen.
void Judge::RefuseValue(NodeIndex value, NodeIndex place) {
  Refuse("GLOBAL-VALUE", "the pickle hands on a function that is read only where a pickle calls it",
         graph_.offset(value), value, place);
}

// HoldersOfValues returns the containers of the stream that hold such functions, each with their places in it. A
// persistent id that is one is refused.
std::map<NodeIndex, std::vector<std::size_t>> Judge::HoldersOfValues() {
  std::map<NodeIndex, std::vector<std::size_t>> holders;
  for (auto node = static_cast<NodeIndex>(first_node_); node < graph_.size(); ++node) {
    const Kind kind = graph_.kind(node);
    if (kind == Kind::kPersistent && StandsByName(graph_.PersistentIdOf(node)))
      RefuseValue(graph_.PersistentIdOf(node), node);
    if (!IsContainer(kind)) continue;
    const std::span<const NodeIndex> items = graph_.ItemsOf(node);
    for (std::size_t place = 0; place < items.size(); ++place) {
      if (StandsByName(items[place])) holders[node].push_back(place);
    }
  }
  return holders;
}

// StatesAll says whether a schema of a call states the names of all such functions in a tuple. Tuples that are longer
// than their schemas end at the first place that no schema has, however many calls share them.
bool Judge::StatesAll(const std::vector<const Schema*>& alternatives, NodeIndex tuple,
                      const std::vector<std::size_t>& places) const {
  return graph_.kind(tuple) == Kind::kTuple && std::ranges::all_of(places, [&](std::size_t place) {
           const AllowEntry& entry = *graph_.GlobalOf(graph_.ItemsOf(tuple)[place]).entry;
           return std::ranges::any_of(alternatives,
                                      [&](const Schema* schema) { return States(*schema, place, entry); });
         });
}

// CheckValues: such functions stand in tuples that calls take as arguments or states, and whose schemas state them. A
// tuple that does so for one call may be shared, and must do so for each; as a value it is as bad as what it holds.
void Judge::CheckValues(NodeIndex root) {
  static const std::vector<const Schema*> nothing;
  std::map<NodeIndex, std::vector<std::size_t>> holders = HoldersOfValues();
  const auto refuse = [&](NodeIndex holder, const std::vector<std::size_t>& places) {
    RefuseValue(graph_.ItemsOf(holder)[places.front()], holder);
  };
  const auto check = [&](NodeIndex tuple, const std::vector<const Schema*>& alternatives) {
    const auto holder = holders.find(tuple);
    if (holder == holders.end()) return;
    if (StatesAll(alternatives, tuple, holder->second)) {
      by_name_.insert(tuple);
    } else {
      refuse(tuple, holder->second);
      holders.erase(holder);
    }
  };
  for (std::size_t i = first_call_; i < graph_.calls().size(); ++i) {
    const Call& call = graph_.calls()[i];
    const bool made = call.how == How::kNew;
    check(call.args, call.entry == nullptr ? nothing : made ? call.entry->make : call.entry->call);
    check(call.state, call.entry == nullptr ? nothing : call.entry->state);
    if (call.state != kNoNode && StandsByName(call.state)) RefuseValue(call.state, call.state);
  }
  for (const auto& [holder, places] : holders) {
    // Where a stream breaks off, the arguments of a call may have been read, and the call not.
    const bool unread = graph_.kind(holder) == Kind::kTuple && root == kNoNode;
    if (!unread && !by_name_.contains(holder)) refuse(holder, places);
  }
  CheckShared(root);
}

// CheckShared looks for tuples that state names for a call and are values as well. Few streams have any.
void Judge::CheckShared(NodeIndex root) {
  if (root != kNoNode && (StandsByName(root) || by_name_.contains(root))) RefuseValue(root, root);
  if (by_name_.empty()) return;
  for (auto node = static_cast<NodeIndex>(first_node_); node < graph_.size(); ++node) {
    const Kind kind = graph_.kind(node);
    if (kind == Kind::kPersistent && by_name_.contains(graph_.PersistentIdOf(node)))
      RefuseValue(graph_.PersistentIdOf(node), node);
    if (!IsContainer(kind)) continue;
    for (const NodeIndex item : graph_.ItemsOf(node)) {
      if (by_name_.contains(item)) RefuseValue(item, node);
    }
  }
}

void Judge::CheckInnerNames(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items) {
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!graph_.IsText(items[i])) continue;
    const std::string_view name = graph_.TextOf(items[i]);
    if (!name.starts_with("__") || !name.ends_with("__")) continue;
    Error error = ErrorAbout(Stage::kUnsafe, "STATE-RESERVED",
                             "an object whose keys are its attributes has a key that replaces a method of Python's",
                             offset, graph_.CallOf(target).callee);
    error.subject += "." + ShortName(name);
    context_.findings.AddAbout(graph_, target, std::move(error), ScanVerdict::kDangerous);
  }
}

void Judge::CheckInner(std::uint64_t offset, NodeIndex target, NodeIndex dict) {
  static constexpr char kInner = 0;  // beside sets of reserved names, whose addresses are others
  graph_.Seal(dict);
  if (!checked_.emplace(dict, &kInner).second) return;  // many modules may share one
  if (graph_.kind(dict) == Kind::kDict) return CheckInnerNames(offset, target, graph_.ItemsOf(dict));
  if (graph_.kind(dict) != Kind::kCall) return;
  const Call& call = graph_.CallOf(dict);
  if (call.set_items != kNoNode) CheckInnerNames(offset, target, graph_.ItemsOf(call.set_items));
  // Python 2 writes OrderedDict([[key, value], …]).
  for (const NodeIndex arg : graph_.ItemsOf(call.args)) {
    if (graph_.kind(arg) != Kind::kList) continue;
    for (const NodeIndex pair : graph_.ItemsOf(arg)) {
      if (IsContainer(graph_.kind(pair))) CheckInnerNames(offset, target, graph_.ItemsOf(pair));
    }
  }
}

void Judge::TookDict(NodeIndex dict, std::span<const NodeIndex> items) {
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) CheckHashed(graph_.offset(dict), dict, items[i]);
  dict_keys_.Took(dict, items);
}

void Judge::TookSet(NodeIndex set, std::span<const NodeIndex> items) {
  for (const NodeIndex item : items) CheckHashed(graph_.offset(set), set, item);
}

// HashIsPlain walks through tuples, which hash their items. Objects hash as their class says: almost all by identity or
// by data that their schema has typed, and the others are marked in the tables.
bool Judge::HashIsPlain(NodeIndex key) {
  std::vector<NodeIndex> pending{key};
  std::vector<NodeIndex> seen;
  while (!pending.empty()) {
    const NodeIndex node = pending.back();
    pending.pop_back();
    const Kind kind = graph_.kind(node);
    if (kind == Kind::kCall) {
      const AllowEntry* entry = graph_.EntryOf(node);
      if (entry != nullptr && entry->hash == AllowEntry::Hash::kOfAttributes) {
        for (const NodeIndex tuple : seen) hashed_.erase(tuple);
        return false;
      }
    }
    if ((kind != Kind::kTuple && kind != Kind::kFrozenset) || !hashed_.insert(node).second) continue;
    seen.push_back(node);
    const std::span<const NodeIndex> items = graph_.ItemsOf(node);
    pending.insert(pending.end(), items.begin(), items.end());
  }
  return true;
}

void Judge::CheckHashed(std::uint64_t offset, NodeIndex container, NodeIndex key) {
  const Kind kind = graph_.kind(key);
  if (kind != Kind::kCall && kind != Kind::kTuple && kind != Kind::kFrozenset) return;
  if (graph_.tainted(key) || HashIsPlain(key)) return;
  const NodeIndex callee = kind == Kind::kCall ? graph_.CallOf(key).callee : kNoNode;
  Refuse("ITEMS-TARGET", "a key of a dict, or an item of a set, is an object whose hash asks its attributes", offset,
         callee, container);
}

// CheckHashedArguments: below protocol 4 sets are made by a call, and Python 2 makes ordered dicts with their items.
void Judge::CheckHashedArguments(std::uint64_t offset, NodeIndex made) {
  const Call& call = graph_.CallOf(made);
  const std::span<const NodeIndex> args = graph_.ItemsOf(call.args);
  const bool set = call.entry->module == "builtins" && (call.entry->name == "set" || call.entry->name == "frozenset");
  const bool dict = call.entry->module == "collections" && call.entry->name == "OrderedDict";
  if ((!set && !dict) || args.empty()) return;
  for (const NodeIndex item : graph_.ItemsOf(args[0])) {
    if (set) CheckHashed(offset, made, item);
    if (dict && !graph_.ItemsOf(item).empty()) CheckHashed(offset, made, graph_.ItemsOf(item)[0]);
  }
}

}  // namespace safemodel::pickle
