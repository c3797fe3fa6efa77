// SPDX-License-Identifier: Apache-2.0
#include "pickle/judge.h"

#include <array>
#include <utility>

#include "base/try.h"
#include "pickle/python2_names.h"

namespace safemodel::pickle {

namespace {

bool IsIdentifierPath(std::string_view path) {
  bool start = true;
  for (const char letter : path) {
    const bool alphabetic = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
                            static_cast<unsigned char>(letter) >= 0x80;
    const bool digit = letter >= '0' && letter <= '9';
    if (start ? !alphabetic : !(alphabetic || digit || letter == '.')) return false;
    start = letter == '.';
  }
  return !start;
}

}  // namespace

std::string FullName(const GlobalName& global) { return std::string(global.module) + "." + std::string(global.name); }

Judge::Judge(RuleContext& context, const AllowList& allow_list, ConvertOptions::Unknown unknown)
    : context_(context),
      graph_(context.graph),
      allow_list_(allow_list),
      unknown_(unknown),
      matcher_(context),
      first_call_(context.graph.calls().size()) {}

Error Judge::Refused(const char* code, const char* text, std::uint64_t offset, NodeIndex callee) const {
  Error error{Stage::kUnsafe, code, text, offset};
  if (callee != kNoNode && graph_.kind(callee) == Kind::kGlobal) error.subject = FullName(graph_.GlobalOf(callee));
  return error;
}

void Judge::RememberUnknown(const char* code, const char* text, std::uint64_t offset, const GlobalName& global) {
  if (!first_unknown_) first_unknown_ = Error{Stage::kUnsafe, code, text, offset, FullName(global)};
  if (unknown_ == ConvertOptions::Unknown::kKeepInert) context_.tables.inert.push_back({FullName(global), offset});
}

Status Judge::CheckName(std::uint64_t offset, const GlobalName& global) const {
  const std::string name = FullName(global);
  const auto refuse = [&](const char* code, const char* text) {
    return Error{Stage::kUnsafe, code, text, offset, name};
  };
  if (!IsIdentifierPath(global.module) || !IsIdentifierPath(global.name)) {
    return refuse("GLOBAL-NAME", "the pickle imports something whose name is no Python identifier");
  }
  // Both spellings count: a reader that does not map the names of Python 2 imports the first one.
  const bool moved = global.module != global.mapped_module || global.name != global.mapped_name;
  const bool dangerous = (global.entry == nullptr && IsDangerous(global.mapped_module, global.mapped_name)) ||
                         (moved && IsDangerous(global.module, global.name));
  if (dangerous) return refuse("GLOBAL-DANGEROUS", "the pickle imports a function that runs programs or code");
  if (global.entry == nullptr && global.name.find('.') != std::string_view::npos) {
    return refuse("GLOBAL-DOTTED", "the pickle walks through attributes of a module, which reaches any other module");
  }
  return {};
}

Result<std::uint32_t> Judge::Import(std::uint64_t offset, std::string_view module, std::string_view name,
                                    unsigned protocol) {
  const ImportKey key{module, name, protocol < 3};
  if (const auto known = imported_.find(key); known != imported_.end()) return known->second;
  const Python2Name mapped = key.python2 ? MapPython2Name(module, name) : Python2Name{module, name};
  GlobalName global{module, name, mapped.module, mapped.name, allow_list_.Find(mapped.module, mapped.name)};
  global.offset = offset;
  SAFEMODEL_TRY(CheckName(offset, global));
  if (global.entry != nullptr) {
    global.danger = Danger::kListed;
  } else {
    // Names of Python 2 stay in its library whatever protocol spells them.
    global.danger =
        IsStandardLibrary(mapped.module) || IsStandardLibrary(module) ? Danger::kUnlistedStdlib : Danger::kUnlisted;
    RememberUnknown("GLOBAL-UNLISTED", "the pickle imports a name that the allow-list does not know", offset, global);
  }
  const std::uint32_t number = graph_.AddGlobalName(global);
  imported_.emplace(key, number);
  return number;
}

Status Judge::CheckCallable(std::uint64_t offset, NodeIndex callee, NodeIndex args) const {
  if (graph_.kind(callee) != Kind::kGlobal) {
    return Refused("CALL-NOT-GLOBAL", "the pickle calls the result of something else", offset, callee);
  }
  if (graph_.kind(args) != Kind::kTuple) {
    return Refused("PKL-DIFFERENTIAL", "the pickle calls with arguments that are no tuple, which only some readers do",
                   offset, callee);
  }
  return {};
}

Result<bool> Judge::MatchesOne(const std::vector<const Schema*>& alternatives, NodeIndex node, const Error& refusal) {
  matcher_.Reset();
  for (const Schema* schema : alternatives) {
    if (matcher_.Matches(*schema, node)) return true;
  }
  if (matcher_.exhausted()) {
    return Error{Stage::kLimit, "LIMIT-COUNT", "the same data is passed to too many calls", refusal.offset,
                 refusal.subject};
  }
  if (matcher_.found_code()) return refusal;
  return false;
}

Result<NodeIndex> Judge::MakeInert(std::uint64_t offset, Call call) {
  call.entry = nullptr;
  return graph_.AddCall(offset, call);
}

Result<NodeIndex> Judge::Make(std::uint64_t offset, Call call, const std::vector<const Schema*>& alternatives,
                              NodeIndex args) {
  const Error refusal = Refused("CALL-ARGS", "the pickle passes a function or an object where the callee takes data",
                                offset, call.callee);
  if (call.entry->support == AllowEntry::Support::kNo) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED",
                 "the pickle holds a kind of object that this version does not read", offset, refusal.subject};
  }
  bool matches = false;
  SAFEMODEL_ASSIGN(matches, MatchesOne(alternatives, args, refusal));
  if (!matches) {
    RememberUnknown("CALL-ARGS", "the pickle calls a known name with arguments that nobody vouched for", offset,
                    graph_.GlobalOf(call.callee));
    return MakeInert(offset, call);
  }
  const Rule* rule = call.entry->rule;
  const NodeIndex made = graph_.AddCall(offset, call);
  if (rule != nullptr && rule->on_call != nullptr) SAFEMODEL_TRY(rule->on_call(context_, made));
  if (rule != nullptr && rule->fold != nullptr) return rule->fold(context_, made);
  return made;
}

Result<NodeIndex> Judge::Reduce(std::uint64_t offset, NodeIndex callee, NodeIndex args) {
  if (graph_.kind(callee) == Kind::kGlobal && graph_.GlobalOf(callee).entry == nullptr) {
    return Refused("CALL-UNLISTED", "the pickle calls a function that the allow-list does not know", offset, callee);
  }
  SAFEMODEL_TRY(CheckCallable(offset, callee, args));
  const AllowEntry* entry = graph_.GlobalOf(callee).entry;
  if (entry->module == "copyreg" && entry->name == "_reconstructor") return Reconstruct(offset, args);
  if (entry->module == "torch._tensor" && entry->name == "_rebuild_from_type_v2")
    return RebuildTyped(offset, callee, args);
  if (entry->call.empty() && entry->support == AllowEntry::Support::kYes) {
    return Refused("CALL-UNLISTED", "the pickle calls a name that the allow-list knows only as a value", offset,
                   callee);
  }
  return Make(offset, {.callee = callee, .args = args, .entry = entry, .how = How::kReduce}, entry->call, args);
}

Result<const AllowEntry*> Judge::ClassOf(std::uint64_t offset, NodeIndex cls) const {
  const GlobalName& global = graph_.GlobalOf(cls);
  const bool known = global.entry != nullptr;
  if (known && (!global.entry->make.empty() || !global.entry->base.empty() ||
                global.entry->support == AllowEntry::Support::kNo)) {
    return global.entry;
  }
  if (known || global.danger == Danger::kUnlistedStdlib) {
    return Refused("NEW-UNLISTED", "the pickle makes an object of something that the allow-list knows as no class",
                   offset, cls);
  }
  return nullptr;
}

Result<NodeIndex> Judge::New(std::uint64_t offset, NodeIndex cls, NodeIndex args, NodeIndex kwargs) {
  SAFEMODEL_TRY(CheckCallable(offset, cls, args));
  const AllowEntry* entry = nullptr;
  SAFEMODEL_ASSIGN(entry, ClassOf(offset, cls));
  Call call{.callee = cls, .args = args, .entry = entry, .how = How::kNew};
  if (kwargs != kNoNode && graph_.kind(kwargs) != Kind::kDict) {
    return Error{Stage::kMalformed, "PKL-MALFORMED", "keyword arguments are no dict", offset};
  }
  if (kwargs != kNoNode && !graph_.ItemsOf(kwargs).empty()) {
    return Refused("CALL-ARGS", "the pickle passes keyword arguments, which no listed class takes", offset, cls);
  }
  return entry == nullptr ? MakeInert(offset, call) : Make(offset, call, entry->make, args);
}

Result<NodeIndex> Judge::Instance(std::uint64_t offset, NodeIndex cls, NodeIndex args) {
  SAFEMODEL_TRY(CheckCallable(offset, cls, args));
  const AllowEntry* entry = graph_.GlobalOf(cls).entry;
  // Even without arguments: the target may be a function instead of a class.
  if (entry == nullptr || (entry->call.empty() && entry->make.empty())) {
    return Refused("CALL-UNLISTED", "the pickle calls a function that the allow-list does not know", offset, cls);
  }
  const bool bare = graph_.ItemsOf(args).empty() && !entry->make.empty();
  Call call{.callee = cls, .args = args, .entry = entry, .how = bare ? How::kNew : How::kInstance};
  return Make(offset, call, bare ? entry->make : entry->call, args);
}

// Reconstruct is copyreg._reconstructor(cls, base, state): base.__new__(cls, state), which is the object protocol.
Result<NodeIndex> Judge::Reconstruct(std::uint64_t offset, NodeIndex args) {
  const std::span<const NodeIndex> items = graph_.ItemsOf(args);
  if (items.size() != 3)
    return Error{Stage::kMalformed, "PKL-MALFORMED", "an object is made with a wrong number of arguments", offset};
  const NodeIndex cls = items[0];
  const NodeIndex base = items[1];
  const NodeIndex state = items[2];
  SAFEMODEL_TRY(CheckCallable(offset, cls, args));
  const AllowEntry* base_entry = graph_.kind(base) == Kind::kGlobal ? graph_.GlobalOf(base).entry : nullptr;
  if (base_entry == nullptr || base_entry->module != "builtins" || base_entry->kind != EntryKind::kType) {
    return Refused("CALL-ARGS", "the pickle makes an object by means of something that is no built-in type", offset,
                   base);
  }
  const AllowEntry* entry = nullptr;
  SAFEMODEL_ASSIGN(entry, ClassOf(offset, cls));
  const bool plain = base_entry->name == "object" && graph_.kind(state) == Kind::kNone;
  NodeIndex made_args = graph_.AddContainer(Kind::kTuple, offset);
  Call call{.callee = cls, .args = made_args, .entry = entry, .how = How::kNew};
  if (plain) return entry == nullptr ? MakeInert(offset, call) : Make(offset, call, entry->make, made_args);
  SAFEMODEL_TRY(Fill(offset, made_args, std::array<NodeIndex, 2>{base, state}));
  call.how = How::kReconstruct;
  if (entry == nullptr) return MakeInert(offset, call);
  if (entry->base != std::string(base_entry->module) + "." + std::string(base_entry->name)) {
    return Refused("CALL-ARGS", "the pickle makes an object by means of a type that is not its base", offset, cls);
  }
  const Schema any{};
  Schema wanted{};
  wanted.form = Schema::Form::kTuple;
  wanted.parts = {&any, entry->base_state};
  return Make(offset, call, {&wanted}, made_args);
}

// RebuildTyped is torch._tensor._rebuild_from_type_v2(func, type, args, state), which calls func(*args).
Result<NodeIndex> Judge::RebuildTyped(std::uint64_t offset, NodeIndex callee, NodeIndex args) {
  const std::span<const NodeIndex> items = graph_.ItemsOf(args);
  if (items.size() != 4)
    return Error{Stage::kMalformed, "PKL-MALFORMED", "a tensor is made with a wrong number of arguments", offset};
  const NodeIndex type = items[1];
  const NodeIndex state = items[3];
  NodeIndex inner = items[0];
  // One level only: a function that calls another of its kind matches no schema.
  if (graph_.kind(inner) == Kind::kGlobal && graph_.GlobalOf(inner).entry == graph_.GlobalOf(callee).entry) {
    return Refused("CALL-ARGS", "the pickle passes a function where the callee takes data", offset, callee);
  }
  SAFEMODEL_ASSIGN(inner, Reduce(offset, inner, items[2]));
  const NodeIndex typed = graph_.AddContainer(Kind::kTuple, offset);
  SAFEMODEL_TRY(Fill(offset, typed, std::array<NodeIndex, 3>{inner, type, state}));
  const AllowEntry* entry = graph_.GlobalOf(callee).entry;
  return Make(offset, {.callee = callee, .args = typed, .entry = entry, .how = How::kReduce}, entry->call, typed);
}

Status Judge::CheckAttributes(std::uint64_t offset, const Call& call, NodeIndex dict) const {
  const std::span<const NodeIndex> items = graph_.ItemsOf(dict);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!graph_.IsText(items[i])) {
      return Refused("STATE-SCHEMA", "the state of an object has a name that is no text", offset, call.callee);
    }
    const std::string_view name = graph_.TextOf(items[i]);
    const Kind value = graph_.kind(items[i + 1]);
    const bool dunder = name.starts_with("__") && name.ends_with("__");
    const bool reserved =
        call.entry != nullptr && call.entry->reserved != nullptr && call.entry->reserved->contains(name);
    // APPEND and ADDITEMS call these of whatever class.
    const bool adder =
        (name == "append" || name == "extend" || name == "add") && (value == Kind::kGlobal || value == Kind::kCall);
    if (!dunder && !reserved && !adder) continue;
    Error error =
        Refused("STATE-RESERVED", "the state of an object replaces a method of its class", offset, call.callee);
    error.subject += "." + std::string(name);
    return error;
  }
  return {};
}

// CheckState looks at attribute names: of a dict, and of (dict, slots).
Status Judge::CheckState(std::uint64_t offset, const Call& call, NodeIndex state) const {
  if (graph_.kind(state) == Kind::kDict) return CheckAttributes(offset, call, state);
  if (graph_.kind(state) != Kind::kTuple || graph_.ItemsOf(state).size() != 2) return {};
  for (const NodeIndex part : graph_.ItemsOf(state)) {
    if (graph_.kind(part) != Kind::kDict) continue;
    SAFEMODEL_TRY(CheckAttributes(offset, call, part));
    graph_.Seal(part);
  }
  return {};
}

Status Judge::Build(std::uint64_t offset, NodeIndex target, NodeIndex state) {
  if (graph_.kind(target) != Kind::kCall) {
    return Refused("STATE-TARGET", "the pickle sets the state of something that is no object it made", offset, target);
  }
  SAFEMODEL_TRY(CheckChangeable(offset, target));
  const Call call = graph_.CallOf(target);
  if (call.state != kNoNode) {
    return Refused("STATE-SCHEMA", "the pickle sets the state of an object twice", offset, call.callee);
  }
  SAFEMODEL_TRY(CheckState(offset, call, state));
  graph_.Seal(state);
  graph_.CallOf(target).state = state;
  if (call.entry == nullptr) return {};
  const Error refusal = Refused(
      "STATE-SCHEMA", "the state of an object holds a function or an object where data belongs", offset, call.callee);
  bool matches = false;
  if (call.entry->state.empty()) {
    if (!matcher_.IsPlain(state)) return refusal;
  } else {
    SAFEMODEL_ASSIGN(matches, MatchesOne(call.entry->state, state, refusal));
  }
  if (!matches) {
    RememberUnknown("STATE-SCHEMA", "the state of an object is one that nobody vouched for", offset,
                    graph_.GlobalOf(call.callee));
    graph_.CallOf(target).entry = nullptr;
    return {};
  }
  const Rule* rule = call.entry->rule;
  return rule != nullptr && rule->on_build != nullptr ? rule->on_build(context_, target) : Status();
}

Status Judge::CheckChangeable(std::uint64_t offset, NodeIndex target) const {
  if (!graph_.sealed(target)) return {};
  return Error{Stage::kUnsafe, "CALL-ARGS", "the pickle changes data after it was passed to a call", offset};
}

Status Judge::Fill(std::uint64_t offset, NodeIndex container, std::span<const NodeIndex> items) {
  if (graph_.Append(container, items)) return {};
  return Error{Stage::kLimit, "LIMIT-COUNT", "the containers of the pickle hold more items than this reader can number",
               offset};
}

// CheckItem compares what is added to an object. An inert object takes anything: each item was judged when it was made.
Status Judge::CheckItem(std::uint64_t offset, const Call& call, const Schema* schema, NodeIndex item) {
  if (call.entry == nullptr) return {};
  if (schema == nullptr) {
    return Refused("ITEMS-TARGET", "the pickle adds items to an object whose class takes none", offset, call.callee);
  }
  const Error refusal = Refused("ITEMS-TARGET", "the pickle adds a function or an object where the class takes data",
                                offset, call.callee);
  bool matches = false;
  SAFEMODEL_ASSIGN(matches, MatchesOne({schema}, item, refusal));
  if (!matches)
    RememberUnknown("ITEMS-TARGET", "the pickle adds items that nobody vouched for", offset,
                    graph_.GlobalOf(call.callee));
  return {};
}

Status Judge::Append(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items) {
  SAFEMODEL_TRY(CheckChangeable(offset, target));
  if (graph_.kind(target) == Kind::kList) return Fill(offset, target, items);
  if (graph_.kind(target) != Kind::kCall) {
    return Refused("ITEMS-TARGET", "the pickle appends to something that is no list, which calls its methods", offset,
                   target);
  }
  for (const NodeIndex item : items) {
    const Call& call = graph_.CallOf(target);
    SAFEMODEL_TRY(CheckItem(offset, call, call.entry == nullptr ? nullptr : call.entry->appends, item));
  }
  if (graph_.CallOf(target).appends == kNoNode)
    graph_.CallOf(target).appends = graph_.AddContainer(Kind::kList, offset);
  return Fill(offset, graph_.CallOf(target).appends, items);
}

Status Judge::SetItems(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items) {
  SAFEMODEL_TRY(CheckChangeable(offset, target));
  if (graph_.kind(target) == Kind::kDict) return Fill(offset, target, items);
  if (graph_.kind(target) != Kind::kCall) {
    return Refused("ITEMS-TARGET", "the pickle sets items of something that is no dict, which calls its methods",
                   offset, target);
  }
  const Call& call = graph_.CallOf(target);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    SAFEMODEL_TRY(CheckItem(offset, call, call.entry == nullptr ? nullptr : call.entry->item_key, items[i]));
    SAFEMODEL_TRY(CheckItem(offset, call, call.entry == nullptr ? nullptr : call.entry->item_value, items[i + 1]));
  }
  if (call.set_items == kNoNode) graph_.CallOf(target).set_items = graph_.AddContainer(Kind::kDict, offset);
  return Fill(offset, graph_.CallOf(target).set_items, items);
}

Status Judge::AddItems(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items) {
  SAFEMODEL_TRY(CheckChangeable(offset, target));
  if (graph_.kind(target) == Kind::kSet) return Fill(offset, target, items);
  return Refused("ITEMS-TARGET", "the pickle adds to something that is no set, which calls its methods", offset,
                 target);
}

Status Judge::Finish() {
  for (std::size_t i = first_call_; i < graph_.calls().size(); ++i) {
    const Call& call = graph_.calls()[i];
    if (call.entry == nullptr || call.entry->state_need == AllowEntry::Need::kOptional || call.state != kNoNode)
      continue;
    return Refused("STATE-SCHEMA", "a native object was made and never given its state, which crashes whoever uses it",
                   graph_.offset(call.callee), call.callee);
  }
  if (first_unknown_ && unknown_ == ConvertOptions::Unknown::kRefuse) return *first_unknown_;
  return {};
}

}  // namespace safemodel::pickle
