// SPDX-License-Identifier: Apache-2.0
#include "value/node_rules.h"

#include <array>
#include <optional>

#include "base/cursor.h"
#include "base/little_endian.h"
#include "base/try.h"
#include "value/integer.h"

namespace safemodel {
namespace {

constexpr std::uint8_t kObjectPartFlags =
    kObjectArgs | kObjectState | kObjectListItems | kObjectDictItems | kObjectSetItems;
constexpr std::uint8_t kTensorFlags =
    kTensorNumpy | kTensorTorch | kTensorBigEndian | kTensorRequiresGrad | kTensorConjugate | kTensorNegative;

Error Bad(const char* code, const char* text) { return {Stage::kMalformed, code, text}; }

// IsText accepts UTF-8 in its shortest form, and code points of the surrogate range as three bytes each: Python's str
// holds them, and pickles of file names do.
bool IsText(ByteView bytes) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    const std::uint8_t lead = bytes[i];
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || bytes.size() - i < length) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((bytes[i + k] & 0xC0) != 0x80) return false;
    }
    const std::uint8_t second = bytes[i + 1];
    if (lead == 0xE0 && second < 0xA0) return false;  // overlong
    if (lead == 0xF0 && second < 0x90) return false;  // overlong
    if (lead == 0xF4 && second > 0x8F) return false;  // beyond U+10FFFF
    i += length;
  }
  return true;
}

bool IsLeapYear(unsigned year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

// date: year u16 1-9999 | month u8 | day u8
bool IsDate(ByteView bytes) {
  constexpr std::array<unsigned, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const unsigned year = LoadLittleEndian<std::uint16_t>(bytes);
  const unsigned month = bytes[2];
  const unsigned day = bytes[3];
  if (year < 1 || year > 9999 || month < 1 || month > 12) return false;
  const unsigned days = month == 2 && IsLeapYear(year) ? 29 : kDays[month - 1];
  return day >= 1 && day <= days;
}

// time: hour u8 | minute u8 | second u8 | fold u8 | microsecond u32
bool IsTime(ByteView bytes) {
  return bytes[0] < 24 && bytes[1] < 60 && bytes[2] < 60 && bytes[3] <= 1 &&
         LoadLittleEndian<std::uint32_t>(bytes, 4) < 1'000'000;
}

// timedelta: days i32 | seconds u32 | microseconds u32
bool IsTimedelta(ByteView bytes) {
  const auto days = LoadLittleEndian<std::int32_t>(bytes);
  return days >= -999'999'999 && days <= 999'999'999 && LoadLittleEndian<std::uint32_t>(bytes, 4) < 86'400 &&
         LoadLittleEndian<std::uint32_t>(bytes, 8) < 1'000'000;
}

// An offset from UTC lies strictly between -24 and +24 hours.
bool IsUtcOffset(ByteView bytes) {
  const auto days = LoadLittleEndian<std::int32_t>(bytes);
  if (days == 0) return true;
  return days == -1 &&
         (LoadLittleEndian<std::uint32_t>(bytes, 4) != 0 || LoadLittleEndian<std::uint32_t>(bytes, 8) != 0);
}

Status CheckFlags(const ValueTree::Node& node) {
  if (node.kind == NodeKind::kTensor) {
    const bool both = (node.flags & kTensorNumpy) != 0 && (node.flags & kTensorTorch) != 0;
    if ((node.flags & ~kTensorFlags) == 0 && !both) return {};
  } else if (node.kind == NodeKind::kObject) {
    if ((node.flags & ~(kObjectPartFlags | kObjectInert)) == 0) return {};
  } else if (node.flags == 0) {
    return {};
  }
  return Bad("bad_node_flags", "a node of the value tree has flags that its kind does not have");
}

// ExactCount returns the only count a kind may have, or nothing when it is free.
std::optional<std::uint32_t> ExactCount(const ValueTree::Node& node) {
  switch (node.kind) {
    case NodeKind::kNone:
    case NodeKind::kFalse:
    case NodeKind::kTrue: return 0;
    case NodeKind::kDate:
    case NodeKind::kTensor: return 4;
    case NodeKind::kFloat:
    case NodeKind::kTime: return 8;
    case NodeKind::kDatetime:
    case NodeKind::kTimedelta: return 12;
    case NodeKind::kComplex: return 16;
    case NodeKind::kGlobal:
    case NodeKind::kZoned: return 2;
    case NodeKind::kSlice:
    case NodeKind::kRange: return 3;
    case NodeKind::kObject:
      return 1 + static_cast<std::uint32_t>(std::popcount(node.flags & unsigned{kObjectPartFlags}));
    default: return std::nullopt;
  }
}

Status CheckCount(const ValueTree::Node& node) {
  const auto exact = ExactCount(node);
  const bool ok = exact ? node.count == *exact
                        : (node.kind != NodeKind::kDict || node.count % 2 == 0) &&
                              (node.kind != NodeKind::kTimezone || node.count == 1 || node.count == 2);
  if (ok) return {};
  return Bad("bad_node_count", "a node of the value tree has not as many bytes or children as its kind demands");
}

Status CheckInt(ByteView bytes, const Limits& limits) {
  if (bytes.size() > limits.int_bytes) {
    return Error{Stage::kLimit, "int_too_large", "an integer of the value tree has more bytes than the limit"};
  }
  if (MinimalIntegerBytes(bytes) != bytes.size())
    return Bad("int_not_minimal", "an integer is not in its shortest form");
  return {};
}

Status CheckPayload(const ValueTree& tree, NodeId id, std::uint32_t tensor_count, const Limits& limits) {
  const ByteView bytes = tree.PayloadOf(id);
  bool ok = true;
  switch (tree.kind(id)) {
    case NodeKind::kInt: return CheckInt(bytes, limits);
    case NodeKind::kTensor:
      if (tree.TensorOf(id) < tensor_count) return {};
      return Bad("tensor_outside", "the value tree refers to a tensor that does not exist");
    case NodeKind::kStr:
      if (IsText(bytes)) return {};
      return Bad("bad_str", "a str of the value tree is not UTF-8");
    case NodeKind::kDate: ok = IsDate(bytes); break;
    case NodeKind::kTime: ok = IsTime(bytes); break;
    case NodeKind::kDatetime: ok = IsDate(bytes) && IsTime(bytes.subspan(4)); break;
    case NodeKind::kTimedelta: ok = IsTimedelta(bytes); break;
    default: break;
  }
  if (ok) return {};
  return Bad("bad_time", "a date, time or duration of the value tree does not exist");
}

Error BadChild() {
  return Bad("bad_child_kind", "a node of the value tree has a child of a kind that cannot stand there");
}

Status CheckRange(const ValueTree& tree, std::span<const NodeId> parts) {
  for (const NodeId part : parts) {
    if (tree.kind(part) != NodeKind::kInt) return BadChild();
  }
  if (tree.node(parts[2]).count == 0) return Bad("range_step_zero", "a range has step zero");
  return {};
}

Status CheckTimezone(const ValueTree& tree, std::span<const NodeId> parts) {
  if (tree.kind(parts[0]) != NodeKind::kTimedelta) return BadChild();
  if (parts.size() == 2 && tree.kind(parts[1]) != NodeKind::kStr) return BadChild();
  if (!IsUtcOffset(tree.PayloadOf(parts[0]))) return Bad("bad_time", "an offset from UTC is not within 24 hours");
  return {};
}

Status CheckObject(const ValueTree& tree, NodeId id) {
  struct Part {
    std::uint8_t flag;
    NodeKind kind;  // kNone: any
  };
  constexpr std::array<Part, 5> kParts = {{{kObjectArgs, NodeKind::kTuple},
                                           {kObjectState, NodeKind::kNone},
                                           {kObjectListItems, NodeKind::kList},
                                           {kObjectDictItems, NodeKind::kDict},
                                           {kObjectSetItems, NodeKind::kList}}};
  const std::span<const NodeId> children = tree.ChildrenOf(id);
  if (tree.kind(children[0]) != NodeKind::kGlobal) return BadChild();
  std::size_t next = 1;
  for (const Part& part : kParts) {
    if ((tree.flags(id) & part.flag) == 0) continue;
    if (part.kind != NodeKind::kNone && tree.kind(children[next]) != part.kind) return BadChild();
    ++next;
  }
  return {};
}

Status CheckZoned(const ValueTree& tree, std::span<const NodeId> parts) {
  const NodeKind clock = tree.kind(parts[0]);
  const NodeKind zone = tree.kind(parts[1]);
  if (clock != NodeKind::kTime && clock != NodeKind::kDatetime) return BadChild();
  if (zone != NodeKind::kTimezone && zone != NodeKind::kObject && zone != NodeKind::kGlobal) return BadChild();
  return {};
}

}  // namespace

Status CheckNode(const ValueTree& tree, NodeId id, std::uint32_t tensor_count, const Limits& limits) {
  const ValueTree::Node& node = tree.node(id);
  SAFEMODEL_TRY(CheckFlags(node));
  SAFEMODEL_TRY(CheckCount(node));
  return CheckPayload(tree, id, tensor_count, limits);
}

Status CheckChildKinds(const ValueTree& tree, NodeId id) {
  const std::span<const NodeId> children = tree.ChildrenOf(id);
  switch (tree.kind(id)) {
    case NodeKind::kRange: return CheckRange(tree, children);
    case NodeKind::kTimezone: return CheckTimezone(tree, children);
    case NodeKind::kObject: return CheckObject(tree, id);
    case NodeKind::kZoned: return CheckZoned(tree, children);
    case NodeKind::kGlobal:
      if (tree.kind(children[0]) == NodeKind::kStr && tree.kind(children[1]) == NodeKind::kStr) return {};
      return BadChild();
    default: return {};
  }
}

bool IsOpenEdge(const ValueTree::Node& node, std::size_t index) {
  switch (node.kind) {
    case NodeKind::kList: return true;
    case NodeKind::kDict: return index % 2 == 1;
    case NodeKind::kObject: return index >= ((node.flags & kObjectArgs) != 0 ? 2u : 1u);
    default: return false;
  }
}

}  // namespace safemodel
