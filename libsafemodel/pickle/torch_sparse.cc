// SPDX-License-Identifier: Apache-2.0
// MEM-SPARSE: sparse tensors of PyTorch. Its loops use indices and pointers without looking at them; torch.load checks
// them only when told to.
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "pickle/struct_proof.h"
#include "pickle/torch_compound.h"
#include "pickle/torch_numbers.h"
#include "value/tensor_view.h"

namespace safemodel::pickle {
namespace {

constexpr const char* kCode = "MEM-SPARSE";
constexpr std::array kIndexTypes{Dtype::kI64, Dtype::kI32};

std::vector<NodeIndex> ItemsOf(const Graph& graph, NodeIndex tuple) {
  const std::span<const NodeIndex> items = graph.ItemsOf(tuple);
  return {items.begin(), items.end()};
}

// SizeOf reads a torch.Size or a tuple, whose product PyTorch computes.
Result<std::vector<std::uint64_t>> SizeOf(Proof& proof, NodeIndex node) {
  const Graph& graph = proof.graph();
  if (graph.kind(node) == Kind::kCall) node = graph.ItemsOf(graph.CallOf(node).args)[0];
  auto size = proof.Sizes(node);
  if (!size) return proof.Refuse("size", "PyTorch takes the sizes of a sparse tensor from something that is no shape");
  const auto count = ElementCount(*size);
  if (!count.ok() || count.value() > std::uint64_t{1} << 62) {
    return Error{Stage::kUnsafe, "MEM-SIZE", "the size of a sparse tensor overflows", graph.offset(proof.object())};
  }
  return std::move(*size);
}

bool SameSizes(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) { return std::ranges::equal(a, b); }

// CheckCoordinates reads the columns of the indices; `Coalesced::kYes` promises that they ascend.
enum class Coalesced : std::uint8_t { kNo, kYes };
Status CheckCoordinates(Proof& proof, const NumberTensor& indices, std::span<const std::uint64_t> size,
                        Coalesced coalesced) {
  std::vector<NumberRow> rows;
  for (std::uint64_t d = 0; d < indices.shape()[0]; ++d) rows.push_back(indices.Row(proof, d));
  if (rows.empty()) {  // one place, which a coalesced tensor has once
    if (coalesced == Coalesced::kNo || indices.shape()[1] <= 1) return {};
    return proof.Refuse("is_coalesced", "PyTorch takes the indices of a sparse tensor for sorted and unique ones");
  }
  std::vector<std::int64_t> last(rows.size(), -1), column(rows.size());
  for (std::uint64_t at = 0; at < indices.shape()[1]; ++at) {
    SAFEMODEL_TRY(proof.Work(1));
    for (std::size_t d = 0; d < rows.size(); ++d) {
      SAFEMODEL_ASSIGN(column[d], rows[d].Integer(at));
      if (column[d] >= 0 && static_cast<std::uint64_t>(column[d]) < size[d]) continue;
      return proof.Refuse("indices", "PyTorch would read and write outside the tensor that it makes of a sparse one");
    }
    if (coalesced == Coalesced::kYes && at > 0 && last >= column) {
      return proof.Refuse("is_coalesced", "PyTorch takes the indices of a sparse tensor for sorted and unique ones");
    }
    std::swap(last, column);
  }
  return {};
}

Status ProveCoo(Proof& proof, const std::vector<NodeIndex>& data) {
  if (data.size() == 4 && proof.graph().kind(data[3]) == Kind::kCall) {
    return proof.Refuse("layout", "PyTorch takes the parts of a sparse tensor for those of another layout");
  }
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> size, SizeOf(proof, data[2]));
  SAFEMODEL_ASSIGN(const NumberTensor indices, NumbersOf(proof, data[0], std::span(kIndexTypes).first(1), "indices"));
  SAFEMODEL_ASSIGN(const ImportedTensor values, ViewOf(proof, data[1], "values"));
  const bool ranks = indices.rank() == 2 && !values.shape.empty() && indices.shape()[0] <= size.size() &&
                     values.shape[0] == indices.shape()[1];
  const auto dense = std::span(size).subspan(ranks ? indices.shape()[0] : 0);
  if (!ranks || !SameSizes(dense, std::span(values.shape).subspan(1))) {
    return proof.Refuse("values", "PyTorch would read values of a sparse tensor that are not there");
  }
  const bool coalesced = data.size() == 4 && proof.graph().kind(data[3]) == Kind::kTrue;
  return CheckCoordinates(proof, indices, size, coalesced ? Coalesced::kYes : Coalesced::kNo);
}

// Compressed is what the parts of a compressed tensor say together.
struct Compressed {
  NumberTensor pointers;
  NumberTensor plain;
  std::uint64_t batches = 1;
  std::uint64_t stored = 0;  // in each batch
  std::uint64_t minor = 0;   // what indices are below
};

bool IsContiguousRow(const NumberTensor& numbers) {
  return numbers.shape().back() <= 1 || numbers.view.strides.back() == 1;
}

// LineUp compares the shapes: [batch…, major + 1], [batch…, stored], [batch…, stored, block…, dense…] and
// [batch…, rows, columns, dense…].
Status LineUp(Proof& proof, std::string_view layout, Compressed& parts, std::span<const std::uint64_t> values,
              std::span<const std::uint64_t> size) {
  const std::vector<std::uint64_t>& pointers = parts.pointers.shape();
  const std::vector<std::uint64_t>& plain = parts.plain.shape();
  const std::size_t block = layout == "torch.sparse_bsr" || layout == "torch.sparse_bsc" ? 2 : 0;
  const bool by_column = layout == "torch.sparse_csc" || layout == "torch.sparse_bsc";
  const Error wrong = proof.Refuse("values", "PyTorch would read parts of a sparse tensor that are not there");
  if (pointers.empty() || plain.size() != pointers.size()) return wrong;
  const std::size_t batch = pointers.size() - 1;
  if (size.size() < batch + 2 || values.size() != size.size() - 1 + block) return wrong;
  const std::span<const std::uint64_t> batches = size.first(batch);
  const bool same = SameSizes(batches, std::span(pointers).first(batch)) &&
                    SameSizes(batches, std::span(plain).first(batch)) && SameSizes(batches, values.first(batch)) &&
                    values[batch] == plain.back() &&
                    SameSizes(size.subspan(batch + 2), values.subspan(batch + 1 + block));
  if (!same || !IsContiguousRow(parts.pointers) || !IsContiguousRow(parts.plain)) return wrong;
  std::array<std::uint64_t, 2> sides{size[batch], size[batch + 1]};
  for (std::size_t i = 0; i < block; ++i) {
    const std::uint64_t side = values[batch + 1 + i];
    if (side == 0 || sides[i] % side != 0) return wrong;
    sides[i] /= side;
  }
  if (by_column) std::swap(sides[0], sides[1]);
  if (pointers.back() == 0 || pointers.back() - 1 != sides[0]) return wrong;
  parts.stored = plain.back();
  parts.minor = sides[1];
  for (const std::uint64_t count : batches) parts.batches *= count;  // no more than the size, which does not overflow
  return {};
}

// CheckBatch follows the pointers of one batch; within a row the indices ascend.
Status CheckBatch(Proof& proof, const Compressed& parts, std::uint64_t batch) {
  SAFEMODEL_TRY(proof.Work(1));
  NumberRow pointers = parts.pointers.Row(proof, batch);
  NumberRow plain = parts.plain.Row(proof, batch);
  const Error wrong_pointers =
      proof.Refuse("compressed_indices", "PyTorch would read and write outside the values of a sparse tensor");
  SAFEMODEL_ASSIGN(const std::int64_t first, pointers.Integer(0));
  if (first != 0) return wrong_pointers;
  std::uint64_t at = 0;
  for (std::uint64_t row = 1; row < pointers.size(); ++row) {
    SAFEMODEL_ASSIGN(const std::int64_t end, pointers.Integer(row));
    if (end < 0 || static_cast<std::uint64_t>(end) < at || static_cast<std::uint64_t>(end) > parts.stored) {
      return wrong_pointers;
    }
    for (std::int64_t last = -1; at < static_cast<std::uint64_t>(end); ++at) {
      SAFEMODEL_ASSIGN(const std::int64_t index, plain.Integer(at));
      if (index <= last || static_cast<std::uint64_t>(index) >= parts.minor) {
        return proof.Refuse("plain_indices",
                            "PyTorch would read and write outside the tensor that it makes of a sparse one");
      }
      last = index;
    }
  }
  return at == parts.stored ? Status() : wrong_pointers;
}

Status ProveCompressed(Proof& proof, std::string_view layout, const std::vector<NodeIndex>& data) {
  if (data.size() != 4 || proof.graph().kind(data[2]) != Kind::kCall || layout == "torch.strided") {
    return proof.Refuse("layout", "PyTorch takes the parts of a sparse tensor for those of another layout");
  }
  SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> size, SizeOf(proof, data[3]));
  Compressed parts;
  SAFEMODEL_ASSIGN(parts.pointers, NumbersOf(proof, data[0], kIndexTypes, "compressed_indices"));
  SAFEMODEL_ASSIGN(parts.plain, NumbersOf(proof, data[1], kIndexTypes, "plain_indices"));
  if (parts.pointers.view.dtype != parts.plain.view.dtype) {
    return proof.Refuse("plain_indices", "PyTorch takes the numbers of a tensor for numbers of another type");
  }
  SAFEMODEL_ASSIGN(const ImportedTensor values, ViewOf(proof, data[2], "values"));
  SAFEMODEL_TRY(LineUp(proof, layout, parts, values.shape, size));
  for (std::uint64_t batch = 0; batch < parts.batches; ++batch) SAFEMODEL_TRY(CheckBatch(proof, parts, batch));
  return {};
}

Status ProveSparse(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  const Graph& graph = context.graph;
  const std::vector<NodeIndex> args = ItemsOf(graph, graph.CallOf(call).args);
  const std::string_view layout = graph.TextOf(graph.ItemsOf(graph.CallOf(args[0]).args)[0]);
  const std::vector<NodeIndex> data = ItemsOf(graph, args[1]);
  return layout == "torch.sparse_coo" ? ProveCoo(proof, data) : ProveCompressed(proof, layout, data);
}

}  // namespace

Status OnTorchSparse(RuleContext& context, NodeIndex call) {
  context.tables.late_proofs.push_back({ProveSparse, call});
  return {};
}

}  // namespace safemodel::pickle
