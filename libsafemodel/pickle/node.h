// SPDX-License-Identifier: Apache-2.0
// What a pickle stream builds when nothing is executed: a flat graph of nodes.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "base/large_pages.h"
#include "base/source.h"

namespace safemodel::pickle {

struct AllowEntry;

using NodeIndex = std::uint32_t;
inline constexpr NodeIndex kNoNode = ~NodeIndex{0};

// Kind is what a node is. kLong is an integer outside i64. kPy2Str is a `str` of Python 2: bytes that may mean text.
enum class Kind : std::uint8_t {
  kNone,
  kFalse,
  kTrue,
  kInt,
  kLong,
  kFloat,
  kStr,
  kBytes,
  kPy2Str,
  kByteArray,
  kList,
  kTuple,
  kDict,
  kSet,
  kFrozenset,
  kGlobal,      // an imported name
  kCall,        // whatever would have called something: a function, a constructor, `cls.__new__`
  kPersistent,  // a persistent id; the layout knows what it stands for
  kRawArray,    // array bytes that lie in the stream behind a wrapper; a layout made it
};

// Danger says what the tables know about an imported name.
enum class Danger : std::uint8_t { kListed, kUnlisted, kUnlistedStdlib, kDangerous };

// GlobalName is an imported name. `module` and `name` are what the stream says, `mapped_*` what Python 3 makes of it,
// and `entry` the table entry that vouches for it.
struct GlobalName {
  std::string_view module;
  std::string_view name;
  std::string_view mapped_module;
  std::string_view mapped_name;
  const AllowEntry* entry = nullptr;
  Danger danger = Danger::kUnlisted;
  std::uint64_t offset = 0;   // of the first import
  std::uint64_t imports = 0;  // how often it is imported
};

// How tells by which protocol a call happens.
enum class How : std::uint8_t {
  kReduce,       // callee(*args)
  kNew,          // cls.__new__(cls, *args): NEWOBJ, NEWOBJ_EX, and INST or OBJ without arguments
  kInstance,     // INST or OBJ with arguments
  kReconstruct,  // copyreg._reconstructor(cls, base, base_state): callee is cls, args is (base, base_state)
};

// Call is a call that would have happened and what was done with its result.
struct Call {
  NodeIndex callee = kNoNode;         // a global, unless the call was refused
  NodeIndex args = kNoNode;           // a tuple
  NodeIndex state = kNoNode;          // the argument of BUILD
  NodeIndex appends = kNoNode;        // a list: what APPEND and APPENDS added
  NodeIndex set_items = kNoNode;      // a dict: what SETITEM and SETITEMS set
  const AllowEntry* entry = nullptr;  // nothing when the call is inert
  How how = How::kReduce;
};

// Graph holds nodes by number. Items of containers are append-only logs: a dict keeps values that were overwritten.
// Nothing is ever removed, every operation is O(1) amortised, and nodes cost at most a small constant for each byte of
// the stream. Views of text and bytes point into buffers that the graph keeps alive.
class Graph {
 public:
  static constexpr NodeIndex kNone = 0, kFalse = 1, kTrue = 2;  // constants exist once

  // `stream` is where verbatim bytes can be read again.
  explicit Graph(SharedSource stream);

  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] Kind kind(NodeIndex node) const { return nodes_[node].kind; }
  // offset returns where in the stream the opcode stands that made the node; 0 for the constants.
  [[nodiscard]] std::uint64_t offset(NodeIndex node) const { return nodes_[node].offset; }

  // IntOf returns the value of kInt, kFalse and kTrue; LongOf the two's complement of a kLong.
  [[nodiscard]] std::int64_t IntOf(NodeIndex node) const;
  [[nodiscard]] ByteView LongOf(NodeIndex node) const;
  [[nodiscard]] double FloatOf(NodeIndex node) const;

  // SizeOf returns the number of bytes of kStr, kBytes, kPy2Str and kByteArray.
  [[nodiscard]] std::uint64_t SizeOf(NodeIndex node) const;
  // BytesOf returns them, or nothing when there are so many that they were left in the stream (kStr never is).
  [[nodiscard]] std::optional<ByteView> BytesOf(NodeIndex node) const;
  // TextOf returns a kStr, or a kPy2Str, as text; empty for other kinds and for bytes left in the stream.
  [[nodiscard]] std::string_view TextOf(NodeIndex node) const;
  // IsText says that a node is a kStr, or a kPy2Str of ASCII letters, which every loader turns into a str.
  [[nodiscard]] bool IsText(NodeIndex node) const;
  // StreamOffsetOf returns where in the stream the bytes start that were left there.
  [[nodiscard]] std::uint64_t StreamOffsetOf(NodeIndex node) const { return nodes_[node].data_offset; }
  // SourceOf returns the bytes as a source, without copying those left in the stream.
  [[nodiscard]] Result<SharedSource> SourceOf(NodeIndex node) const;

  // ItemsOf returns the items of a list, tuple, set or frozenset, and key, value, key, value, … of a dict. The view
  // holds until something is added to any container.
  [[nodiscard]] std::span<const NodeIndex> ItemsOf(NodeIndex node) const;
  [[nodiscard]] const GlobalName& GlobalOf(NodeIndex node) const { return globals_[nodes_[node].index]; }
  [[nodiscard]] GlobalName& NameOf(std::uint32_t global) { return globals_[global]; }
  [[nodiscard]] const std::deque<GlobalName>& globals() const { return globals_; }
  [[nodiscard]] const Call& CallOf(NodeIndex node) const { return calls_[nodes_[node].index]; }
  [[nodiscard]] Call& CallOf(NodeIndex node) { return calls_[nodes_[node].index]; }
  [[nodiscard]] const std::deque<Call>& calls() const { return calls_; }
  // PersistentIdOf returns the id, any node.
  [[nodiscard]] NodeIndex PersistentIdOf(NodeIndex node) const { return nodes_[node].index; }
  // TensorOf returns the number of the tensor that a kRawArray is.
  [[nodiscard]] std::uint32_t TensorOf(NodeIndex node) const { return nodes_[node].index; }
  // EntryOf returns the table entry of a call, or nothing.
  [[nodiscard]] const AllowEntry* EntryOf(NodeIndex node) const {
    return kind(node) == Kind::kCall ? CallOf(node).entry : nullptr;
  }

  // Making nodes. `offset` is that of the opcode.
  NodeIndex AddInt(std::uint64_t offset, std::int64_t value);
  NodeIndex AddLong(std::uint64_t offset, ByteView twos_complement);
  NodeIndex AddFloat(std::uint64_t offset, double value);
  // AddBytes keeps a view of bytes that live as long as the graph (see Keep).
  NodeIndex AddBytes(Kind kind, std::uint64_t offset, ByteView bytes);
  // AddStreamBytes stands for `size` bytes of the stream that were not read; `header` bytes lie between opcode and
  // data.
  NodeIndex AddStreamBytes(Kind kind, std::uint64_t offset, std::uint64_t data_offset, std::uint64_t size);
  // AddSameBytes makes a node of another kind with the bytes of `bytes`, which it is a copy of.
  NodeIndex AddSameBytes(Kind kind, std::uint64_t offset, NodeIndex bytes);
  NodeIndex AddContainer(Kind kind, std::uint64_t offset);
  NodeIndex AddGlobal(std::uint64_t offset, std::uint32_t global);
  NodeIndex AddCall(std::uint64_t offset, const Call& call);
  NodeIndex AddPersistent(std::uint64_t offset, NodeIndex id);
  NodeIndex AddRawArray(std::uint64_t offset, std::uint32_t tensor);
  std::uint32_t AddGlobalName(const GlobalName& global);

  // Append adds items, which lie outside the graph, to a container. False when the pool of items is full (2^32 of
  // them).
  [[nodiscard]] bool Append(NodeIndex container, std::span<const NodeIndex> items);

  // Expect makes room for a stream of this many bytes, so that nothing is moved while it is read. What is not used is
  // never touched.
  void Expect(std::uint64_t stream_bytes);

  // Keep moves a buffer into the graph and returns a view of it.
  ByteView Keep(ByteBuffer buffer);
  // KeepRoom makes a buffer that lives as long as the graph, for somebody to fill.
  MutableBytes KeepRoom(std::size_t size);

  // Seal forbids further changes of a container or call: its content was checked and must stay what was checked.
  void Seal(NodeIndex node) { nodes_[node].sealed = true; }
  [[nodiscard]] bool sealed(NodeIndex node) const { return nodes_[node].sealed; }
  // Taint marks a node about which a finding says already that it is not what it should be: what is made of it gets no
  // findings of its own.
  void Taint(NodeIndex node) { nodes_[node].tainted = true; }
  [[nodiscard]] bool tainted(NodeIndex node) const { return nodes_[node].tainted; }
  // Plain remembers whether everything below a node is data without globals and calls.
  enum class Plain : std::uint8_t { kUnknown, kYes, kNo };
  [[nodiscard]] Plain plain(NodeIndex node) const { return nodes_[node].plain; }
  void SetPlain(NodeIndex node, Plain plain) { nodes_[node].plain = plain; }

  // Copied says that the bytes of a node are those of another one (AddSameBytes): who looks at all constants has seen
  // them there.
  [[nodiscard]] bool copied(NodeIndex node) const { return nodes_[node].copied; }
  // MarkNumbers says of bytes that they are the elements of an array of numbers, and no text.
  void MarkNumbers(NodeIndex node) { nodes_[node].numbers = true; }
  [[nodiscard]] bool numbers(NodeIndex node) const { return nodes_[node].numbers; }

  [[nodiscard]] const SharedSource& stream() const { return stream_; }

 private:
  struct ItemRange {
    std::uint32_t begin;
    std::uint32_t capacity;
  };

  // 24 bytes: one opcode of one byte makes at most one node.
  struct Node {
    std::uint64_t offset : 48;
    Kind kind : 8;
    bool sealed : 1;
    Plain plain : 2;
    bool in_stream : 1;
    bool tainted : 1;
    bool copied : 1;
    bool numbers : 1;
    std::uint64_t : 1;
    union {
      std::int64_t integer;
      double real;
      const std::uint8_t* data;
      std::uint64_t data_offset;
      ItemRange items;
      std::uint32_t index;
    };
    std::uint64_t size;
  };

  NodeIndex Add(Kind kind, std::uint64_t offset);
  NodeIndex AddSpan(Kind kind, std::uint64_t offset, ByteView bytes);

  SharedSource stream_;
  LargeVector<Node> nodes_;
  LargeVector<NodeIndex> items_;
  std::deque<GlobalName> globals_;
  std::deque<Call> calls_;
  std::deque<ByteBuffer> kept_;
  std::deque<LargeVector<std::uint8_t>> rooms_;
};

}  // namespace safemodel::pickle
