// SPDX-License-Identifier: Apache-2.0
// numpy's element types: from the text that numpy writes to the element types of a container.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/dtype.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "pickle/rule.h"

namespace safemodel::pickle {

// ElementTypeTable is a table of element types under construction; equal types are entered once.
class ElementTypeTable {
 public:
  ElementTypeTable(std::vector<ElementType>& types, const Limits& limits) : types_(types), limits_(limits) {}
  // Add returns the number of a type; kLimit LIMIT-COUNT.
  Result<std::uint32_t> Add(ElementType type);
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  std::vector<ElementType>& types_;
  const Limits& limits_;
};

// ParseDtypeText reads one type as numpy writes it: an optional byte order (< > | =), a letter of b i u f c S U V O M
// m, the number of bytes (of characters for U), and for M and m a unit in brackets. Errors: kMalformed NPY-HEADER for
// what is none; kUnsupported FILE-UNSUPPORTED for long double, whose bytes depend on the machine that wrote them.
Result<DtypeNote> ParseDtypeText(std::string_view text, ElementTypeTable& table);

// RecordField is one member of a structured type.
struct RecordField {
  std::string name;
  DtypeNote type;
  std::uint32_t offset = 0;
};

// MakeRecord makes a structured type. Fields must lie inside the record and must not overlap a field that holds
// objects; kMalformed NPY-HEADER otherwise. `alignment` is numpy's for the whole record.
Result<DtypeNote> MakeRecord(std::vector<RecordField> fields, std::uint32_t item_size, std::uint32_t alignment,
                             ElementTypeTable& table);

// MakeSubarray makes a type of fixed shape.
Result<DtypeNote> MakeSubarray(const DtypeNote& base, const std::vector<std::uint64_t>& shape);

}  // namespace safemodel::pickle
