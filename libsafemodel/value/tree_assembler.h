// SPDX-License-Identifier: Apache-2.0
// The one door through which value trees are made and changed inside value/.
#pragma once

#include <utility>
#include <vector>

#include <safemodel/value_tree.h>

namespace safemodel {

// ValueTreeAssembler puts the three tables of a tree together. It checks nothing: a tree leaves value/ only after
// ParseValueTree accepted its tables.
class ValueTreeAssembler {
 public:
  static ValueTree Assemble(std::vector<ValueTree::Node> nodes, std::vector<NodeId> children, ByteBuffer payload) {
    ValueTree tree;
    tree.nodes_ = std::move(nodes);
    tree.children_ = std::move(children);
    tree.payload_ = std::move(payload);
    return tree;
  }
  // Mutable access, for what is still being made.
  static std::vector<NodeId>& Children(ValueTree& tree) { return tree.children_; }
  static ByteBuffer& Payload(ValueTree& tree) { return tree.payload_; }
};

}  // namespace safemodel
