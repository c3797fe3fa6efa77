// SPDX-License-Identifier: Apache-2.0
// Opcodes that import, call, build, and refer to things outside.
#include "base/cursor.h"
#include "base/utf8.h"
#include "pickle/allow_list.h"
#include "pickle/machine_core.h"

namespace safemodel::pickle {

bool Machine::PushResult(Result<NodeIndex> made) {
  if (!made.ok()) return Fail(made.error());
  return Push(made.value());
}

bool Machine::Import(std::string_view module, std::string_view name) {
  return Push(judge_.Import(at_.offset, module, name, protocol_));
}

bool Machine::NameLines(std::string_view& module, std::string_view& name) {
  ByteView first;
  ByteView second;
  if (!reader_.TakeLine(first) || !reader_.TakeLastLine(second)) return ReadFailed();
  module = AsText(first);
  name = AsText(second);
  if (module.empty() || name.empty()) return Malformed("the name of an import is empty");
  return (IsUtf8(module) && IsUtf8(name)) || Malformed("the name of an import is not UTF-8");
}

bool Machine::Global() {
  std::string_view module;
  std::string_view name;
  return NameLines(module, name) && Import(module, name);
}

// MayBeText says that a value may be a str for some reader: what an import or a call gives may be anything (os.name is
// "posix") but a class or function that the list knows and an object that such a class made, and what a str of Python 2
// becomes is the choice of whoever loads it.
bool Machine::MayBeText(NodeIndex node) const {
  const Kind kind = graph_.kind(node);
  if (kind == Kind::kGlobal && graph_.GlobalOf(node).entry != nullptr) {
    const AllowEntry& entry = *graph_.GlobalOf(node).entry;
    return entry.call.empty() && entry.make.empty() && entry.origin == AllowEntry::Origin::kBuiltIn;
  }
  if (kind == Kind::kCall && graph_.EntryOf(node) != nullptr) {
    const AllowEntry& entry = *graph_.EntryOf(node);
    const bool made =
        graph_.CallOf(node).how == How::kNew || entry.kind == EntryKind::kClass || entry.kind == EntryKind::kType;
    return !made || entry.name == "str";
  }
  return kind == Kind::kGlobal || kind == Kind::kCall || kind == Kind::kPersistent || kind == Kind::kPy2Str ||
         graph_.IsText(node) || graph_.tainted(node);
}

bool Machine::StackGlobal() {
  NodeIndex name = kNoNode;
  NodeIndex module = kNoNode;
  if (!Pop(name) || !Pop(module)) return false;
  if (graph_.IsText(module) && graph_.IsText(name)) return Import(graph_.TextOf(module), graph_.TextOf(name));
  if (!MayBeText(module) || !MayBeText(name)) return Malformed("the name of an import is no str");
  Tell(Stage::kUnsafe, "GLOBAL-NAME",
       "the pickle computes the name of what it imports, so that the file does not tell");
  return PushUnknown(graph_.AddContainer(Kind::kTuple, at_.offset));
}

// Extension codes look a name up in a registry of the loading process, which an earlier call or import may have filled.
template <unsigned kWidth>
bool Machine::Extension() {
  std::uint64_t code = 0;
  if (!reader_.Unsigned(kWidth, code)) return ReadFailed();
  if (code == 0 || code > 0x7FFFFFFF) return Malformed("an extension code is not positive");
  Tell(Stage::kUnsafe, "EXT-CODE",
       "the pickle calls what an extension code names in the loading process; the name is not in the file");
  return PushUnknown(graph_.AddContainer(Kind::kTuple, at_.offset));
}

bool Machine::Reduce() {
  NodeIndex args = kNoNode;
  NodeIndex callee = kNoNode;
  if (!Pop(args) || !Pop(callee)) return false;
  return PushResult(judge_.Reduce(at_.offset, callee, args));
}

bool Machine::Inst() {
  std::string_view module;
  std::string_view name;
  if (!NameLines(module, name) || !PopMark(scratch_)) return false;
  const NodeIndex args = graph_.AddContainer(Kind::kTuple, at_.offset);
  if (!Fill(args, scratch_) || !Import(module, name)) return false;
  NodeIndex cls = kNoNode;
  return Pop(cls) && PushResult(judge_.Instance(at_.offset, cls, args));
}

bool Machine::Obj() {
  if (!PopMark(scratch_)) return false;
  if (scratch_.empty()) return Malformed("OBJ needs a class");
  const NodeIndex args = graph_.AddContainer(Kind::kTuple, at_.offset);
  if (!Fill(args, std::span<const NodeIndex>(scratch_).subspan(1))) return false;
  return PushResult(judge_.Instance(at_.offset, scratch_.front(), args));
}

bool Machine::NewObj() {
  NodeIndex args = kNoNode;
  NodeIndex cls = kNoNode;
  if (!Pop(args) || !Pop(cls)) return false;
  return PushResult(judge_.New(at_.offset, cls, args, kNoNode));
}

bool Machine::NewObjEx() {
  NodeIndex kwargs = kNoNode;
  NodeIndex args = kNoNode;
  NodeIndex cls = kNoNode;
  if (!Pop(kwargs) || !Pop(args) || !Pop(cls)) return false;
  return PushResult(judge_.New(at_.offset, cls, args, kwargs));
}

bool Machine::Build() {
  NodeIndex state = kNoNode;
  NodeIndex target = kNoNode;
  if (!Pop(state) || !Top(target) || !Check(judge_.Build(at_.offset, target, state))) return false;
  auto replaced = layout_.AfterBuild(context_, target, *this);
  if (!replaced.ok()) return Fail(replaced.error());
  stack_.back() = replaced.value();
  return true;
}

bool Machine::PushPersistent(NodeIndex id) {
  const NodeIndex reference = graph_.AddPersistent(at_.offset, id);
  const auto meant = layout_.OnPersistentId(context_, reference);
  if (meant.ok()) return Push(meant.value());
  if (meant.error().stage == Stage::kIo) return Fail(meant.error());
  context_.findings.AddAbout(graph_, reference, meant.error(), VerdictOf(meant.error()));
  graph_.Taint(reference);
  return Push(reference);
}

bool Machine::PersId() {
  ByteView line;
  if (!reader_.TakeLine(line)) return ReadFailed();
  for (const std::uint8_t byte : line) {
    if (byte >= 0x80) return Malformed("a persistent id is not ASCII");
  }
  return PushPersistent(graph_.AddBytes(Kind::kStr, at_.offset, line));
}

bool Machine::BinPersId() {
  NodeIndex id = kNoNode;
  return Pop(id) && PushPersistent(id);
}

template bool Machine::Extension<1>();
template bool Machine::Extension<2>();
template bool Machine::Extension<4>();

}  // namespace safemodel::pickle
