// SPDX-License-Identifier: Apache-2.0
// Listed functions that make an object of a class, or call a function, which their arguments name.
#include <array>

#include "base/try.h"
#include "pickle/judge.h"

namespace safemodel::pickle {

// Reconstruct is copyreg._reconstructor(cls, base, state): base.__new__(cls, state), which is the object protocol.
Result<NodeIndex> Judge::Reconstruct(std::uint64_t offset, NodeIndex callee, NodeIndex args) {
  const Call written{.callee = callee, .args = args, .how = How::kReduce};
  const std::span<const NodeIndex> items = graph_.ItemsOf(args);
  if (items.size() != 3) {
    return Error{Stage::kMalformed, "PKL-MALFORMED", "an object is made with a wrong number of arguments", offset};
  }
  const NodeIndex cls = items[0];
  const NodeIndex base = items[1];
  const NodeIndex state = items[2];
  if (const auto error = CheckCallable(offset, cls, args)) return RefuseCall(*error, offset, written);
  const AllowEntry* base_entry = graph_.kind(base) == Kind::kGlobal ? graph_.GlobalOf(base).entry : nullptr;
  if (base_entry == nullptr || base_entry->module != "builtins" || base_entry->kind != EntryKind::kType) {
    return RefuseCall(
        ErrorAbout(Stage::kUnsafe, "CALL-ARGS",
                   "the pickle makes an object by means of something that is no built-in type", offset, base),
        offset, written);
  }
  const auto entry = EntryOfClass(offset, cls);
  if (!entry.ok()) return RefuseCall(entry.error(), offset, written);
  const bool plain = base_entry->name == "object" && graph_.kind(state) == Kind::kNone;
  Call call{.callee = cls, .args = graph_.AddContainer(Kind::kTuple, offset), .entry = entry.value(), .how = How::kNew};
  if (plain) return call.entry == nullptr ? MakeInert(offset, call) : Make(offset, call, call.entry->make);
  SAFEMODEL_TRY(Fill(offset, call.args, std::array<NodeIndex, 2>{base, state}));
  call.how = How::kReconstruct;
  if (call.entry == nullptr) return MakeInert(offset, call);
  if (call.entry->base != std::string(base_entry->module) + "." + std::string(base_entry->name)) {
    return RefuseCall("CALL-ARGS", "the pickle makes an object by means of a type that is not its base", offset, call);
  }
  const Schema any{};
  Schema wanted{};
  wanted.form = Schema::Form::kTuple;
  wanted.parts = {&any, call.entry->base_state};
  return Make(offset, call, {&wanted});
}

// RebuildTyped is torch._tensor._rebuild_from_type_v2(func, type, args, state), which calls func(*args).
Result<NodeIndex> Judge::RebuildTyped(std::uint64_t offset, NodeIndex callee, NodeIndex args) {
  Call call{.callee = callee, .args = args, .entry = graph_.GlobalOf(callee).entry, .how = How::kReduce};
  const std::span<const NodeIndex> items = graph_.ItemsOf(args);
  if (items.size() != 4) {
    return Error{Stage::kMalformed, "PKL-MALFORMED", "a tensor is made with a wrong number of arguments", offset};
  }
  const NodeIndex type = items[1];
  const NodeIndex state = items[3];
  NodeIndex inner = items[0];
  // One level only: a function that calls another of its kind matches no schema.
  if (graph_.kind(inner) == Kind::kGlobal && graph_.GlobalOf(inner).entry == call.entry) {
    return RefuseCall("CALL-ARGS", "the pickle passes a function where the callee takes data", offset, call);
  }
  by_name_.insert(args);
  SAFEMODEL_ASSIGN(inner, Reduce(offset, inner, items[2]));
  call.args = graph_.AddContainer(Kind::kTuple, offset);
  SAFEMODEL_TRY(Fill(offset, call.args, std::array<NodeIndex, 3>{inner, type, state}));
  return Make(offset, call, call.entry->call);
}

// Wrap is torch._utils._rebuild_wrapper_subclass(cls, …), which makes an object of a class of somebody's without
// calling it. The import of an unknown class has said so.
Result<NodeIndex> Judge::Wrap(std::uint64_t offset, const Call& call) {
  const std::span<const NodeIndex> items = graph_.ItemsOf(call.args);
  if (!items.empty() && graph_.kind(items[0]) == Kind::kGlobal) {
    const auto entry = EntryOfClass(offset, items[0]);
    if (!entry.ok()) return RefuseCall(entry.error(), offset, call);
    if (entry.value() == nullptr) {
      const NodeIndex made = MakeInert(offset, call);
      graph_.Taint(made);
      return made;
    }
  }
  return Make(offset, call, call.entry->call);  // which refuses it by name
}

}  // namespace safemodel::pickle
