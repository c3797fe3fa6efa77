// SPDX-License-Identifier: Apache-2.0
// What a writer of a foreign format must know of a tensor before any of its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <safemodel/dtype.h>

namespace safemodel::formats {

// ExportEntry describes one tensor; its data will be `bytes` contiguous row-major little-endian bytes.
struct ExportEntry {
  std::string name;
  Dtype dtype = Dtype::kU8;
  std::uint32_t element_type = 0;  // for extended dtypes
  std::vector<std::uint64_t> shape;
  std::uint64_t bytes = 0;
};

}  // namespace safemodel::formats
