// SPDX-License-Identifier: Apache-2.0
// What the rules of numpy share with those of the libraries on top of it. Only *_rules.cc and struct_*.cc include this
// header.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "pickle/rule.h"
#include "pickle/tree.h"

namespace safemodel::pickle {

inline std::span<const NodeIndex> ArgsOf(const Graph& graph, NodeIndex call) {
  return graph.ItemsOf(graph.CallOf(call).args);
}
inline std::span<const NodeIndex> StateOf(const Graph& graph, NodeIndex call) {
  return graph.ItemsOf(graph.CallOf(call).state);
}

// LastValue returns what was last set under a text key of a dict, or kNoNode.
NodeIndex LastValue(const Graph& graph, NodeIndex dict, std::string_view key);

// Random generators: proofs of their states, and what they become.
Status OnGeneratorState(RuleContext& context, NodeIndex call);
Status OnBitGenerator(RuleContext& context, NodeIndex call);
Result<TreeRef> BitGeneratorToTree(TreeContext& tree, NodeIndex call);
Result<TreeRef> RandomStateToTree(TreeContext& tree, NodeIndex call);
Result<TreeRef> GeneratorToTree(TreeContext& tree, NodeIndex call);
// PyxToTree: __pyx_unpickle_X(class, checksum, state or None) and newObj(class) stand for an object of the class.
Result<TreeRef> PyxToTree(TreeContext& tree, NodeIndex call);

}  // namespace safemodel::pickle
