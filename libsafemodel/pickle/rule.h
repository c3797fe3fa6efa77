// SPDX-License-Identifier: Apache-2.0
// Rules: the code behind entries of the allow-list, for what schemas cannot say.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <safemodel/convert.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "pickle/node.h"
#include "value/imported.h"

namespace safemodel::pickle {

class TreeContext;

// TreeRef is a node of the value tree under construction; kNoTree is none.
using TreeRef = std::uint32_t;

// DtypeNote is what a numpy dtype object (a call) means.
struct DtypeNote {
  Dtype dtype = Dtype::kVoid;
  std::uint32_t element_type = 0;
  std::uint32_t item_size = 0;
  enum class Order : std::uint8_t { kLittle, kBig };
  Order order = Order::kLittle;
  enum class Objects : std::uint8_t { kNo, kYes };
  Objects objects = Objects::kNo;  // an object dtype, or a record with an object field
};

// ImportTables is what rules and layouts collect besides the graph.
struct ImportTables {
  std::vector<ImportedStorage> storages;
  std::vector<ElementType> element_types;
  std::vector<ImportedTensor> tensors;
  std::vector<std::uint8_t> tensor_flags;                   // TensorNodeFlags, one for each tensor
  std::unordered_map<NodeIndex, std::uint32_t> tensor_of;   // calls that are tensors
  std::unordered_map<NodeIndex, std::uint32_t> storage_of;  // persistent references that are storages
  std::unordered_map<NodeIndex, DtypeNote> dtype_of;        // calls that are numpy dtypes
  std::vector<UnlistedName> inert;

  // AddTensor appends a tensor with its flags and returns its number.
  std::uint32_t AddTensor(ImportedTensor tensor, std::uint8_t flags);
};

// RuleContext is what a rule may look at while the machine runs.
struct RuleContext {
  Graph& graph;
  ImportTables& tables;
  const Limits& limits;
};

// Rule is named by table entries (`rule NAME`). Each function may be null.
struct Rule {
  std::string_view name;
  // on_call runs when the call has matched its schema; on_build when its state has. Errors are final; proofs that fail
  // are kUnsafe with a MEM or STRUCT rule id. Time must be linear in the arguments.
  Status (*on_call)(RuleContext& context, NodeIndex call) = nullptr;
  Status (*on_build)(RuleContext& context, NodeIndex call) = nullptr;
  // to_tree makes the node that the call becomes. Without it the call becomes an object node: class, arguments, state,
  // items.
  Result<TreeRef> (*to_tree)(TreeContext& context, NodeIndex call) = nullptr;
};

// One table a library; FindRule looks in all of them.
std::span<const Rule> PythonRules();
std::span<const Rule> TorchRules();
std::span<const Rule> NumpyRules();
std::span<const Rule> ScikitLearnRules();
const Rule* FindRule(std::string_view name);

// Refuse makes the error of a rule: stage kUnsafe, at the opcode of `node`, with the called name as subject.
Error Refuse(const Graph& graph, NodeIndex node, const char* code, const char* text);

}  // namespace safemodel::pickle
