// SPDX-License-Identifier: Apache-2.0
// Writing the headers of numpy's array files:
//
//   "\x93NUMPY" | version 1, 0 | header length u16 | header, a Python dict literal, padded with spaces, ending in '\n'
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/dtype.h>
#include <safemodel/result.h>

#include "formats/export_entry.h"

namespace safemodel::formats {

// NpyTypes knows how numpy spells dtypes: the plain ones, and those of a table of element types.
class NpyTypes {
 public:
  explicit NpyTypes(std::span<const ElementType> types);

  // DescrOf returns the Python literal of a dtype (such as '<f4', quotes included), or nothing when numpy has no such
  // dtype or cannot describe it in a header.
  [[nodiscard]] std::optional<std::string> DescrOf(Dtype dtype, std::uint32_t element_type) const;

 private:
  std::vector<std::optional<std::string>> extended_;  // by index in the table
};

// NpyHeader returns the bytes in front of the data. Errors: kUnsupported "dtype_not_in_format", "header_too_large"
// (subject: the tensor).
Result<ByteBuffer> NpyHeader(const ExportEntry& entry, const NpyTypes& types);

}  // namespace safemodel::formats
