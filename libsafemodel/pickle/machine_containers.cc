// SPDX-License-Identifier: Apache-2.0
// Opcodes that make and fill containers.
#include "pickle/machine_core.h"

namespace safemodel::pickle {

bool Machine::Fill(NodeIndex container, std::span<const NodeIndex> items) {
  if (!graph_.Append(container, items)) {
    return Fail(Stage::kLimit, "LIMIT-COUNT",
                "the containers of the pickle hold more items than this reader can number");
  }
  return true;
}

template <Kind kKind>
bool Machine::FromMark() {
  if (!PopMark(scratch_)) return false;
  const NodeIndex made = graph_.AddContainer(kKind, at_.offset);
  return Fill(made, scratch_) && Push(made);
}

template <unsigned kCount>
bool Machine::TupleOf() {
  if (stack_.size() < fence_ + kCount) return Malformed("a tuple needs more values than the stack has");
  const NodeIndex made = graph_.AddContainer(Kind::kTuple, at_.offset);
  if (!Fill(made, std::span<const NodeIndex>(stack_).last(kCount))) return false;
  stack_.resize(stack_.size() - kCount);
  return Push(made);
}

// CheckKeys refuses keys that no reader can hash. Only the outermost kind is looked at; the value tree checks the rest.
bool Machine::CheckKeys(std::span<const NodeIndex> items) {
  if (items.size() % 2 != 0) return Malformed("a dict has a key without a value");
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const Kind kind = graph_.kind(items[i]);
    if (kind == Kind::kList || kind == Kind::kDict || kind == Kind::kSet || kind == Kind::kByteArray) {
      return Malformed("a dict key cannot be hashed");
    }
  }
  return true;
}

bool Machine::DictFromMark() {
  if (!PopMark(scratch_) || !CheckKeys(scratch_)) return false;
  const NodeIndex made = graph_.AddContainer(Kind::kDict, at_.offset);
  judge_.TookDict(made, scratch_);
  return Fill(made, scratch_) && Push(made);
}

bool Machine::Append() {
  NodeIndex item = kNoNode;
  NodeIndex target = kNoNode;
  if (!Pop(item) || !Top(target)) return false;
  return Check(judge_.Append(at_.offset, target, {&item, 1}));
}

bool Machine::Appends() {
  NodeIndex target = kNoNode;
  return PopMark(scratch_) && Top(target) && Check(judge_.Append(at_.offset, target, scratch_));
}

bool Machine::SetItem() {
  std::array<NodeIndex, 2> item{};
  NodeIndex target = kNoNode;
  if (!Pop(item[1]) || !Pop(item[0]) || !Top(target) || !CheckKeys(item)) return false;
  return Check(judge_.SetItems(at_.offset, target, item));
}

bool Machine::SetItems() {
  NodeIndex target = kNoNode;
  if (!PopMark(scratch_) || !Top(target) || !CheckKeys(scratch_)) return false;
  return Check(judge_.SetItems(at_.offset, target, scratch_));
}

bool Machine::AddItems() {
  NodeIndex target = kNoNode;
  return PopMark(scratch_) && Top(target) && Check(judge_.AddItems(at_.offset, target, scratch_));
}

template bool Machine::FromMark<Kind::kList>();
template bool Machine::FromMark<Kind::kTuple>();
template bool Machine::FromMark<Kind::kFrozenset>();
template bool Machine::TupleOf<1>();
template bool Machine::TupleOf<2>();
template bool Machine::TupleOf<3>();

}  // namespace safemodel::pickle
