// SPDX-License-Identifier: Apache-2.0
// Element types of tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safemodel {

// Dtype is the element type of a tensor. The numbers are those of the container format.
enum class Dtype : std::uint8_t {
  kBool = 1,
  kU8 = 2,
  kI8 = 3,
  kU16 = 4,
  kI16 = 5,
  kU32 = 6,
  kI32 = 7,
  kU64 = 8,
  kI64 = 9,
  kF16 = 10,
  kBf16 = 11,
  kF32 = 12,
  kF64 = 13,
  kF8E4M3Fn = 14,
  kF8E4M3Fnuz = 15,
  kF8E5M2 = 16,
  kF8E5M2Fnuz = 17,
  kF8E8M0Fnu = 18,
  kF6E2M3 = 19,
  kF6E3M2 = 20,
  kF4E2M1 = 21,
  kComplex32 = 22,
  kComplex64 = 23,
  kComplex128 = 24,
  // Extended kinds: their size and detail stand in an ElementType.
  kBytes = 32,        // numpy S: byte strings of a fixed length
  kText = 33,         // numpy U: UTF-32 code units, little-endian
  kVoid = 34,         // numpy V: opaque bytes
  kDatetime64 = 35,   // numpy M8: i64 with a unit
  kTimedelta64 = 36,  // numpy m8: i64 with a unit
  kRecord = 37,       // numpy structured types
  kForeign = 38,      // a type of another library that has no code here; `detail` is its name
};

// DtypeName returns the format's name, such as "bf16". The text is static; "?" for a value that is no dtype.
const char* DtypeName(Dtype dtype);
// ParseDtype is the inverse of DtypeName.
std::optional<Dtype> ParseDtype(std::string_view name);
// IsExtended says whether the size and detail of a dtype stand in an ElementType.
bool IsExtended(Dtype dtype);
// BitsPerElement returns the size of one element in bits, 0 for an extended kind.
unsigned BitsPerElement(Dtype dtype);

// Field is one member of a record type. `element_type` indexes the table of element types when `dtype` is extended.
struct Field {
  std::string name;
  Dtype dtype = Dtype::kVoid;
  std::uint32_t element_type = 0;
  std::uint32_t offset = 0;
  std::vector<std::uint64_t> shape;  // a subarray, or empty
  bool operator==(const Field&) const = default;
};

// ElementType describes the elements of an extended dtype. A field of a record refers only to types that stand before
// it in the table, so types cannot be recursive. `detail` is the unit of a time type ("ns", "25us"), the name of a
// foreign one, empty otherwise.
struct ElementType {
  Dtype kind = Dtype::kVoid;
  std::uint32_t item_size = 0;  // bytes
  std::string detail;
  std::vector<Field> fields;
  bool operator==(const ElementType&) const = default;
};

}  // namespace safemodel
