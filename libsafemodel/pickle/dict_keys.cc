// SPDX-License-Identifier: Apache-2.0
#include "pickle/dict_keys.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <optional>
#include <unordered_map>

#include "base/source.h"

namespace safemodel::pickle {
namespace {

bool IsInteger(Kind kind) { return kind == Kind::kInt || kind == Kind::kTrue || kind == Kind::kFalse; }

// Mix spreads a number over 64 bits (the last step of splitmix64).
std::uint64_t Mix(std::uint64_t number) {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

// Vocabularies of a million words are what costs time, and their proofs (STRUCT-VOCAB) compare their numbers.
constexpr std::size_t kMostKeys = 65536;

// WholeOf returns a float as the integer that Python takes for the same key, or nothing.
std::optional<std::int64_t> WholeOf(double number) {
  constexpr double kEnd = 9223372036854775808.0;  // 2^63
  if (!(number >= -kEnd && number < kEnd)) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(number);
  if (static_cast<double>(whole) < number || static_cast<double>(whole) > number) return std::nullopt;
  return whole;
}

std::optional<std::int64_t> IntegerOf(const Graph& graph, NodeIndex key) {
  const Kind kind = graph.kind(key);
  if (IsInteger(kind)) return graph.IntOf(key);
  return kind == Kind::kFloat ? WholeOf(graph.FloatOf(key)) : std::nullopt;
}

bool HasBytes(Kind kind) { return kind == Kind::kStr || kind == Kind::kBytes || kind == Kind::kPy2Str; }

std::uint64_t WordAt(ByteView bytes, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof(word));
  return word;
}

// HashBytes is quick and spreads well enough: what has equal hashes is compared, and that work is bounded. It takes
// words of eight bytes; the last one overlaps its neighbour.
std::uint64_t HashBytes(ByteView bytes) {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  std::uint64_t hash = bytes.size() * kFactor;
  if (bytes.size() < kWord) {
    for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * kFactor;
    return Mix(hash);
  }
  const std::size_t last = bytes.size() - kWord;
  for (std::size_t at = 0; at < last; at += kWord) hash = std::rotl(hash ^ WordAt(bytes, at), 29) * kFactor;
  return Mix(hash ^ WordAt(bytes, last));
}

}  // namespace

// A text that is used once is hashed once or twice, so that the keys of real streams need far less than this.
DictKeys::DictKeys(const Graph& graph) : graph_(graph), left_((std::uint64_t{1} << 20) + 16 * graph.stream()->size()) {}

void DictKeys::Spend(std::uint64_t bytes) { left_ -= std::min(left_, bytes); }

// SameBytes: text and bytes are never equal, and a `str` of Python 2 is text when it is ASCII.
bool DictKeys::SameBytes(NodeIndex left, NodeIndex right) {
  if (!HasBytes(graph_.kind(right)) || graph_.SizeOf(left) != graph_.SizeOf(right)) return false;
  const auto first = graph_.BytesOf(left);
  const auto second = graph_.BytesOf(right);
  if (!first || !second) return false;
  const auto differ = std::ranges::mismatch(*first, *second);
  Spend(static_cast<std::uint64_t>(differ.in1 - first->begin()));
  if (differ.in1 != first->end() || left_ == 0) return false;
  Spend(2 * first->size());
  return graph_.IsText(left) == graph_.IsText(right);
}

bool DictKeys::Same(NodeIndex left, NodeIndex right) {
  if (left == right) return true;
  if (HasBytes(graph_.kind(left))) return SameBytes(left, right);
  if (const auto integer = IntegerOf(graph_, left)) return integer == IntegerOf(graph_, right);
  if (graph_.kind(left) != graph_.kind(right)) return false;
  switch (graph_.kind(left)) {
    case Kind::kGlobal: return &graph_.GlobalOf(left) == &graph_.GlobalOf(right);
    case Kind::kFloat: return std::equal_to<double>()(graph_.FloatOf(left), graph_.FloatOf(right));
    case Kind::kLong:
      Spend(graph_.LongOf(left).size());
      return left_ > 0 && std::ranges::equal(graph_.LongOf(left), graph_.LongOf(right));
    default: return false;
  }
}

std::uint32_t DictKeys::HashOf(NodeIndex key) {
  if (HasBytes(graph_.kind(key))) {
    const auto bytes = graph_.BytesOf(key);
    if (!bytes) return static_cast<std::uint32_t>(Mix(key));
    Spend(bytes->size());
    return left_ == 0 ? 0 : static_cast<std::uint32_t>(HashBytes(*bytes));
  }
  std::uint64_t number = key;
  if (const auto integer = IntegerOf(graph_, key)) {
    number = static_cast<std::uint64_t>(*integer);
  } else if (graph_.kind(key) == Kind::kGlobal) {
    number = std::hash<const void*>()(&graph_.GlobalOf(key));
  } else if (graph_.kind(key) == Kind::kFloat) {
    number = std::bit_cast<std::uint64_t>(graph_.FloatOf(key));
  } else if (graph_.kind(key) == Kind::kLong) {
    Spend(graph_.LongOf(key).size());
    number = left_ == 0 ? 0 : HashBytes(graph_.LongOf(key));
  }
  return static_cast<std::uint32_t>(Mix(number));
}

void DictKeys::Took(NodeIndex dict, std::span<const NodeIndex> items) {
  if (left_ == 0 || items.empty()) return;
  if (runs_.empty() || runs_.back().dict != dict) {
    if (!graph_.ItemsOf(dict).empty()) return continued_.push_back(dict);
    runs_.push_back({dict, 0, hashes_.size()});
  }
  if (runs_.back().count > kMostKeys) return;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) hashes_.push_back(HashOf(items[i]));
  runs_.back().count += static_cast<std::uint32_t>(items.size() / 2);
}

NodeIndex DictKeys::RepeatedInFew(std::span<const NodeIndex> items, Hashes hashes) {
  for (std::size_t later = 1; later < hashes.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (hashes[earlier] == hashes[later] && Same(items[2 * earlier], items[2 * later])) return items[2 * later];
    }
  }
  return kNoNode;
}

// RepeatedInMany marks a bit for each hash, in so few bytes that they stay close to the processor. Only keys whose bit
// another key has marked are worth a table.
NodeIndex DictKeys::RepeatedInMany(std::span<const NodeIndex> items, Hashes hashes) {
  const std::size_t bits = std::bit_ceil(16 * hashes.size());
  const auto mask = static_cast<std::uint32_t>(bits - 1);
  std::vector<std::uint64_t> seen(bits / 64);
  std::vector<std::uint64_t> suspects;
  for (const std::uint32_t hash : hashes) {
    const std::uint32_t at = hash & mask;
    const std::uint64_t bit = std::uint64_t{1} << (at % 64);
    if ((seen[at / 64] & bit) != 0) {
      if (suspects.empty()) suspects.resize(seen.size());
      suspects[at / 64] |= bit;
    }
    seen[at / 64] |= bit;
  }
  return suspects.empty() ? kNoNode : RepeatedInSuspects(items, hashes, suspects, mask);
}

NodeIndex DictKeys::RepeatedInSuspects(std::span<const NodeIndex> items, Hashes hashes,
                                       std::span<const std::uint64_t> suspects, std::uint32_t mask) {
  std::unordered_multimap<std::uint32_t, NodeIndex> table;
  for (std::size_t i = 0; i < hashes.size() && left_ > 0; ++i) {
    const std::uint32_t at = hashes[i] & mask;
    if ((suspects[at / 64] >> (at % 64) & 1) == 0) continue;
    const NodeIndex key = items[2 * i];
    const auto [begin, end] = table.equal_range(hashes[i]);
    for (auto known = begin; known != end && left_ > 0; ++known) {
      if (Same(known->second, key)) return key;
      Spend(1);  // keys whose hashes were made equal are not compared without end
    }
    table.emplace(hashes[i], key);
  }
  return kNoNode;
}

NodeIndex DictKeys::RepeatedAmong(NodeIndex dict, Hashes hashes) {
  constexpr std::size_t kFew = 8;
  const std::span<const NodeIndex> items = graph_.ItemsOf(dict);
  if (items.size() / 2 > kMostKeys) return kNoNode;
  return hashes.size() <= kFew ? RepeatedInFew(items, hashes) : RepeatedInMany(items, hashes);
}

std::vector<std::pair<NodeIndex, NodeIndex>> DictKeys::Repeated() {
  std::vector<std::pair<NodeIndex, NodeIndex>> found;
  std::ranges::sort(continued_);
  continued_.erase(std::unique(continued_.begin(), continued_.end()), continued_.end());
  const auto look = [&](NodeIndex dict, Hashes hashes) {
    const NodeIndex key = left_ == 0 ? kNoNode : RepeatedAmong(dict, hashes);
    if (key != kNoNode) found.emplace_back(dict, key);
  };
  for (const Run& run : runs_) {
    if (continued_.empty() || !std::ranges::binary_search(continued_, run.dict)) {
      look(run.dict, Hashes(hashes_).subspan(run.begin, run.count));
    }
  }
  for (const NodeIndex dict : continued_) {
    hashes_.clear();
    const std::span<const NodeIndex> items = graph_.ItemsOf(dict);
    if (items.size() / 2 > kMostKeys) continue;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) hashes_.push_back(HashOf(items[i]));
    look(dict, hashes_);
  }
  return found;
}

}  // namespace safemodel::pickle
