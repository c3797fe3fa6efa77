// SPDX-License-Identifier: Apache-2.0
// A decision tree of scikit-learn, written by hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pickle/structure_builder.h"

namespace safemodel::pickle {

inline const std::vector<code::Column> kTreeNode = {{"left_child", "i8"},
                                                    {"right_child", "i8"},
                                                    {"feature", "i8"},
                                                    {"threshold", "f8"},
                                                    {"impurity", "f8"},
                                                    {"n_node_samples", "i8"},
                                                    {"weighted_n_node_samples", "f8"},
                                                    {"missing_go_to_left", "u1"}};

inline code::Row Leaf() { return {{"left_child", -1}, {"right_child", -1}, {"feature", -2}}; }
inline code::Row Split(std::int64_t left, std::int64_t right, std::int64_t feature) {
  return {{"left_child", left}, {"right_child", right}, {"feature", feature}};
}

// Tree is a Tree of five nodes, two deep, on three features.
struct Tree {
  std::int64_t features = 3;
  std::string classes = code::Vector<std::int64_t>({2});
  std::int64_t outputs = 1;
  std::int64_t depth = 2;
  std::int64_t count = 5;
  std::vector<code::Column> columns = kTreeNode;
  unsigned node_size = 64;
  std::vector<code::Row> nodes = {Split(1, 4, 2), Split(2, 3, 0), Leaf(), Leaf(), Leaf()};
  std::string values = code::Zeros<double>({5, 1, 2});
  std::string instead = {};  // of the nodes

  [[nodiscard]] std::string Code() const {
    const std::string bare =
        code::Call("sklearn.tree._tree", "Tree", {code::Integer(features), classes, code::Integer(outputs)});
    return code::Built(bare,
                       code::Dict({{"max_depth", code::Integer(depth)},
                                   {"node_count", code::Integer(count)},
                                   {"nodes", instead.empty() ? code::Records(columns, node_size, nodes) : instead},
                                   {"values", values}}));
  }
};

}  // namespace safemodel::pickle
