// SPDX-License-Identifier: Apache-2.0
// Rules: the code behind entries of the allow-list, for what schemas cannot say.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <safemodel/convert.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "pickle/node.h"
#include "pickle/node_map.h"
#include "value/imported.h"

namespace safemodel::pickle {

class AllowList;
class Findings;
class TreeContext;

// TreeRef is a node of the value tree under construction; kNoTree is none.
using TreeRef = std::uint32_t;

// ByteSwap is a run of `count` numbers of `width` bytes in an element whose bytes must be reversed.
struct ByteSwap {
  std::uint32_t offset = 0;
  std::uint32_t width = 0;
  std::uint32_t count = 0;
};

// DtypeNote is what a numpy dtype object (a call) means.
struct DtypeNote {
  Dtype dtype = Dtype::kVoid;
  std::uint32_t element_type = 0;
  std::uint32_t item_size = 0;          // bytes, those of a subarray all together
  std::uint32_t alignment = 1;          // what numpy computes for it
  std::uint32_t flags = 0;              // numpy's own: 63 for objects, 8 for texts
  std::vector<std::uint64_t> subarray;  // the shape of a subarray type; empty for all others
  std::vector<ByteSwap> swaps;          // what is big-endian in an element
  enum class Objects : std::uint8_t { kNo, kYes };
  Objects objects = Objects::kNo;  // an object dtype, or a record with an object field
};

// StorageNote is what a persistent reference of torch means: a range of bytes of an area of memory. Only old files have
// references to less than the whole area.
struct StorageNote {
  std::uint32_t storage = 0;
  Dtype dtype = Dtype::kU8;
  std::uint64_t elements = 0;
  std::uint64_t begin = 0;  // bytes
  std::uint64_t bytes = 0;
  const AllowEntry* type = nullptr;  // the storage class
};

// StructNote is what a STRUCT rule has proven about an object, for the rules of the objects that hold it. A number
// means what its comment says for the kinds named, and nothing for others.
struct StructNote {
  std::uint64_t features = 0;  // trees, neighbours: of an input; predictors: at least; splines: columns of coefficients
  std::uint64_t rows = 0;      // trees: nodes; neighbours: points; sparse: rows
  std::uint64_t columns = 0;   // sparse: columns; encoders: features of the output
  std::uint64_t stored = 0;    // sparse: elements that are stored
  std::uint64_t outputs = 0;   // trees
  std::int64_t least_classes = 0;  // trees: of any output
  std::int64_t most_classes = 0;
  Dtype dtype = Dtype::kVoid;  // sparse: of the elements
  enum class Categories : std::uint8_t { kNo, kYes };
  Categories categories = Categories::kNo;  // predictors: whether some node splits by categories
};

// Python2Text says what a `str` of Python 2 becomes when it has letters outside ASCII.
enum class Python2Text : std::uint8_t { kBytes, kUtf8 };

struct RuleContext;

// LateProof is a proof about numbers that may stand behind the stream: it runs when all storages have been found.
struct LateProof {
  Status (*prove)(RuleContext& context, NodeIndex call) = nullptr;
  NodeIndex call = kNoNode;
};

// ImportTables is what rules and layouts collect besides the graph.
struct ImportTables {
  std::vector<ImportedStorage> storages;
  std::vector<ElementType> element_types;
  LargeVector<ImportedTensor> tensors;
  std::vector<std::uint8_t> tensor_flags;                  // TensorNodeFlags, one for each tensor
  NodeMap<std::uint32_t> tensor_of;                        // calls and references that are tensors
  NodeMap<StorageNote> storage_of;                         // persistent references that are storages
  std::unordered_set<NodeIndex> loaded_bytes;              // constants that were read as files of their own
  unsigned load_depth = 0;                                 // how many such files the current stream is inside of
  std::unordered_map<NodeIndex, DtypeNote> dtype_of;       // calls that are numpy dtypes
  std::unordered_map<NodeIndex, NodeIndex> encoded;        // text nodes and the bytes that they stand for
  std::unordered_map<const AllowEntry*, NodeIndex> named;  // names that calls stand for, such as type(None)
  std::vector<UnlistedName> inert;
  Python2Text python2_text = Python2Text::kBytes;
  enum class ByteOrder : std::uint8_t { kLittle, kBig };
  std::unordered_map<NodeIndex, StructNote> proven;  // objects that a STRUCT rule has accepted
  std::uint64_t proof_work = 0;                      // steps of all proofs so far
  std::vector<LateProof> late_proofs;                // that have not run yet
  std::uint64_t late_bytes = 0;                      // of the storages that late proofs may read
  ByteOrder torch_order = ByteOrder::kLittle;  // of the storages in the file; their sources are little-endian already

  // ElementTypeOf returns the number of an element type, which it adds when there is none like it.
  std::uint32_t ElementTypeOf(const ElementType& type);

  // Expect makes room for this many tensors with storages of their own; each costs a few bytes, used or not.
  void Expect(std::size_t count) {
    storages.reserve(count);
    tensors.reserve(count);
    tensor_flags.reserve(count);
    tensor_of.Expect(count);
    storage_of.Expect(count);
  }

  // AddTensor appends a tensor with its flags and returns its number.
  std::uint32_t AddTensor(ImportedTensor tensor, std::uint8_t flags);
};

// RuleContext is what a rule may look at while the machine runs.
struct RuleContext {
  Graph& graph;
  ImportTables& tables;
  const Limits& limits;
  Findings& findings;
  const AllowList* user = nullptr;  // classes that the caller vouches for, beside the built-in list
  ConvertOptions::Unknown unknown = ConvertOptions::Unknown::kRefuse;  // of the stream that runs
};

// Rule is named by table entries (`rule NAME`). Each function may be null.
struct Rule {
  std::string_view name;
  // on_call runs when the call has matched its schema; on_build when its state has. Errors become
  // findings; proofs that fail are kUnsafe with a MEM or STRUCT rule id. Time must be linear in the arguments.
  Status (*on_call)(RuleContext& context, NodeIndex call) = nullptr;
  Status (*on_build)(RuleContext& context, NodeIndex call) = nullptr;
  // fold runs after on_call and may return a node that takes the place of the call: calls that only spell data.
  Result<NodeIndex> (*fold)(RuleContext& context, NodeIndex call) = nullptr;
  // to_tree makes the node that the call becomes. Without it the call becomes an object node: class, arguments, state,
  // items.
  Result<TreeRef> (*to_tree)(TreeContext& context, NodeIndex call) = nullptr;
  // kData: the call only spells a value for which newer protocols have an instruction, or could have one: where plain
  // data may stand, so may it.
  enum class Spells : std::uint8_t { kObject, kData };
  Spells spells = Spells::kObject;
};

// One table a library; FindRule looks in all of them.
std::span<const Rule> PythonRules();
std::span<const Rule> StandardLibraryRules();
std::span<const Rule> TorchRules();
std::span<const Rule> NumpyRules();
std::span<const Rule> ScipyRules();
std::span<const Rule> ScikitLearnRules();
std::span<const Rule> PandasRules();
const Rule* FindRule(std::string_view name);

// RunLateProofs runs the proofs from number `first` on and takes them off the list. What they refuse becomes findings;
// the error is that of the system.
Status RunLateProofs(RuleContext& context, std::size_t first);

// Refuse makes the error of a rule: stage kUnsafe, at the opcode of `node`, with the called name as subject.
Error Refuse(const Graph& graph, NodeIndex node, const char* code, const char* text);

}  // namespace safemodel::pickle
