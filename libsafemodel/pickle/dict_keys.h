// SPDX-License-Identifier: Apache-2.0
// Dicts that set a key twice: loaders keep the value that came last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "pickle/node.h"

namespace safemodel::pickle {

// DictKeys hashes keys while they are at hand, and compares those that may be equal at the end of the stream. Texts,
// bytes, numbers and names are compared by value, all other keys by identity. The work for all dicts together is linear
// in the size of the stream: where many dicts share long keys it gives up, and finds nothing more. Dicts of more than
// 65 536 keys are left alone.
class DictKeys {
 public:
  explicit DictKeys(const Graph& graph);

  // Took is told what is about to be added to a dict: keys and values by turns.
  void Took(NodeIndex dict, std::span<const NodeIndex> items);
  // Repeated returns the dicts that set a key twice, each with one such key.
  [[nodiscard]] std::vector<std::pair<NodeIndex, NodeIndex>> Repeated();

 private:
  // Run is the hashes of keys that a dict got without another dict in between.
  struct Run {
    NodeIndex dict;
    std::uint32_t count;
    std::size_t begin;
  };
  using Hashes = std::span<const std::uint32_t>;

  void Spend(std::uint64_t bytes);
  [[nodiscard]] std::uint32_t HashOf(NodeIndex key);
  [[nodiscard]] bool Same(NodeIndex left, NodeIndex right);
  [[nodiscard]] bool SameBytes(NodeIndex left, NodeIndex right);
  [[nodiscard]] NodeIndex RepeatedAmong(NodeIndex dict, Hashes hashes);
  [[nodiscard]] NodeIndex RepeatedInFew(std::span<const NodeIndex> items, Hashes hashes);
  [[nodiscard]] NodeIndex RepeatedInMany(std::span<const NodeIndex> items, Hashes hashes);
  [[nodiscard]] NodeIndex RepeatedInSuspects(std::span<const NodeIndex> items, Hashes hashes,
                                             std::span<const std::uint64_t> suspects, std::uint32_t mask);

  const Graph& graph_;
  std::uint64_t left_;  // bytes that may still be looked at
  std::vector<std::uint32_t> hashes_;
  std::vector<Run> runs_;             // the first of each dict
  std::vector<NodeIndex> continued_;  // dicts that got keys in several runs
};

}  // namespace safemodel::pickle
