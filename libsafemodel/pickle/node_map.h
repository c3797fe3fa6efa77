// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "base/large_pages.h"
#include "pickle/node.h"
#include "value/keyed_hash.h"

namespace safemodel::pickle {

// NodeMap says what some nodes of a graph mean. It has as much of the interface of std::unordered_map as is used here,
// in two blocks of memory: an archive may have very many tensors, and a map that allocates for each of them takes
// longer than judging them does. What find() and at() return holds until something is added.
template <typename T>
class NodeMap {
 public:
  using Entry = std::pair<NodeIndex, T>;

  [[nodiscard]] const Entry* end() const { return entries_.data() + entries_.size(); }
  [[nodiscard]] const Entry* find(NodeIndex node) const {
    const std::uint32_t number = NumberOf(node);
    return number == kFree ? end() : &entries_[number];
  }
  [[nodiscard]] bool contains(NodeIndex node) const { return NumberOf(node) != kFree; }
  // at ends the process when there is nothing under this node: that is a bug in the caller.
  [[nodiscard]] const T& at(NodeIndex node) const {
    const std::uint32_t number = NumberOf(node);
    if (number == kFree) std::abort();
    return entries_[number].second;
  }

  // Expect makes room for this many nodes.
  void Expect(std::size_t nodes) {
    entries_.reserve(nodes);
    std::size_t slots = kFewest;
    while (slots / 2 < nodes) slots *= 2;
    if (slots > slots_.size()) Grow(slots);
  }

  T& operator[](NodeIndex node) { return entries_[Enter(node, T{})].second; }
  // emplace adds a value where there is none yet.
  void emplace(NodeIndex node, T value) { Enter(node, std::move(value)); }

 private:
  static constexpr std::size_t kFewest = 16;
  static constexpr std::uint32_t kFree = ~std::uint32_t{0};

  // Multiplying by a number that nobody knows spreads nodes, whose numbers are an attacker's to choose.
  [[nodiscard]] std::size_t Start(NodeIndex node) const {
    static const std::uint64_t kFactor = KeyedHash::Of(1, {}) | 1;
    return static_cast<std::size_t>((node * kFactor) >> 32) & (slots_.size() - 1);
  }

  // SlotOf returns where a node stands, or the free slot where it would.
  [[nodiscard]] std::size_t SlotOf(NodeIndex node) const {
    std::size_t at = Start(node);
    while (slots_[at] != kFree && entries_[slots_[at]].first != node) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  [[nodiscard]] std::uint32_t NumberOf(NodeIndex node) const { return slots_.empty() ? kFree : slots_[SlotOf(node)]; }

  // Enter adds a node unless it is there, and returns its number.
  std::uint32_t Enter(NodeIndex node, T value) {
    if (2 * (entries_.size() + 1) > slots_.size()) Grow(slots_.empty() ? kFewest : 2 * slots_.size());
    std::uint32_t& number = slots_[SlotOf(node)];
    if (number != kFree) return number;
    number = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back(node, std::move(value));
    return number;
  }

  void Grow(std::size_t slots) {
    slots_.assign(slots, kFree);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      slots_[SlotOf(entries_[i].first)] = static_cast<std::uint32_t>(i);
    }
  }

  LargeVector<std::uint32_t> slots_;  // numbers of entries; a power of two, at most half of them taken
  LargeVector<Entry> entries_;
};

}  // namespace safemodel::pickle
