// SPDX-License-Identifier: Apache-2.0
// Nested tensors whose rows lie one behind the other (torch.jagged): `values`, and `offsets` that say where in its
// ragged dimension each row begins. Kernels follow the offsets without looking at them.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/try.h"
#include "pickle/numpy_rules.h"
#include "pickle/torch_compound.h"
#include "pickle/torch_numbers.h"
#include "pickle/tree.h"

namespace safemodel::pickle {
namespace {

constexpr const char* kCode = "MEM-NESTED";
constexpr std::array kOffsets{Dtype::kI64, Dtype::kI32};

// Keyword returns an argument: all of them are in one dict.
NodeIndex Keyword(const Graph& graph, NodeIndex call, std::string_view name) {
  return LastValue(graph, ArgsOf(graph, call)[0], name);
}

// Rows are the shortest and the longest row.
struct Rows {
  std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
  std::int64_t longest = 0;
};

// CheckRows proves that each row lies inside the ragged dimension. Without lengths a row ends where the next one
// begins.
Result<Rows> CheckRows(Proof& proof, NodeIndex offsets_node, NodeIndex lengths_node, std::uint64_t size) {
  SAFEMODEL_ASSIGN(const NumberTensor offsets, NumbersOf(proof, offsets_node, kOffsets, "offsets"));
  const Error outside = proof.Refuse("offsets", "PyTorch would read and write outside the values of a nested tensor");
  if (offsets.rank() != 1 || offsets.shape()[0] < 1) return outside;
  std::optional<NumberTensor> lengths;
  if (proof.graph().kind(lengths_node) != Kind::kNone) {
    SAFEMODEL_ASSIGN(lengths, NumbersOf(proof, lengths_node, kOffsets, "lengths"));
    const bool fits = lengths->rank() == 1 && lengths->shape()[0] + 1 == offsets.shape()[0];
    if (!fits) return proof.Refuse("lengths", "PyTorch would read lengths of rows that are not there");
  }
  NumberRow begins = offsets.Row(proof, 0);
  std::optional<NumberRow> counts;
  if (lengths) counts.emplace(lengths->Row(proof, 0));
  Rows rows;
  SAFEMODEL_ASSIGN(std::int64_t begin, begins.Integer(0));
  if (begin < 0 || (begin != 0 && !counts)) return outside;
  for (std::uint64_t row = 0; row + 1 < begins.size(); ++row) {
    SAFEMODEL_ASSIGN(const std::int64_t next, begins.Integer(row + 1));
    if (next < begin || static_cast<std::uint64_t>(next) > size) return outside;
    std::int64_t length = next - begin;
    if (counts) {
      SAFEMODEL_ASSIGN(length, counts->Integer(row));
      if (length < 0 || length > next - begin) {
        return proof.Refuse("lengths", "PyTorch would read rows of a nested tensor past their end");
      }
    }
    rows.shortest = std::min(rows.shortest, length);
    rows.longest = std::max(rows.longest, length);
    begin = next;
  }
  return rows;
}

// CheckExtreme compares what was remembered of the lengths: PyTorch writes a number n as a tensor of the shape (n, 0).
Status CheckExtreme(Proof& proof, NodeIndex cache, std::string_view name, const Rows& rows) {
  const Graph& graph = proof.graph();
  const NodeIndex node = graph.kind(cache) == Kind::kDict ? LastValue(graph, cache, name) : kNoNode;
  if (node == kNoNode || graph.kind(node) == Kind::kNone) return {};
  SAFEMODEL_ASSIGN(const ImportedTensor remembered, ViewOf(proof, node, name));
  const bool shaped = remembered.shape.size() == 2 && remembered.shape[1] == 0;
  const std::uint64_t value = shaped ? remembered.shape[0] : 0;
  const bool fits = name == "max_seqlen" ? value >= static_cast<std::uint64_t>(rows.longest)
                                         : value <= static_cast<std::uint64_t>(rows.shortest);
  if (shaped && fits) return {};
  return proof.Refuse(name, "PyTorch would trust a length of the rows of a nested tensor that they do not have");
}

Status ProveJagged(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const Graph& graph = context.graph;
  SAFEMODEL_ASSIGN(const ImportedTensor values, ViewOf(proof, Keyword(graph, call, "values"), "values"));
  const auto ragged = proof.Count(Keyword(graph, call, "_ragged_idx"));
  if (!ragged || *ragged < 1 || *ragged > values.shape.size()) {
    return proof.Refuse("_ragged_idx", "PyTorch would look for a dimension of a nested tensor that is not there");
  }
  SAFEMODEL_ASSIGN(const Rows rows, CheckRows(proof, Keyword(graph, call, "offsets"), Keyword(graph, call, "lengths"),
                                              values.shape[*ragged - 1]));
  const NodeIndex cache = Keyword(graph, call, "_metadata_cache");
  SAFEMODEL_TRY(CheckExtreme(proof, cache, "min_seqlen", rows));
  return CheckExtreme(proof, cache, "max_seqlen", rows);
}

}  // namespace

Status OnTorchJagged(RuleContext& context, NodeIndex call) {
  context.tables.late_proofs.push_back({ProveJagged, call});
  return {};
}

// CheckJaggedState: PyTorch sets the attributes over what it has just made, so they must be the same.
Status CheckJaggedState(const RuleContext& context, NodeIndex call) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kSame{
      {{"_values", "values"},
       {"_offsets", "offsets"},
       {"_lengths", "lengths"},
       {"_metadata_cache", "_metadata_cache"}}};
  const Graph& graph = context.graph;
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  bool same = true;
  for (const auto& [attribute, keyword] : kSame) {
    same = same && LastValue(graph, args[2], attribute) == Keyword(graph, args[0], keyword);
  }
  const NodeIndex ragged = LastValue(graph, args[2], "_ragged_idx");
  same = same && graph.IntOf(ragged) == graph.IntOf(Keyword(graph, args[0], "_ragged_idx"));
  return same ? Status() : Refuse(graph, call, kCode, "the attributes of a nested tensor are not what it was made of");
}

// JaggedToTree: NestedTensor(keywords), with its attributes as state.
Result<TreeRef> JaggedToTree(TreeContext& tree, NodeIndex jagged, NodeIndex state) {
  const TreeRef keywords = tree.Of(ArgsOf(tree.graph(), jagged)[0]);
  std::vector<TreeRef> parts{tree.Global("torch.nested._internal.nested_tensor", "NestedTensor"),
                             tree.Parent(NodeKind::kTuple, {keywords})};
  if (state != kNoNode) parts.push_back(tree.Of(state));
  return tree.Parent(NodeKind::kObject, std::move(parts),
                     static_cast<std::uint8_t>(state == kNoNode ? kObjectArgs : kObjectArgs | kObjectState));
}

}  // namespace safemodel::pickle
