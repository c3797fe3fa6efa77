// SPDX-License-Identifier: Apache-2.0
// Reading what native code will trust: attributes of objects and the elements of their arrays, in blocks, with a bound
// on the work. Only struct_*.cc and the proofs of torch_*.cc include this header.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/dtype.h>
#include <safemodel/result.h>

#include "base/little_endian.h"
#include "base/source.h"
#include "base/try.h"
#include "pickle/rule.h"

namespace safemodel::pickle {

// ArrayView is an array of numpy whose elements are data: a typed, verified part of the file. All of its bytes are
// elements; those of an array with one dimension lie in order.
struct ArrayView {
  const ImportedTensor* tensor = nullptr;
  const ByteSource* bytes = nullptr;
  std::uint64_t elements = 0;

  [[nodiscard]] Dtype dtype() const { return tensor->dtype; }
  [[nodiscard]] const std::vector<std::uint64_t>& shape() const { return tensor->shape; }
  [[nodiscard]] std::size_t rank() const { return tensor->shape.size(); }
  [[nodiscard]] bool IsVector() const { return rank() == 1; }
};

// ObjectArray is an array of numpy that holds Python objects.
struct ObjectArray {
  std::vector<std::uint64_t> shape;
  NodeIndex items = kNoNode;  // a list of as many as the shape says, in the order of memory
};

// IntegerFacts is what one pass over an array of integers finds out. Values outside i64 count as the greatest one.
struct IntegerFacts {
  std::uint64_t count = 0;
  std::int64_t least = 0;
  std::int64_t greatest = -1;
  std::int64_t first = 0;
  std::int64_t last = 0;
  bool ascending = true;  // never falls
  [[nodiscard]] bool Within(std::int64_t low, std::uint64_t end) const {
    return count == 0 || (least >= low && (greatest < 0 || static_cast<std::uint64_t>(greatest) < end));
  }
};

// FloatFacts is the same for floating-point numbers. `ascending` is false when one of them is no number.
struct FloatFacts {
  bool finite = true;
  bool ascending = true;
};

// Proof is one run of a rule over one object: it finds the attributes in the state, seals what it looks into, counts
// its work, and makes the refusals. An object has been built when a proof runs over it, and its state never changes
// again.
class Proof {
 public:
  // `code` is the id of the rule, which all refusals carry.
  Proof(RuleContext& context, NodeIndex object, const char* code)
      : context_(context), graph_(context.graph), object_(object), code_(code) {}

  [[nodiscard]] RuleContext& context() const { return context_; }
  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] NodeIndex object() const { return object_; }

  // Refuse makes the error: `text` says what native code would have done.
  [[nodiscard]] Error Refuse(std::string_view attribute, const char* text) const;

  // Find returns the last value of an attribute, or kNoNode. Of gives the same for another object: kNoNode when there
  // is none, or it has no state.
  [[nodiscard]] NodeIndex Find(std::string_view attribute) { return FindOf(object_, attribute); }
  [[nodiscard]] NodeIndex FindOf(NodeIndex object, std::string_view attribute);
  // Has says that an attribute is there and not None.
  [[nodiscard]] bool Has(std::string_view attribute) { return IsThere(Find(attribute)); }
  [[nodiscard]] bool IsThere(NodeIndex node) const { return node != kNoNode && graph_.kind(node) != Kind::kNone; }

  // IsObject says that a node is the result of a call whose entry names this rule.
  [[nodiscard]] bool IsObject(NodeIndex node, std::string_view rule) const;
  // IsUnbuilt says that a node is an object without a state: one could still come and was not looked at. What a proof
  // tolerates to be absent must not come later.
  [[nodiscard]] bool IsUnbuilt(NodeIndex node) const {
    return node != kNoNode && graph_.kind(node) == Kind::kCall && graph_.CallOf(node).state == kNoNode;
  }
  // NoteOf returns what a rule has proven about an object, or nothing when it was not proven, or not yet.
  [[nodiscard]] const StructNote* NoteOf(NodeIndex node) const;

  // Integer returns an integer of Python, or a scalar of numpy that is one.
  [[nodiscard]] std::optional<std::int64_t> Integer(NodeIndex node) const;
  // Count is an Integer that is not negative.
  [[nodiscard]] std::optional<std::uint64_t> Count(NodeIndex node) const;
  // Array returns an array whose elements are data; no matrix, no masked array.
  [[nodiscard]] std::optional<ArrayView> Array(NodeIndex node) const;
  [[nodiscard]] std::optional<ObjectArray> Objects(NodeIndex node);
  // Items seals a list or tuple and returns its items; nothing for other kinds.
  [[nodiscard]] std::optional<std::vector<NodeIndex>> Items(NodeIndex node);
  // Sizes returns a tuple of counts, nothing when it is something else.
  [[nodiscard]] std::optional<std::vector<std::uint64_t>> Sizes(NodeIndex node);

  // Facts of all elements, read once. The dtype must be one of integers, or of floats.
  [[nodiscard]] Result<IntegerFacts> Integers(const ArrayView& array);
  [[nodiscard]] Result<FloatFacts> Floats(const ArrayView& array);
  // IsPermutation says whether a vector of integers holds 0 … elements − 1.
  [[nodiscard]] Result<bool> IsPermutation(const ArrayView& array);

  // Work counts steps; kLimit when there are far more of them than the file is long, which only happens when many
  // objects share the same data.
  [[nodiscard]] Status Work(std::uint64_t steps);

 private:
  RuleContext& context_;
  Graph& graph_;
  NodeIndex object_;
  const char* code_;
};

// IsIntegers and IsReals say what Integers and Floats can read.
[[nodiscard]] bool IsIntegers(Dtype dtype);
[[nodiscard]] bool IsReals(Dtype dtype);
// IsIndexType says that numbers are i32 or i64, which sparse matrices use.
[[nodiscard]] inline bool IsIndexType(Dtype dtype) { return dtype == Dtype::kI32 || dtype == Dtype::kI64; }

// They read a little-endian number of a dtype from the front of `bytes`. Inline: proofs call them for each number of an
// array, often with a dtype that is known where they do.
[[nodiscard]] inline std::int64_t IntegerAt(Dtype dtype, ByteView bytes) {
  constexpr std::uint64_t kGreatest = std::numeric_limits<std::int64_t>::max();
  switch (dtype) {
    case Dtype::kI8: return LoadLittleEndian<std::int8_t>(bytes);
    case Dtype::kI16: return LoadLittleEndian<std::int16_t>(bytes);
    case Dtype::kI32: return LoadLittleEndian<std::int32_t>(bytes);
    case Dtype::kI64: return LoadLittleEndian<std::int64_t>(bytes);
    case Dtype::kU16: return LoadLittleEndian<std::uint16_t>(bytes);
    case Dtype::kU32: return LoadLittleEndian<std::uint32_t>(bytes);
    case Dtype::kU64: return static_cast<std::int64_t>(std::min(LoadLittleEndian<std::uint64_t>(bytes), kGreatest));
    default: return LoadLittleEndian<std::uint8_t>(bytes);  // kBool, kU8
  }
}
[[nodiscard]] inline double RealAt(Dtype dtype, ByteView bytes) {
  return dtype == Dtype::kF32 ? LoadLittleEndian<float>(bytes) : LoadLittleEndian<double>(bytes);
}

// RecordFieldRule names a field of a record and the types that it may have.
struct RecordFieldRule {
  std::string_view name;
  std::array<Dtype, 2> dtypes;  // one of them
};
// MatchRecord compares a record type with a layout without gaps, and returns its fields; nothing when anything differs.
[[nodiscard]] std::optional<std::vector<Field>> MatchRecord(const ImportTables& tables, const ArrayView& array,
                                                            std::span<const RecordFieldRule> fields);
// RecordSize is the number of bytes of one record of an array.
[[nodiscard]] std::uint32_t RecordSize(const ImportTables& tables, const ArrayView& array);
// IntegerIn reads a field of one record.
[[nodiscard]] inline std::int64_t IntegerIn(const Field& field, ByteView record) {
  return IntegerAt(field.dtype, record.subspan(field.offset));
}

// ForEachItem calls visit(ByteView item) for each element of `item_size` bytes, in order, until it returns an error.
template <typename Visit>
Status ForEachItem(Proof& proof, const ArrayView& array, std::uint32_t item_size, Visit visit) {
  constexpr std::uint64_t kBlock = 65536;
  const std::uint64_t per_block = std::max<std::uint64_t>(kBlock / item_size, 1);
  ByteBuffer block;
  for (std::uint64_t at = 0; at < array.elements; at += per_block) {
    const std::uint64_t count = std::min(per_block, array.elements - at);
    SAFEMODEL_TRY(proof.Work(count));
    block.resize(count * item_size);
    SAFEMODEL_TRY(array.bytes->ReadAt(at * item_size, block));
    for (std::uint64_t i = 0; i < count; ++i) {
      SAFEMODEL_TRY(visit(ByteView(block).subspan(i * item_size, item_size)));
    }
  }
  return {};
}

}  // namespace safemodel::pickle
