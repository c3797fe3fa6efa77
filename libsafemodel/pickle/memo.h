// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <string>

#include "base/large_pages.h"
#include "pickle/node.h"

namespace safemodel::pickle {

// Memo is the numbered store of one stream. Memory stays proportional to the number of entries, whatever their numbers:
// CPython's C reader allocates 16 bytes for each number up to the highest, its Python reader takes any number.
class Memo {
 public:
  // entries counts the numbers in use; MEMOIZE stores at this number.
  [[nodiscard]] std::uint64_t entries() const { return entries_; }

  // Put stores or overwrites. False when the number is new and out of all proportion.
  [[nodiscard]] bool Put(std::uint64_t number, NodeIndex node) {
    if (number < dense_.size() && dense_[number] != kNoNode) {
      dense_[number] = node;
      return true;
    }
    const bool is_new = sparse_.empty() || sparse_.erase(number) == 0;
    const bool far = is_new && number > (std::uint64_t{1} << 20) + 4 * entries_;
    if (is_new) ++entries_;
    if (number <= 2 * entries_ + 1024) {
      if (number >= dense_.size()) dense_.resize(number + 1, kNoNode);
      dense_[number] = node;
    } else {
      sparse_.emplace(number, node);
    }
    return !far;
  }

  // NumberOf returns the number that decimal digits without leading zeros stand for. Those that no C reader can count
  // to get numbers of their own.
  [[nodiscard]] std::uint64_t NumberOf(const std::string& digits) {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec == std::errc{} && number < kBeyondAll) return number;
    return kBeyondAll + beyond_.try_emplace(digits, beyond_.size()).first->second;
  }

  // Get returns what is stored, or kNoNode.
  [[nodiscard]] NodeIndex Get(std::uint64_t number) const {
    if (number < dense_.size() && dense_[number] != kNoNode) return dense_[number];
    if (sparse_.empty()) return kNoNode;
    const auto found = sparse_.find(number);
    return found == sparse_.end() ? kNoNode : found->second;
  }

 private:
  static constexpr std::uint64_t kBeyondAll = std::uint64_t{1} << 63;

  LargeVector<NodeIndex> dense_;
  std::map<std::uint64_t, NodeIndex> sparse_;  // ordered: a file could choose numbers that collide in a hash table
  std::map<std::string, std::uint64_t> beyond_;
  std::uint64_t entries_ = 0;
};

}  // namespace safemodel::pickle
