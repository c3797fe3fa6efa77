// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include <safemodel/scan.h>

#include "base/file.h"

namespace safemodel {

// ScanOpenFile scans a file that somebody has opened, as Scan does one that is named: for those who also hash it.
ScanReport ScanOpenFile(const std::shared_ptr<const File>& file, const ScanOptions& options);

}  // namespace safemodel
