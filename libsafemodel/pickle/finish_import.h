// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <safemodel/result.h>

#include "pickle/import.h"
#include "pickle/node.h"
#include "pickle/rule.h"

namespace safemodel::pickle {

// FinishImport turns what a machine left behind into a model: value tree, tensors with names, inventory of imported
// names.
Result<ImportedModel> FinishImport(const Graph& graph, ImportTables tables, NodeIndex root, const char* layout,
                                   const ImportOptions& options);

}  // namespace safemodel::pickle
