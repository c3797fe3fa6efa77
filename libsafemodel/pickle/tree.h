// SPDX-License-Identifier: Apache-2.0
// From the graph of a pickle to the value tree of a container.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/result.h>
#include <safemodel/value_tree.h>

#include "pickle/node.h"
#include "pickle/rule.h"

namespace safemodel::pickle {

// TreeContext is what rules make tree nodes with. Nothing recurses: Of returns a reference at once, and what it refers
// to is made later. Children may be references of both sorts.
class TreeContext {
 public:
  virtual ~TreeContext() = default;
  [[nodiscard]] virtual const Graph& graph() const = 0;
  [[nodiscard]] virtual const ImportTables& tables() const = 0;

  // Of refers to what a node of the graph becomes.
  virtual TreeRef Of(NodeIndex node) = 0;
  // Making nodes that no node of the graph stands for.
  virtual TreeRef Leaf(NodeKind kind, ByteView payload = {}) = 0;
  virtual TreeRef Str(std::string_view text) = 0;
  virtual TreeRef Int(std::int64_t value) = 0;
  virtual TreeRef Tensor(std::uint32_t tensor) = 0;  // with the flags of tables().tensor_flags
  virtual TreeRef Global(std::string_view module, std::string_view name) = 0;
  virtual TreeRef Parent(NodeKind kind, std::vector<TreeRef> children, std::uint8_t flags = 0) = 0;

  // Object makes an object node of class module.name with arguments and the state and items of `call`.
  virtual TreeRef Object(std::string_view module, std::string_view name, std::vector<TreeRef> args, NodeIndex call) = 0;
};

// BuildTree turns everything that `root` reaches into a value tree. A storage that stands alone becomes a tensor of
// `tables`.
Result<ValueTree> BuildTree(const Graph& graph, ImportTables& tables, NodeIndex root, const Limits& limits);

}  // namespace safemodel::pickle
