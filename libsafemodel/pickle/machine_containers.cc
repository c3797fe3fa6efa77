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
  if constexpr (kKind == Kind::kFrozenset) judge_.TookSet(made, scratch_);
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
// What is no dict may take any key.
bool Machine::CheckKeys(NodeIndex target, std::span<const NodeIndex> items) {
  if (graph_.kind(target) != Kind::kDict) return true;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const Kind kind = graph_.kind(items[i]);
    if (kind == Kind::kList || kind == Kind::kDict || kind == Kind::kSet || kind == Kind::kByteArray) {
      return Malformed("a dict key cannot be hashed");
    }
  }
  return true;
}

bool Machine::DictFromMark() {
  if (!PopMark(scratch_)) return false;
  if (scratch_.size() % 2 != 0) return Malformed("a dict has a key without a value");
  const NodeIndex made = graph_.AddContainer(Kind::kDict, at_.offset);
  if (!CheckKeys(made, scratch_)) return false;
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

bool Machine::SetAll(NodeIndex target, std::span<const NodeIndex> items) {
  return CheckKeys(target, items) && Check(judge_.SetItems(at_.offset, target, items));
}

bool Machine::SetItem() {
  std::array<NodeIndex, 2> item{};
  NodeIndex target = kNoNode;
  return Pop(item[1]) && Pop(item[0]) && Top(target) && SetAll(target, item);
}

bool Machine::SetItems() {
  NodeIndex target = kNoNode;
  if (!PopMark(scratch_) || !Top(target)) return false;
  // The Python reader misses the last value when it has set all others.
  if (!SetAll(target, std::span<const NodeIndex>(scratch_).first(scratch_.size() / 2 * 2))) return false;
  return scratch_.size() % 2 == 0 || Malformed("a dict has a key without a value");
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
