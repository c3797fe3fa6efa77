// SPDX-License-Identifier: Apache-2.0
#include <safemodel/dtype.h>

#include <array>

namespace safemodel {
namespace {

struct Row {
  Dtype dtype;
  const char* name;
  unsigned bits;  // 0: extended
};

// The rows stand in the order of the format's numbers: 1 to 24, then 32 to 38.
constexpr std::array<Row, 31> kRows = {{
    {Dtype::kBool, "bool", 8},
    {Dtype::kU8, "u8", 8},
    {Dtype::kI8, "i8", 8},
    {Dtype::kU16, "u16", 16},
    {Dtype::kI16, "i16", 16},
    {Dtype::kU32, "u32", 32},
    {Dtype::kI32, "i32", 32},
    {Dtype::kU64, "u64", 64},
    {Dtype::kI64, "i64", 64},
    {Dtype::kF16, "f16", 16},
    {Dtype::kBf16, "bf16", 16},
    {Dtype::kF32, "f32", 32},
    {Dtype::kF64, "f64", 64},
    {Dtype::kF8E4M3Fn, "f8_e4m3fn", 8},
    {Dtype::kF8E4M3Fnuz, "f8_e4m3fnuz", 8},
    {Dtype::kF8E5M2, "f8_e5m2", 8},
    {Dtype::kF8E5M2Fnuz, "f8_e5m2fnuz", 8},
    {Dtype::kF8E8M0Fnu, "f8_e8m0fnu", 8},
    {Dtype::kF6E2M3, "f6_e2m3", 6},
    {Dtype::kF6E3M2, "f6_e3m2", 6},
    {Dtype::kF4E2M1, "f4_e2m1", 4},
    {Dtype::kComplex32, "complex32", 32},
    {Dtype::kComplex64, "complex64", 64},
    {Dtype::kComplex128, "complex128", 128},
    {Dtype::kBytes, "bytes", 0},
    {Dtype::kText, "text", 0},
    {Dtype::kVoid, "void", 0},
    {Dtype::kDatetime64, "datetime64", 0},
    {Dtype::kTimedelta64, "timedelta64", 0},
    {Dtype::kRecord, "record", 0},
    {Dtype::kForeign, "foreign", 0},
}};

const Row* FindRow(Dtype dtype) {
  for (const Row& row : kRows) {
    if (row.dtype == dtype) return &row;
  }
  return nullptr;
}

}  // namespace

const char* DtypeName(Dtype dtype) {
  const Row* row = FindRow(dtype);
  return row == nullptr ? "?" : row->name;
}

std::optional<Dtype> ParseDtype(std::string_view name) {
  for (const Row& row : kRows) {
    if (name == row.name) return row.dtype;
  }
  return std::nullopt;
}

bool IsExtended(Dtype dtype) {
  const Row* row = FindRow(dtype);
  return row != nullptr && row->bits == 0;
}

unsigned BitsPerElement(Dtype dtype) {
  static constexpr auto kBits = [] {  // by number: readers ask for each element
    std::array<unsigned, 256> bits{};
    for (const Row& row : kRows) bits[static_cast<std::uint8_t>(row.dtype)] = row.bits;
    return bits;
  }();
  return kBits[static_cast<std::uint8_t>(dtype)];
}

}  // namespace safemodel
