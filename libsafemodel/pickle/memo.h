// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/large_pages.h"
#include "pickle/node.h"

namespace safemodel::pickle {

// Memo is the numbered store of one stream. Memory stays proportional to the number of entries, whatever their numbers:
// CPython's C reader allocates 16 bytes for each number up to the highest.
class Memo {
 public:
  // entries counts the numbers in use; MEMOIZE stores at this number.
  [[nodiscard]] std::uint64_t entries() const { return entries_; }

  // Put stores or overwrites. False when the number is out of all proportion.
  [[nodiscard]] bool Put(std::uint64_t number, NodeIndex node) {
    if (number < dense_.size() && dense_[number] != kNoNode) {
      dense_[number] = node;
      return true;
    }
    if (number > (std::uint64_t{1} << 20) + 4 * entries_) return false;
    if (sparse_.empty() || sparse_.erase(number) == 0) ++entries_;
    if (number <= 2 * entries_ + 1024) {
      if (number >= dense_.size()) dense_.resize(number + 1, kNoNode);
      dense_[number] = node;
    } else {
      sparse_.emplace(number, node);
    }
    return true;
  }

  // Get returns what is stored, or kNoNode.
  [[nodiscard]] NodeIndex Get(std::uint64_t number) const {
    if (number < dense_.size() && dense_[number] != kNoNode) return dense_[number];
    if (sparse_.empty()) return kNoNode;
    const auto found = sparse_.find(number);
    return found == sparse_.end() ? kNoNode : found->second;
  }

 private:
  LargeVector<NodeIndex> dense_;
  std::unordered_map<std::uint64_t, NodeIndex> sparse_;
  std::uint64_t entries_ = 0;
};

}  // namespace safemodel::pickle
