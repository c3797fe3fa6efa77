// SPDX-License-Identifier: Apache-2.0
// The small records of text that torch.save puts beside the pickle.
#pragma once

#include <string_view>

#include <safemodel/result.h>

#include "pickle/zip.h"

namespace safemodel::pickle {

// IsTorchRecord says whether a member below `root`, the archive's folder with its slash, is a record of torch.save by
// its name and holds nothing but what that record may hold. What says anything else is not explained by its name.
Result<bool> IsTorchRecord(const ZipArchive& archive, const ZipEntry& entry, std::string_view root);

}  // namespace safemodel::pickle
