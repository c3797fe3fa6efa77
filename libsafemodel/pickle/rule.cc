// SPDX-License-Identifier: Apache-2.0
#include "pickle/rule.h"

#include <algorithm>
#include <utility>

#include "pickle/findings.h"
#include "pickle/global_name.h"
#include "pickle/judge.h"

namespace safemodel::pickle {

std::uint32_t ImportTables::AddTensor(ImportedTensor tensor, std::uint8_t flags) {
  tensors.push_back(std::move(tensor));
  tensor_flags.push_back(flags);
  return static_cast<std::uint32_t>(tensors.size() - 1);
}

std::uint32_t ImportTables::ElementTypeOf(const ElementType& type) {
  const auto known = std::find(element_types.begin(), element_types.end(), type);
  if (known != element_types.end()) return static_cast<std::uint32_t>(known - element_types.begin());
  element_types.push_back(type);
  return static_cast<std::uint32_t>(element_types.size() - 1);
}

const Rule* FindRule(std::string_view name) {
  for (const std::span<const Rule> rules : {PythonRules(), StandardLibraryRules(), TorchRules(), NumpyRules(),
                                            ScipyRules(), ScikitLearnRules(), PandasRules()}) {
    for (const Rule& rule : rules) {
      if (rule.name == name) return &rule;
    }
  }
  return nullptr;
}

Status RunLateProofs(RuleContext& context, std::size_t first) {
  ImportTables& tables = context.tables;
  if (tables.late_proofs.size() <= first) return {};
  tables.late_bytes = 0;
  for (const ImportedStorage& storage : tables.storages) tables.late_bytes += storage.source->size();
  for (std::size_t i = first; i < tables.late_proofs.size(); ++i) {
    const LateProof late = tables.late_proofs[i];
    const Status status = late.prove(context, late.call);
    if (status.ok()) continue;
    if (status.error().stage == Stage::kIo) return status;
    context.findings.AddAbout(context.graph, late.call, status.error(), VerdictOf(status.error()));
  }
  tables.late_proofs.resize(first);
  return {};
}

Error Refuse(const Graph& graph, NodeIndex node, const char* code, const char* text) {
  Error error{Stage::kUnsafe, code, text, graph.offset(node)};
  if (graph.kind(node) == Kind::kCall) error.subject = FullName(graph.GlobalOf(graph.CallOf(node).callee));
  return error;
}

}  // namespace safemodel::pickle
