// SPDX-License-Identifier: Apache-2.0
// Digests of the files of an imported model.
#pragma once

#include <vector>

#include "model/tensor_digests.h"
#include "value/imported.h"

namespace safemodel {

// DigestFiles hashes the files in their order, which is that of their paths.
Result<std::vector<FileDigest>> DigestFiles(const std::vector<ImportedFile>& files);

}  // namespace safemodel
