// SPDX-License-Identifier: Apache-2.0
#include "pickle/judge.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "pickle/findings.h"
#include "pickle/global_name.h"
#include "pickle/python2_names.h"

namespace safemodel::pickle {

Judge::Judge(RuleContext& context, const AllowList& allow_list, ConvertOptions::Unknown unknown)
    : context_(context),
      graph_(context.graph),
      allow_list_(allow_list),
      unknown_(unknown),
      matcher_(context),
      first_call_(context.graph.calls().size()),
      dict_keys_(context.graph),
      first_node_(context.graph.size()) {}

Error Judge::ErrorAbout(Stage stage, const char* code, const char* text, std::uint64_t offset, NodeIndex callee) const {
  Error error{stage, code, text, offset};
  if (callee != kNoNode && graph_.kind(callee) == Kind::kGlobal) error.subject = FullName(graph_.GlobalOf(callee));
  return error;
}

void Judge::Refuse(const char* code, const char* text, std::uint64_t offset, NodeIndex callee, NodeIndex node) {
  context_.findings.AddAbout(graph_, node, ErrorAbout(Stage::kUnsafe, code, text, offset, callee),
                             ScanVerdict::kDangerous);
}

void Judge::RememberUnknown(const char* code, const char* text, std::uint64_t offset, NodeIndex callee,
                            NodeIndex node) {
  Error error = ErrorAbout(Stage::kUnsafe, code, text, offset, callee);
  if (unknown_ == ConvertOptions::Unknown::kKeepInert) context_.tables.inert.push_back({error.subject, offset});
  context_.findings.AddAbout(graph_, node, std::move(error), ScanVerdict::kUnknown);
}

NodeIndex Judge::RefuseCall(const char* code, const char* text, std::uint64_t offset, const Call& call) {
  return RefuseCall(ErrorAbout(Stage::kUnsafe, code, text, offset, call.callee), offset, call);
}

NodeIndex Judge::RefuseCall(Error error, std::uint64_t offset, const Call& call) {
  const NodeIndex made = MakeInert(offset, call);
  graph_.Taint(made);
  const ScanVerdict verdict = VerdictOf(error);
  context_.findings.AddAbout(graph_, made, std::move(error), verdict);
  return made;
}

NodeIndex Judge::RefuseUnlisted(std::uint64_t offset, const Call& call) {
  const NodeIndex made =
      RefuseCall("CALL-UNLISTED", "the pickle calls a function that the allow-list does not know", offset, call);
  const GlobalName& callee = graph_.GlobalOf(call.callee);
  if (MakesCode(callee.mapped_module, callee.mapped_name)) {
    Refuse("CODE-OBJECT", "the pickle builds a function or a code object", offset, call.callee, made);
  }
  return made;
}

Status Judge::Took(const Status& status, NodeIndex call) {
  if (status.ok() || status.error().stage == Stage::kIo) return status;
  graph_.CallOf(call).entry = nullptr;
  graph_.Taint(call);
  // A rule that runs a stream of its own passes on what that has recorded.
  if (context_.findings.JustSaid(status.error())) return {};
  context_.findings.AddAbout(graph_, call, status.error(), VerdictOf(status.error()));
  return {};
}

void Judge::CheckName(const GlobalName& global, NodeIndex node) {
  const auto refuse = [&](const char* code, const char* text) { Refuse(code, text, global.offset, node, node); };
  if (!IsIdentifierPath(global.module) || !IsIdentifierPath(global.name)) {
    return refuse("GLOBAL-NAME", "the pickle imports something whose name is no Python identifier");
  }
  if (global.danger == Danger::kDangerous) {
    return refuse("GLOBAL-DANGEROUS", "the pickle imports a function that runs programs or code");
  }
  if (global.entry == nullptr && global.name.find('.') != std::string_view::npos) {
    return refuse("GLOBAL-DOTTED", "the pickle walks through attributes of a module, which reaches any other module");
  }
  if (global.entry != nullptr) return;
  RememberUnknown("GLOBAL-UNLISTED", "the pickle imports a name that the allow-list does not know", global.offset, node,
                  node);
}

const AllowEntry* Judge::Find(std::string_view module, std::string_view name) const {
  const AllowEntry* entry = allow_list_.Find(module, name);
  return entry == nullptr && context_.user != nullptr ? context_.user->Find(module, name) : entry;
}

NodeIndex Judge::Import(std::uint64_t offset, std::string_view module, std::string_view name, unsigned protocol) {
  const ImportKey key{module, name, protocol < 3};
  if (const auto known = imported_.find(key); known != imported_.end()) {
    ++graph_.NameOf(known->second).imports;
    return graph_.AddGlobal(offset, known->second);
  }
  const Python2Name mapped = key.python2 ? MapPython2Name(module, name) : Python2Name{module, name};
  GlobalName global{module, name, mapped.module, mapped.name, Find(mapped.module, mapped.name)};
  global.offset = offset;
  global.imports = 1;
  // Both spellings count: a reader that does not map the names of Python 2 imports the first one.
  const bool moved = module != mapped.module || name != mapped.name;
  if ((global.entry == nullptr && IsDangerous(mapped.module, mapped.name)) || (moved && IsDangerous(module, name))) {
    global.danger = Danger::kDangerous;
    global.entry = nullptr;
  } else if (global.entry != nullptr) {
    global.danger = Danger::kListed;
  } else if (IsStandardLibrary(mapped.module) || IsStandardLibrary(module)) {
    global.danger = Danger::kUnlistedStdlib;  // names of Python 2 stay in its library whatever protocol spells them
  }
  const std::uint32_t number = graph_.AddGlobalName(global);
  imported_.emplace(key, number);
  const NodeIndex node = graph_.AddGlobal(offset, number);
  CheckName(global, node);
  return node;
}

std::optional<Error> Judge::CheckCallable(std::uint64_t offset, NodeIndex callee, NodeIndex args) const {
  if (graph_.kind(callee) != Kind::kGlobal) {
    return ErrorAbout(Stage::kUnsafe, "CALL-NOT-GLOBAL", "the pickle calls the result of something else", offset,
                      callee);
  }
  if (graph_.kind(args) != Kind::kTuple) {
    return ErrorAbout(Stage::kUnsafe, "PKL-DIFFERENTIAL",
                      "the pickle calls with arguments that are no tuple, which only some readers do", offset, callee);
  }
  return std::nullopt;
}

Result<Judge::Fit> Judge::Match(const std::vector<const Schema*>& alternatives, NodeIndex node, std::uint64_t offset) {
  matcher_.Reset();
  for (const Schema* schema : alternatives) {
    if (matcher_.Matches(*schema, node)) return Fit::kFits;
  }
  if (matcher_.exhausted()) {
    return Error{Stage::kLimit, "LIMIT-COUNT", "the same data is passed to too many calls", offset};
  }
  return matcher_.found_code() ? Fit::kCode : Fit::kUnknown;
}

NodeIndex Judge::MakeInert(std::uint64_t offset, Call call) {
  call.entry = nullptr;
  return graph_.AddCall(offset, call);
}

Result<NodeIndex> Judge::Make(std::uint64_t offset, const Call& call, const std::vector<const Schema*>& alternatives) {
  if (call.entry->support == AllowEntry::Support::kNo) {
    return RefuseCall(
        ErrorAbout(Stage::kUnsupported, "FILE-UNSUPPORTED",
                   "the pickle holds a kind of object that this version does not read", offset, call.callee),
        offset, call);
  }
  const std::span<const NodeIndex> args = graph_.ItemsOf(call.args);
  if (std::any_of(args.begin(), args.end(), [&](NodeIndex arg) { return graph_.tainted(arg); })) {
    const NodeIndex made = MakeInert(offset, call);
    graph_.Taint(made);
    return made;
  }
  SAFEMODEL_ASSIGN(const Fit fit, Match(alternatives, call.args, offset));
  if (fit == Fit::kFits) return Apply(offset, call);
  if (fit == Fit::kCode) {
    return RefuseCall("CALL-ARGS", "the pickle passes a function or an object where the callee takes data", offset,
                      call);
  }
  const NodeIndex made = MakeInert(offset, call);
  RememberUnknown("CALL-ARGS", "the pickle calls a known name with arguments that nobody vouched for", offset,
                  call.callee, made);
  return made;
}

// Apply makes a call that matches its schema and asks its rule.
Result<NodeIndex> Judge::Apply(std::uint64_t offset, const Call& call) {
  const Rule* rule = call.entry->rule;
  const NodeIndex made = graph_.AddCall(offset, call);
  CheckHashedArguments(offset, made);
  if (call.entry->parser == AllowEntry::Parser::kNative) {
    context_.findings.AddAbout(
        graph_, made,
        ErrorAbout(Stage::kUnsafe, "NATIVE-PARSER",
                   "the object holds a model for a parser in native code, which is not proven here", offset,
                   call.callee),
        ScanVerdict::kClean);
  }
  if (rule == nullptr) return made;
  if (rule->on_call != nullptr) SAFEMODEL_TRY(Took(rule->on_call(context_, made), made));
  if (rule->fold == nullptr || graph_.tainted(made)) return made;
  const auto folded = rule->fold(context_, made);
  if (folded.ok()) return folded;
  SAFEMODEL_TRY(Took(folded.error(), made));
  return made;
}

Result<NodeIndex> Judge::Reduce(std::uint64_t offset, NodeIndex callee, NodeIndex args) {
  Call call{.callee = callee, .args = args, .how = How::kReduce};
  if (graph_.kind(callee) == Kind::kGlobal && graph_.GlobalOf(callee).entry == nullptr) {
    return RefuseUnlisted(offset, call);
  }
  if (const auto error = CheckCallable(offset, callee, args)) return RefuseCall(*error, offset, call);
  call.entry = graph_.GlobalOf(callee).entry;
  if (call.entry->module == "copyreg" && call.entry->name == "_reconstructor") return Reconstruct(offset, callee, args);
  if (call.entry->module == "torch._tensor" && call.entry->name == "_rebuild_from_type_v2")
    return RebuildTyped(offset, callee, args);
  if (call.entry->module == "torch._utils" && call.entry->name == "_rebuild_wrapper_subclass")
    return Wrap(offset, call);
  if (call.entry->call.empty() && call.entry->support == AllowEntry::Support::kYes) {
    return RefuseCall("CALL-UNLISTED", "the pickle calls a name that the allow-list knows only as a value", offset,
                      call);
  }
  return Make(offset, call, call.entry->call);
}

Result<const AllowEntry*> Judge::EntryOfClass(std::uint64_t offset, NodeIndex cls) const {
  const GlobalName& global = graph_.GlobalOf(cls);
  const bool known = global.entry != nullptr;
  if (known && (!global.entry->make.empty() || !global.entry->base.empty() ||
                global.entry->support == AllowEntry::Support::kNo)) {
    return global.entry;
  }
  if (known || global.danger != Danger::kUnlisted) {
    return ErrorAbout(Stage::kUnsafe, "NEW-UNLISTED",
                      "the pickle makes an object of something that the allow-list knows as no class", offset, cls);
  }
  return nullptr;
}

Result<NodeIndex> Judge::New(std::uint64_t offset, NodeIndex cls, NodeIndex args, NodeIndex kwargs) {
  Call call{.callee = cls, .args = args, .how = How::kNew};
  if (const auto error = CheckCallable(offset, cls, args)) return RefuseCall(*error, offset, call);
  const auto entry = EntryOfClass(offset, cls);
  if (!entry.ok()) return RefuseCall(entry.error(), offset, call);
  call.entry = entry.value();
  // What an import or a call gives may be a dict.
  const Kind kind = kwargs == kNoNode ? Kind::kDict : graph_.kind(kwargs);
  const bool computed = kind == Kind::kGlobal || kind == Kind::kCall || kind == Kind::kPersistent;
  if (kind != Kind::kDict && !computed) {
    return Error{Stage::kMalformed, "PKL-MALFORMED", "keyword arguments are no dict", offset};
  }
  if (computed || (kwargs != kNoNode && !graph_.ItemsOf(kwargs).empty())) {
    return RefuseCall("CALL-ARGS", "the pickle passes keyword arguments, which no listed class takes", offset, call);
  }
  return call.entry == nullptr ? MakeInert(offset, call) : Make(offset, call, call.entry->make);
}

Result<NodeIndex> Judge::Instance(std::uint64_t offset, NodeIndex cls, NodeIndex args) {
  Call call{.callee = cls, .args = args, .how = How::kInstance};
  if (const auto error = CheckCallable(offset, cls, args)) return RefuseCall(*error, offset, call);
  call.entry = graph_.GlobalOf(cls).entry;
  // Even without arguments: the target may be a function, also where a user's file calls it a class.
  if (call.entry == nullptr || call.entry->origin == AllowEntry::Origin::kUser ||
      (call.entry->call.empty() && call.entry->make.empty())) {
    return RefuseUnlisted(offset, call);
  }
  const bool bare = graph_.ItemsOf(args).empty() && !call.entry->make.empty();
  if (bare) call.how = How::kNew;
  return Make(offset, call, bare ? call.entry->make : call.entry->call);
}

void Judge::CheckAttributes(std::uint64_t offset, NodeIndex target, NodeIndex dict) {
  const Call& call = graph_.CallOf(target);
  const std::pair<NodeIndex, const void*> pair{dict, call.entry == nullptr ? nullptr : call.entry->reserved};
  if (graph_.sealed(dict) && !checked_.insert(pair).second) return;
  const std::span<const NodeIndex> items = graph_.ItemsOf(dict);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!graph_.IsText(items[i])) {
      Refuse("STATE-SCHEMA", "the state of an object has a name that is no text", offset, call.callee, target);
      continue;
    }
    const std::string_view name = graph_.TextOf(items[i]);
    if (call.entry != nullptr && call.entry->inner != nullptr &&
        std::ranges::find(*call.entry->inner, name) != call.entry->inner->end()) {
      CheckInner(offset, target, items[i + 1]);
    }
    const Kind value = graph_.kind(items[i + 1]);
    const bool dunder = name.starts_with("__") && name.ends_with("__");
    const bool reserved =
        call.entry != nullptr && call.entry->reserved != nullptr && call.entry->reserved->contains(name);
    // APPEND and ADDITEMS call these of whatever class.
    const bool adder =
        (name == "append" || name == "extend" || name == "add") && (value == Kind::kGlobal || value == Kind::kCall);
    if (!dunder && !reserved && !adder) continue;
    Error error = ErrorAbout(Stage::kUnsafe, "STATE-RESERVED", "the state of an object replaces a method of its class",
                             offset, call.callee);
    error.subject += "." + ShortName(name);
    context_.findings.AddAbout(graph_, target, std::move(error), ScanVerdict::kDangerous);
  }
}

// CheckState looks at attribute names: of a dict, and of (dict, slots).
void Judge::CheckState(std::uint64_t offset, NodeIndex target, NodeIndex state) {
  if (graph_.kind(state) == Kind::kDict) return CheckAttributes(offset, target, state);
  if (graph_.kind(state) != Kind::kTuple || graph_.ItemsOf(state).size() != 2) return;
  for (const NodeIndex part : graph_.ItemsOf(state)) {
    if (graph_.kind(part) != Kind::kDict) continue;
    CheckAttributes(offset, target, part);
    graph_.Seal(part);
  }
}

Status Judge::Build(std::uint64_t offset, NodeIndex target, NodeIndex state) {
  if (graph_.kind(target) != Kind::kCall) {
    if (!graph_.tainted(target)) {
      Refuse("STATE-TARGET", "the pickle sets the state of something that is no object it made", offset, target,
             target);
    }
    return {};
  }
  if (!Changeable(offset, target)) return {};
  const Call call = graph_.CallOf(target);
  if (call.state != kNoNode) {
    Refuse("STATE-SCHEMA", "the pickle sets the state of an object twice", offset, call.callee, target);
    return {};
  }
  CheckState(offset, target, state);
  graph_.Seal(state);
  graph_.CallOf(target).state = state;
  if (call.entry == nullptr) return {};
  Fit fit = Fit::kUnknown;
  if (call.entry->state.empty()) {
    if (!matcher_.IsPlain(state)) fit = Fit::kCode;
  } else {
    SAFEMODEL_ASSIGN(fit, Match(call.entry->state, state, offset));
  }
  const Rule* rule = call.entry->rule;
  if (fit == Fit::kFits) {
    NoteExtra(offset, target);
    return rule != nullptr && rule->on_build != nullptr ? Took(rule->on_build(context_, target), target) : Status();
  }
  const bool user = call.entry->origin == AllowEntry::Origin::kUser;
  graph_.CallOf(target).entry = nullptr;
  // Objects were judged when they were made; in a user's class they are no worse than without the user's file.
  if (fit == Fit::kCode && !user) {
    Refuse("STATE-SCHEMA", "the state of an object holds a function or an object where data belongs", offset,
           call.callee, target);
  } else {
    RememberUnknown("STATE-SCHEMA", "the state of an object is one that nobody vouched for", offset, call.callee,
                    target);
  }
  return {};
}

bool Judge::Changeable(std::uint64_t offset, NodeIndex target) {
  if (!graph_.sealed(target)) return true;
  Refuse("CALL-ARGS", "the pickle changes data after it was passed to a call", offset, kNoNode, target);
  return false;
}

Status Judge::Fill(std::uint64_t offset, NodeIndex container, std::span<const NodeIndex> items) {
  if (graph_.Append(container, items)) return {};
  return Error{Stage::kLimit, "LIMIT-COUNT", "the containers of the pickle hold more items than this reader can number",
               offset};
}

// CheckItem compares what is added to an object. An inert object takes anything: each item was judged when it was made.
Status Judge::CheckItem(std::uint64_t offset, NodeIndex target, const Schema* schema, NodeIndex item) {
  const Call& call = graph_.CallOf(target);
  if (call.entry == nullptr || graph_.tainted(item)) return {};
  if (schema == nullptr) {
    Refuse("ITEMS-TARGET", "the pickle adds items to an object whose class takes none", offset, call.callee, target);
    return {};
  }
  SAFEMODEL_ASSIGN(const Fit fit, Match({schema}, item, offset));
  if (fit == Fit::kCode) {
    Refuse("ITEMS-TARGET", "the pickle adds a function or an object where the class takes data", offset, call.callee,
           target);
  } else if (fit == Fit::kUnknown) {
    RememberUnknown("ITEMS-TARGET", "the pickle adds items that nobody vouched for", offset, call.callee, target);
  }
  return {};
}

Status Judge::Append(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items) {
  if (graph_.tainted(target) || !Changeable(offset, target)) return {};
  if (graph_.kind(target) == Kind::kList) return Fill(offset, target, items);
  if (graph_.kind(target) != Kind::kCall) {
    Refuse("ITEMS-TARGET", "the pickle appends to something that is no list, which calls its methods", offset, target,
           target);
    return {};
  }
  for (const NodeIndex item : items) {
    const AllowEntry* entry = graph_.CallOf(target).entry;
    SAFEMODEL_TRY(CheckItem(offset, target, entry == nullptr ? nullptr : entry->appends, item));
  }
  if (graph_.CallOf(target).appends == kNoNode)
    graph_.CallOf(target).appends = graph_.AddContainer(Kind::kList, offset);
  return Fill(offset, graph_.CallOf(target).appends, items);
}

Status Judge::SetItems(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items) {
  if (graph_.tainted(target) || !Changeable(offset, target)) return {};
  if (graph_.kind(target) == Kind::kDict) {
    TookDict(target, items);
    return Fill(offset, target, items);
  }
  if (graph_.kind(target) != Kind::kCall) {
    Refuse("ITEMS-TARGET", "the pickle sets items of something that is no dict, which calls its methods", offset,
           target, target);
    return {};
  }
  const AllowEntry* entry = graph_.CallOf(target).entry;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    SAFEMODEL_TRY(CheckItem(offset, target, entry == nullptr ? nullptr : entry->item_key, items[i]));
    SAFEMODEL_TRY(CheckItem(offset, target, entry == nullptr ? nullptr : entry->item_value, items[i + 1]));
  }
  if (entry != nullptr && entry->inner != nullptr && entry->inner->front() == "items") {
    CheckInnerNames(offset, target, items);
  }
  if (graph_.CallOf(target).set_items == kNoNode)
    graph_.CallOf(target).set_items = graph_.AddContainer(Kind::kDict, offset);
  TookDict(graph_.CallOf(target).set_items, items);
  return Fill(offset, graph_.CallOf(target).set_items, items);
}

Status Judge::AddItems(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items) {
  if (graph_.tainted(target) || !Changeable(offset, target)) return {};
  if (graph_.kind(target) == Kind::kSet) {
    TookSet(target, items);
    return Fill(offset, target, items);
  }
  Refuse("ITEMS-TARGET", "the pickle adds to something that is no set, which calls its methods", offset, target,
         target);
  return {};
}

void Judge::Finish() {
  NoteRepeatedKeys();
  for (std::size_t i = first_call_; i < graph_.calls().size(); ++i) {
    const Call& call = graph_.calls()[i];
    if (call.entry == nullptr || call.entry->state_need == AllowEntry::Need::kOptional || call.state != kNoNode)
      continue;
    if (call.entry->origin == AllowEntry::Origin::kUser) {
      RememberUnknown("STATE-SCHEMA", "an object was made without the attributes that its class is stated to have",
                      graph_.offset(call.callee), call.callee, call.callee);
      continue;
    }
    Refuse("STATE-SCHEMA", "a native object was made and never given its state, which crashes whoever uses it",
           graph_.offset(call.callee), call.callee, call.callee);
  }
}

}  // namespace safemodel::pickle
