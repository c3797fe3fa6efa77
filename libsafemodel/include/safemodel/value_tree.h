// SPDX-License-Identifier: Apache-2.0
// The value tree: what a model holds besides its tensors. It is data; nothing in it is ever called.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <safemodel/bytes.h>

namespace safemodel {

using NodeId = std::uint32_t;

// NodeKind is what a node is. The numbers are those of the container format. After each kind: its payload bytes, and
// its children.
enum class NodeKind : std::uint8_t {
  kNone = 1,
  kFalse = 2,
  kTrue = 3,
  kInt = 4,         // minimal two's complement, little-endian; zero has no bytes
  kFloat = 5,       // 8 bytes, the bits of a binary64, little-endian
  kComplex = 6,     // 16 bytes, real then imaginary
  kStr = 7,         // UTF-8, lone surrogates allowed (encoded as three bytes each)
  kBytes = 8,       // the bytes
  kList = 9,        // children: the items
  kTuple = 10,      // children: the items
  kDict = 11,       // children: key, value, key, value, ... in insertion order
  kSet = 12,        // children: the items, in ascending order of their canonical encodings
  kFrozenset = 13,  // as kSet
  kSlice = 14,      // three children: start, stop, step
  kRange = 15,      // three children: start, stop, step (integers)
  kDate = 16,       // 4 bytes: year u16, month u8, day u8
  kTime = 17,       // 8 bytes: hour u8, minute u8, second u8, fold u8, microsecond u32
  kDatetime = 18,   // 12 bytes: those of a date, then those of a time
  kTimedelta = 19,  // 12 bytes: days i32, seconds u32, microseconds u32
  kTimezone = 20,   // children: the offset, a timedelta; and, if it has one, its name, a str
  kTensor = 21,     // 4 bytes: index in the tensor table u32; flags: TensorNodeFlags
  kGlobal = 22,     // two children, both str: module, qualified name. A reference by name, never resolved by the reader
  kObject = 23,     // flags: ObjectParts; children: class (a global), then the parts present, in the order of the flags
  kZoned = 24,      // two children: a time or datetime, and its tzinfo
};

// ObjectParts are the flags of an object node, lowest bit first in the order of its children.
enum ObjectParts : std::uint8_t {
  kObjectArgs = 1,       // tuple of constructor arguments
  kObjectState = 2,      // the state: any node
  kObjectListItems = 4,  // list of appended items
  kObjectDictItems = 8,  // dict of items set on it
  kObjectSetItems = 16,  // list of items added to it
  kObjectInert = 128,    // no child: nobody vouched for the class; no loader may build it
};

// TensorNodeFlags say what a tensor reference was in the source program.
enum TensorNodeFlags : std::uint8_t {
  kTensorNumpy = 1,         // an array of numpy
  kTensorTorch = 2,         // a tensor of PyTorch
  kTensorBigEndian = 4,     // stored big-endian at the source; little-endian here
  kTensorRequiresGrad = 8,  // PyTorch's requires_grad
  kTensorConjugate = 16,    // PyTorch's lazy conjugation is pending on these bytes
  kTensorNegative = 32,     // PyTorch's lazy negation is pending on these bytes
};

// ValueTree is an immutable table of nodes. Node 0 is the root; nodes stand in the order in which a depth-first walk
// first visits them, so equal trees have equal tables. Children may be shared and may form cycles through lists,
// dict values and objects. Every accessor is O(1) and valid for ids below size(); views live as long as the tree.
// Concurrent reads are safe.
class ValueTree {
 public:
  struct Node {
    NodeKind kind = NodeKind::kNone;
    std::uint8_t flags = 0;
    std::uint32_t count = 0;  // number of payload bytes or of children
    std::uint64_t begin = 0;  // where they start in payload() or children(): the sum of the counts before
    bool operator==(const Node&) const = default;
  };

  ValueTree() = default;
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] bool empty() const { return nodes_.empty(); }
  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[id]; }
  [[nodiscard]] NodeKind kind(NodeId id) const { return nodes_[id].kind; }
  [[nodiscard]] std::uint8_t flags(NodeId id) const { return nodes_[id].flags; }
  // PayloadOf returns the bytes of a node whose kind carries bytes; TensorOf and TextOf read them for convenience.
  [[nodiscard]] ByteView PayloadOf(NodeId id) const;
  [[nodiscard]] std::span<const NodeId> ChildrenOf(NodeId id) const;
  [[nodiscard]] std::uint32_t TensorOf(NodeId id) const;
  [[nodiscard]] std::string_view TextOf(NodeId id) const;

  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<NodeId>& children() const { return children_; }
  [[nodiscard]] const ByteBuffer& payload() const { return payload_; }
  bool operator==(const ValueTree&) const = default;

 private:
  friend class ValueTreeAssembler;  // value/: the only maker of trees
  std::vector<Node> nodes_;
  std::vector<NodeId> children_;
  ByteBuffer payload_;
};

// HasChildren says whether nodes of this kind carry children; all others carry payload bytes. No kind carries both.
bool HasChildren(NodeKind kind);

}  // namespace safemodel
