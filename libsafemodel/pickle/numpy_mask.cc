// SPDX-License-Identifier: Apache-2.0
#include "pickle/numpy_mask.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/try.h"
#include "pickle/numpy_dtype.h"

namespace safemodel::pickle {
namespace {

// HasNamesInOrder: the state of a dtype lists the names in the order in which the mask has them.
bool HasNamesInOrder(const Graph& graph, NodeIndex dtype, const std::vector<Field>& fields) {
  if (graph.kind(dtype) != Kind::kCall || graph.CallOf(dtype).state == kNoNode) return false;
  const std::span<const NodeIndex> state = graph.ItemsOf(graph.CallOf(dtype).state);
  if (state.size() < 4 || graph.kind(state[3]) != Kind::kTuple) return false;
  return std::ranges::equal(
      graph.ItemsOf(state[3]), fields, {}, [&](NodeIndex name) { return graph.TextOf(name); },
      [](const Field& field) { return std::string_view(field.name); });
}

// IsFlat says whether a record type is one whose mask is read.
bool IsFlat(const RuleContext& context, NodeIndex dtype, const DtypeNote& type) {
  if (type.objects == DtypeNote::Objects::kYes) return false;
  const std::vector<Field>& fields = context.tables.element_types[type.element_type].fields;
  return HasNamesInOrder(context.graph, dtype, fields) &&
         std::ranges::none_of(fields, [](const Field& field) { return field.dtype == Dtype::kRecord; });
}

}  // namespace

Result<DtypeNote> MaskType(RuleContext& context, NodeIndex dtype, const DtypeNote& type) {
  DtypeNote truth;
  truth.dtype = Dtype::kBool;
  truth.item_size = 1;
  if (type.dtype != Dtype::kRecord) return truth;
  if (!IsFlat(context, dtype, type)) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "masked arrays of such records are not read by this version",
                 context.graph.offset(dtype)};
  }
  std::vector<RecordField> masks;
  std::uint32_t end = 0;  // sizes that wrap make fields that MakeRecord refuses
  for (const Field& field : context.tables.element_types[type.element_type].fields) {
    DtypeNote mask = truth;
    if (!field.shape.empty()) {
      SAFEMODEL_ASSIGN(mask, MakeSubarray(truth, field.shape));
    }
    const std::uint32_t size = mask.item_size;
    masks.push_back({field.name, std::move(mask), end});
    end += size;
  }
  ElementTypeTable table(context.tables.element_types, context.limits);
  return MakeRecord(std::move(masks), end, 1, table);
}

}  // namespace safemodel::pickle
