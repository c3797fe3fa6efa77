// SPDX-License-Identifier: Apache-2.0
#include "value/key_equality.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <deque>
#include <limits>

#include "base/cursor.h"
#include "base/little_endian.h"
#include "base/try.h"
#include "value/integer.h"
#include "value/keyed_hash.h"
#include "value/node_rules.h"

namespace safemodel {
namespace {

using ClassId = std::uint32_t;

// What a form is about. Two values are equal when their tags and bytes are.
enum class Tag : std::uint8_t {
  kIdentity,  // a node that equals only itself: objects, NaN
  kNone,
  kInteger,   // any number with an integral value, two's complement
  kFraction,  // any other real number, binary64 bits
  kComplex,
  kStr,
  kBytes,
  kTuple,
  kFrozenset,
  kSlice,
  kRange,
  kDate,
  kTime,      // microseconds of the day; fold does not count
  kDatetime,  // microseconds since 0001-01-01
  kTimedelta,
  kTimezone,  // by offset; the name does not count
  kGlobal,
  kUtcTime,      // a time with a fixed offset, by its UTC microseconds
  kUtcDatetime,  // the same for a datetime
  kZoned,        // with another tzinfo, which must be the same
};

// Interner gives equal forms equal numbers.
class Interner {
 public:
  // Intern keeps a reference to `bytes`, which must outlive the interner.
  ClassId Intern(Tag tag, ByteView bytes) { return Find(tag, bytes, nullptr); }
  // InternOwned copies the bytes when they are new.
  ClassId InternOwned(Tag tag, ByteView bytes) { return Find(tag, bytes, &owned_); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t hash;
    ByteView bytes;
    Tag tag;
  };
  static constexpr ClassId kFree = std::numeric_limits<ClassId>::max();

  ClassId Find(Tag tag, ByteView bytes, std::deque<ByteBuffer>* keep) {
    if (entries_.size() * 2 >= slots_.size()) Grow();
    const std::uint64_t hash = KeyedHash::Of(static_cast<std::uint8_t>(tag), bytes);
    std::size_t slot = hash & (slots_.size() - 1);
    for (; slots_[slot] != kFree; slot = (slot + 1) & (slots_.size() - 1)) {
      const Entry& entry = entries_[slots_[slot]];
      if (entry.hash == hash && entry.tag == tag && std::ranges::equal(entry.bytes, bytes)) return slots_[slot];
    }
    const auto id = static_cast<ClassId>(entries_.size());
    slots_[slot] = id;
    if (keep != nullptr) bytes = keep->emplace_back(bytes.begin(), bytes.end());
    entries_.push_back({hash, bytes, tag});
    return id;
  }

  void Grow() {
    slots_.assign(std::max<std::size_t>(64, slots_.size() * 2), kFree);
    for (std::size_t id = 0; id < entries_.size(); ++id) {
      std::size_t slot = entries_[id].hash & (slots_.size() - 1);
      while (slots_[slot] != kFree) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = static_cast<ClassId>(id);
    }
  }

  std::vector<Entry> entries_;
  std::vector<ClassId> slots_;
  std::deque<ByteBuffer> owned_;
};

// IntegerBytes returns a finite integral double as the payload of an int node: exact, up to 1024 bits.
ByteBuffer IntegerBytes(double value) {
  int exponent = 0;
  const double fraction =
      std::frexp(std::fabs(value), &exponent);  // |value| = fraction * 2^exponent, fraction in [0.5, 1)
  auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
  int shift = exponent - 53;
  if (shift < 0) {
    mantissa = shift > -64 ? mantissa >> -shift : 0;
    shift = 0;
  }
  const auto first_byte = static_cast<std::size_t>(shift / 8);
  ByteBuffer bytes(first_byte + 10, 0);
  const int bits = shift % 8;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto part = static_cast<unsigned>((mantissa >> (8 * i)) & 0xFF) << bits;
    bytes[first_byte + i] = static_cast<std::uint8_t>(bytes[first_byte + i] | (part & 0xFF));
    bytes[first_byte + i + 1] = static_cast<std::uint8_t>(part >> 8);
  }
  if (value < 0) {
    unsigned carry = 1;
    for (std::uint8_t& byte : bytes) {
      const unsigned sum = (~unsigned{byte} & 0xFF) + carry;
      byte = static_cast<std::uint8_t>(sum);
      carry = sum >> 8;
    }
  }
  bytes.resize(MinimalIntegerBytes(bytes));
  return bytes;
}

std::int64_t TimeMicroseconds(ByteView time) {
  const std::uint64_t seconds = time[0] * 3600u + time[1] * 60u + time[2];
  return static_cast<std::int64_t>(seconds * 1'000'000 + LoadLittleEndian<std::uint32_t>(time, 4));
}

// DatetimeMicroseconds counts from 0001-01-01 in the proleptic Gregorian calendar.
std::int64_t DatetimeMicroseconds(ByteView datetime) {
  const std::int64_t years =
      std::int64_t{LoadLittleEndian<std::uint16_t>(datetime)} - (datetime[2] <= 2 ? 1 : 0);  // from March
  const std::int64_t month = (datetime[2] + 9) % 12;
  const std::int64_t day_of_year = (153 * month + 2) / 5 + datetime[3] - 1;
  const std::int64_t days = years * 365 + years / 4 - years / 100 + years / 400 + day_of_year - 306;
  return days * 86'400'000'000 + TimeMicroseconds(datetime.subspan(4));
}

std::int64_t TimedeltaMicroseconds(ByteView delta) {
  const auto days = LoadLittleEndian<std::int32_t>(delta);
  const std::int64_t seconds = LoadLittleEndian<std::uint32_t>(delta, 4);
  return days * std::int64_t{86'400'000'000} + seconds * 1'000'000 + LoadLittleEndian<std::uint32_t>(delta, 8);
}

// KeyClasses computes the class of every node that is part of a key.
class KeyClasses {
 public:
  explicit KeyClasses(const ValueTree& tree) : tree_(tree), needed_(tree.size(), 0), classes_(tree.size(), 0) {}

  Status Compute(const std::vector<NodeId>& parents_first) {
    for (const NodeId id : parents_first) SAFEMODEL_TRY(MarkNeeded(id));
    for (std::size_t i = parents_first.size(); i-- > 0;) {
      const NodeId id = parents_first[i];
      if (needed_[id] == 0) continue;
      SAFEMODEL_ASSIGN(classes_[id], Classify(id));
    }
    return {};
  }
  [[nodiscard]] ClassId class_of(NodeId id) const { return classes_[id]; }
  [[nodiscard]] std::size_t size() const { return interner_.size(); }

 private:
  Status MarkNeeded(NodeId id) {
    const NodeKind kind = tree_.kind(id);
    const std::span<const NodeId> children = tree_.ChildrenOf(id);
    if (needed_[id] != 0) {
      switch (kind) {
        case NodeKind::kList:
        case NodeKind::kDict:
        case NodeKind::kSet:
        case NodeKind::kTensor:
          return Error{Stage::kMalformed, "unhashable_key",
                       "a dict key or set item is of a kind that Python cannot hash"};
        case NodeKind::kObject: return {};  // compared by node number: its parts do not count
        default:
          for (const NodeId child : children) needed_[child] = 1;
      }
    }
    const std::size_t step = kind == NodeKind::kDict ? 2 : 1;
    if (kind == NodeKind::kDict || kind == NodeKind::kSet || kind == NodeKind::kFrozenset) {
      for (std::size_t i = 0; i < children.size(); i += step) needed_[children[i]] = 1;
    }
    return {};
  }

  Result<ClassId> Classify(NodeId id) {
    const ByteView payload = tree_.PayloadOf(id);
    switch (tree_.kind(id)) {
      case NodeKind::kNone: return interner_.Intern(Tag::kNone, {});
      case NodeKind::kFalse: return interner_.Intern(Tag::kInteger, {});
      case NodeKind::kTrue: return interner_.InternOwned(Tag::kInteger, std::array<std::uint8_t, 1>{1});
      case NodeKind::kInt: return interner_.Intern(Tag::kInteger, payload);
      case NodeKind::kFloat: return Real(id, LoadLittleEndian<double>(payload));
      case NodeKind::kComplex:
        return Complex(id, LoadLittleEndian<double>(payload), LoadLittleEndian<double>(payload, 8));
      case NodeKind::kStr: return interner_.Intern(Tag::kStr, payload);
      case NodeKind::kBytes: return interner_.Intern(Tag::kBytes, payload);
      case NodeKind::kTuple: return Structure(Tag::kTuple, tree_.ChildrenOf(id));
      case NodeKind::kSlice: return Structure(Tag::kSlice, tree_.ChildrenOf(id));
      case NodeKind::kGlobal: return Structure(Tag::kGlobal, tree_.ChildrenOf(id));
      case NodeKind::kTimezone: return Structure(Tag::kTimezone, tree_.ChildrenOf(id).first(1));
      case NodeKind::kFrozenset: return Frozenset(tree_.ChildrenOf(id));
      case NodeKind::kRange: return Range(tree_.ChildrenOf(id));
      case NodeKind::kDate: return interner_.Intern(Tag::kDate, payload);
      case NodeKind::kTimedelta: return interner_.Intern(Tag::kTimedelta, payload);
      case NodeKind::kTime: return Number(Tag::kTime, TimeMicroseconds(payload));
      case NodeKind::kDatetime: return Number(Tag::kDatetime, DatetimeMicroseconds(payload));
      case NodeKind::kZoned: return Zoned(tree_.ChildrenOf(id));
      default: return Identity(id);
    }
  }

  ClassId Owned(Tag tag, ByteWriter&& form) { return interner_.InternOwned(tag, form.view()); }

  ClassId Identity(NodeId id) {
    ByteWriter form;
    form.U32(id);
    return Owned(Tag::kIdentity, std::move(form));
  }

  ClassId Number(Tag tag, std::int64_t value) {
    ByteWriter form;
    form.U64(std::bit_cast<std::uint64_t>(value));
    return Owned(tag, std::move(form));
  }

  ClassId Real(NodeId id, double value) {
    if (std::isnan(value)) return Identity(id);
    if (std::isfinite(value) && std::trunc(value) == value)
      return interner_.InternOwned(Tag::kInteger, IntegerBytes(value));
    return Number(Tag::kFraction, std::bit_cast<std::int64_t>(value));
  }

  ClassId Complex(NodeId id, double real, double imaginary) {
    if (imaginary == 0) return Real(id, real);
    if (std::isnan(real) || std::isnan(imaginary)) return Identity(id);
    ByteWriter form;
    form.U64(std::bit_cast<std::uint64_t>(real == 0 ? 0.0 : real));  // -0.0 equals 0.0
    form.U64(std::bit_cast<std::uint64_t>(imaginary));
    return Owned(Tag::kComplex, std::move(form));
  }

  ClassId Structure(Tag tag, std::span<const NodeId> parts) {
    ByteWriter form;
    for (const NodeId part : parts) form.U32(classes_[part]);
    return Owned(tag, std::move(form));
  }

  ClassId Frozenset(std::span<const NodeId> items) {
    std::vector<ClassId> members;
    members.reserve(items.size());
    for (const NodeId item : items) members.push_back(classes_[item]);
    std::sort(members.begin(), members.end());
    ByteWriter form;
    for (const ClassId member : members) form.U32(member);
    return Owned(Tag::kFrozenset, std::move(form));
  }

  // Ranges are equal when they yield the same numbers.
  Result<ClassId> Range(std::span<const NodeId> parts) {
    for (const NodeId part : parts) {
      if (tree_.node(part).count > 8) {
        return Error{Stage::kLimit, "range_key_too_large", "a range that is a key has a bound of more than 64 bits"};
      }
    }
    const std::int64_t start = SmallInteger(tree_.PayloadOf(parts[0]));
    const std::int64_t stop = SmallInteger(tree_.PayloadOf(parts[1]));
    const std::int64_t step = SmallInteger(tree_.PayloadOf(parts[2]));
    const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
    const std::uint64_t up = static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start);
    const bool empty = step > 0 ? start >= stop : start <= stop;
    const std::uint64_t length = empty ? 0 : ((step > 0 ? up : 0 - up) - 1) / stride + 1;
    ByteWriter form;
    form.U64(length);
    form.U64(length > 0 ? std::bit_cast<std::uint64_t>(start) : 0);
    form.U64(length > 1 ? std::bit_cast<std::uint64_t>(step) : 0);
    return Owned(Tag::kRange, std::move(form));
  }

  // Python compares the instants of times whose offset from UTC is fixed. What another tzinfo would answer is not
  // known here, so those compare only under the same one.
  ClassId Zoned(std::span<const NodeId> parts) {
    if (tree_.kind(parts[1]) != NodeKind::kTimezone) return Structure(Tag::kZoned, parts);
    const std::int64_t offset = TimedeltaMicroseconds(tree_.PayloadOf(tree_.ChildrenOf(parts[1])[0]));
    const ByteView clock = tree_.PayloadOf(parts[0]);
    if (tree_.kind(parts[0]) == NodeKind::kTime) return Number(Tag::kUtcTime, TimeMicroseconds(clock) - offset);
    return Number(Tag::kUtcDatetime, DatetimeMicroseconds(clock) - offset);
  }

  const ValueTree& tree_;
  std::vector<std::uint8_t> needed_;
  std::vector<ClassId> classes_;
  Interner interner_;
};

// HasWeightyKeys says whether any key is more than a text or another small value.
bool HasWeightyKeys(const ValueTree& tree) {
  for (NodeId id = 0; id < tree.size(); ++id) {
    if (tree.kind(id) != NodeKind::kDict) continue;
    const std::span<const NodeId> children = tree.ChildrenOf(id);
    for (std::size_t i = 0; i < children.size(); i += 2) {
      const ValueTree::Node& key = tree.node(children[i]);
      if (HasChildren(key.kind) || (key.kind == NodeKind::kInt && key.count >= 8)) return true;
    }
  }
  return false;
}

// CheckKeyWeights bounds what hashing all dict keys costs in Python, where a shared part is hashed as often as it is
// referred to: 60 tuples, each a pair of the one before, would take for ever.
Status CheckKeyWeights(const ValueTree& tree, const std::vector<NodeId>& parents_first) {
  const std::uint64_t limit = (std::uint64_t{1} << 20) + 32 * (std::uint64_t{tree.size()} + tree.children().size());
  std::vector<std::uint64_t> weights(tree.size(), 1);
  for (std::size_t i = parents_first.size(); i-- > 0;) {
    const NodeId id = parents_first[i];
    const ValueTree::Node& node = tree.node(id);
    if (node.kind == NodeKind::kInt) weights[id] += node.count / 8;
    const std::span<const NodeId> children = tree.ChildrenOf(id);
    for (std::size_t child = 0; child < children.size(); ++child) {
      if (!IsOpenEdge(node, child)) weights[id] = std::min(weights[id] + weights[children[child]], limit + 1);
    }
  }
  std::uint64_t total = 0;
  for (NodeId id = 0; id < tree.size(); ++id) {
    if (tree.kind(id) != NodeKind::kDict) continue;
    const std::span<const NodeId> children = tree.ChildrenOf(id);
    for (std::size_t i = 0; i < children.size() && total <= limit; i += 2) total += weights[children[i]];
  }
  if (total <= limit) return {};
  return Error{Stage::kLimit, "keys_too_large", "the keys of all dicts together are larger than the limit"};
}

bool HasKeys(NodeKind kind) {
  return kind == NodeKind::kDict || kind == NodeKind::kSet || kind == NodeKind::kFrozenset;
}

}  // namespace

Status CheckKeys(const ValueTree& tree, const std::vector<NodeId>& parents_first) {
  if (HasWeightyKeys(tree)) SAFEMODEL_TRY(CheckKeyWeights(tree, parents_first));
  KeyClasses classes(tree);
  SAFEMODEL_TRY(classes.Compute(parents_first));
  std::vector<NodeId> seen_in(classes.size(), 0);  // 1 + the container that had a key of this class last
  for (NodeId id = 0; id < tree.size(); ++id) {
    if (!HasKeys(tree.kind(id))) continue;
    const std::span<const NodeId> children = tree.ChildrenOf(id);
    const std::size_t step = tree.kind(id) == NodeKind::kDict ? 2 : 1;
    for (std::size_t i = 0; i < children.size(); i += step) {
      NodeId& container = seen_in[classes.class_of(children[i])];
      if (container == id + 1) {
        return Error{Stage::kMalformed, "equal_keys", "a dict or set has two keys that Python takes for equal"};
      }
      container = id + 1;
    }
  }
  return {};
}

}  // namespace safemodel
