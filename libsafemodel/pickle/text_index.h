// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/cursor.h"
#include "base/large_pages.h"
#include "value/keyed_hash.h"

namespace safemodel::pickle {

// TextIndex finds the numbers of texts that somebody else keeps. It is one table: archives have very many names, and a
// map that allocates for each of them takes longer than reading them does.
class TextIndex {
 public:
  // Expect makes room for this many texts.
  void Expect(std::size_t texts) {
    std::size_t slots = kFewest;
    while (slots / 2 < texts) slots *= 2;
    if (slots > slots_.size()) Grow(slots);
  }

  // Find returns the number that was added under an equal text; `is` tells of a number whether its text is that one.
  template <typename Is>
  [[nodiscard]] std::optional<std::uint32_t> Find(std::string_view text, const Is& is) const {
    if (slots_.empty()) return std::nullopt;
    const std::uint32_t number = slots_[SlotOf(HashOf(text), is)].number;
    return number == kFree ? std::nullopt : std::optional(number);
  }

  // FindOrAdd is Find, and enters the text when there is none.
  template <typename Is>
  std::optional<std::uint32_t> FindOrAdd(std::string_view text, std::uint32_t number, const Is& is) {
    Expect(texts_ + 1);
    const std::uint32_t hash = HashOf(text);
    const std::size_t at = SlotOf(hash, is);
    if (slots_[at].number != kFree) return slots_[at].number;
    slots_[at] = {hash, number};
    ++texts_;
    return std::nullopt;
  }

 private:
  static constexpr std::size_t kFewest = 16;
  static constexpr std::uint32_t kFree = ~std::uint32_t{0};
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t number = kFree;
  };

  static std::uint32_t HashOf(std::string_view text) {
    return static_cast<std::uint32_t>(KeyedHash::Of(0, AsBytes(text)));  // names are an attacker's to choose
  }
  [[nodiscard]] std::size_t Mask() const { return slots_.size() - 1; }

  // SlotOf returns where a text stands, or the free slot where it would.
  template <typename Is>
  [[nodiscard]] std::size_t SlotOf(std::uint32_t hash, const Is& is) const {
    std::size_t at = hash & Mask();
    while (slots_[at].number != kFree && !(slots_[at].hash == hash && is(slots_[at].number))) at = (at + 1) & Mask();
    return at;
  }

  void Place(Slot slot) {
    std::size_t at = slot.hash & Mask();
    while (slots_[at].number != kFree) at = (at + 1) & Mask();
    slots_[at] = slot;
  }

  void Grow(std::size_t slots) {
    LargeVector<Slot> old(slots, Slot{});
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number != kFree) Place(slot);
    }
  }

  LargeVector<Slot> slots_;  // a power of two, at most half of them taken
  std::size_t texts_ = 0;
};

}  // namespace safemodel::pickle
