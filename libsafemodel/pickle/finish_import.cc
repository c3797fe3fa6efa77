// SPDX-License-Identifier: Apache-2.0
#include "pickle/finish_import.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "base/try.h"
#include "pickle/global_name.h"
#include "pickle/judge.h"
#include "pickle/tree.h"
#include "value/naming.h"

namespace safemodel::pickle {

Result<ImportedModel> FinishImport(const Graph& graph, ImportTables tables, NodeIndex root, const char* layout,
                                   const ImportOptions& options) {
  ImportedModel model;
  model.layout = layout;
  if (options.purpose == ImportOptions::Purpose::kScan) {
    if (options.on_graph) SAFEMODEL_TRY(options.on_graph(graph));
    return model;
  }
  SAFEMODEL_ASSIGN(model.tree, BuildTree(graph, tables, root, options.limits));
  std::set<std::string> names;
  for (const GlobalName& global : graph.globals()) names.insert(FullName(global));
  model.globals.assign(names.begin(), names.end());
  // A name may be unlisted at several places; the first of each is told.
  std::set<std::string> told;
  for (UnlistedName& unlisted : tables.inert) {
    if (told.insert(unlisted.name).second) model.inert.push_back(std::move(unlisted));
  }
  if (!model.inert.empty()) model.verdict = "unknown";
  model.storages = std::move(tables.storages);
  model.element_types = std::move(tables.element_types);
  model.tensors.assign(std::make_move_iterator(tables.tensors.begin()), std::make_move_iterator(tables.tensors.end()));
  SAFEMODEL_TRY(NameTensors(model, options.limits));
  return model;
}

}  // namespace safemodel::pickle
