// SPDX-License-Identifier: Apache-2.0
// Tar archives of torch.save up to 0.1.9: members sys_info, pickle, storages and tensors.
#pragma once

#include <safemodel/result.h>

#include "pickle/findings.h"
#include "pickle/import.h"
#include "pickle/tar.h"

namespace safemodel::pickle {

// ImportTorchTar judges every pickle in an archive, then reads it. torch.load extracts storages and tensors by these
// names and runs the pickles in them, whatever `weights_only` says in versions before 2.6. Errors: what the pickles do;
// kMalformed FILE-MISSING when a member is absent; kUnsupported FILE-UNSUPPORTED when there are others or none of them.
Result<ImportedModel> ImportTorchTar(const TarArchive& archive, const ImportOptions& options, Findings& findings);

}  // namespace safemodel::pickle
