// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors_dtype.h"

#include <array>

namespace safemodel::formats {
namespace {

struct Row {
  std::string_view name;
  Dtype dtype;
};

// In ascending order of the reference implementation's enumeration.
constexpr std::array<Row, 22> kRows = {{
    {"BOOL", Dtype::kBool},
    {"F4", Dtype::kF4E2M1},
    {"F6_E2M3", Dtype::kF6E2M3},
    {"F6_E3M2", Dtype::kF6E3M2},
    {"U8", Dtype::kU8},
    {"I8", Dtype::kI8},
    {"F8_E5M2", Dtype::kF8E5M2},
    {"F8_E4M3", Dtype::kF8E4M3Fn},
    {"F8_E8M0", Dtype::kF8E8M0Fnu},
    {"F8_E4M3FNUZ", Dtype::kF8E4M3Fnuz},
    {"F8_E5M2FNUZ", Dtype::kF8E5M2Fnuz},
    {"I16", Dtype::kI16},
    {"U16", Dtype::kU16},
    {"F16", Dtype::kF16},
    {"BF16", Dtype::kBf16},
    {"I32", Dtype::kI32},
    {"U32", Dtype::kU32},
    {"F32", Dtype::kF32},
    {"C64", Dtype::kComplex64},
    {"F64", Dtype::kF64},
    {"I64", Dtype::kI64},
    {"U64", Dtype::kU64},
}};

}  // namespace

std::optional<Dtype> ParseSafetensorsDtype(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::optional<SafetensorsDtype> SafetensorsDtypeOf(Dtype dtype) {
  for (unsigned rank = 0; rank < kRows.size(); ++rank) {
    if (kRows[rank].dtype == dtype) return SafetensorsDtype{kRows[rank].name, rank};
  }
  return std::nullopt;
}

}  // namespace safemodel::formats
