// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_types.h"

#include <array>
#include <utility>

namespace safemodel::pickle {

namespace {

constexpr TorchType kTypes[] = {
    {"float32", Dtype::kF32, 4},
    {"float", Dtype::kF32, 4},
    {"float64", Dtype::kF64, 8},
    {"double", Dtype::kF64, 8},
    {"float16", Dtype::kF16, 2},
    {"half", Dtype::kF16, 2},
    {"bfloat16", Dtype::kBf16, 2},
    {"int64", Dtype::kI64, 8},
    {"long", Dtype::kI64, 8},
    {"int32", Dtype::kI32, 4},
    {"int", Dtype::kI32, 4},
    {"int16", Dtype::kI16, 2},
    {"short", Dtype::kI16, 2},
    {"int8", Dtype::kI8, 1},
    {"uint8", Dtype::kU8, 1},
    {"uint16", Dtype::kU16, 2},
    {"uint32", Dtype::kU32, 4},
    {"uint64", Dtype::kU64, 8},
    {"bool", Dtype::kBool, 1},
    {"complex32", Dtype::kComplex32, 4},
    {"complex64", Dtype::kComplex64, 8},
    {"complex128", Dtype::kComplex128, 16},
    {"float8_e4m3fn", Dtype::kF8E4M3Fn, 1},
    {"float8_e4m3fnuz", Dtype::kF8E4M3Fnuz, 1},
    {"float8_e5m2", Dtype::kF8E5M2, 1},
    {"float8_e5m2fnuz", Dtype::kF8E5M2Fnuz, 1},
    {"float8_e8m0fnu", Dtype::kF8E8M0Fnu, 1},
    {"float4_e2m1fn_x2", Dtype::kF4E2M1, 1},  // two elements in a byte, counted as one
    {"qint8", Dtype::kI8, 1, 1},
    {"quint8", Dtype::kU8, 1, 1},
    {"qint32", Dtype::kI32, 4, 1},
    {"quint4x2", Dtype::kU8, 1, 2},
    {"quint2x4", Dtype::kU8, 1, 4},
    {"uint1", Dtype::kForeign, 1},
    {"uint2", Dtype::kForeign, 1},
    {"uint3", Dtype::kForeign, 1},
    {"uint4", Dtype::kForeign, 1},
    {"uint5", Dtype::kForeign, 1},
    {"uint6", Dtype::kForeign, 1},
    {"uint7", Dtype::kForeign, 1},
    {"int1", Dtype::kForeign, 1},
    {"int2", Dtype::kForeign, 1},
    {"int3", Dtype::kForeign, 1},
    {"int4", Dtype::kForeign, 1},
    {"int5", Dtype::kForeign, 1},
    {"int6", Dtype::kForeign, 1},
    {"int7", Dtype::kForeign, 1},
    {"bits8", Dtype::kForeign, 1},
    {"bits1x8", Dtype::kForeign, 1},
    {"bits2x4", Dtype::kForeign, 1},
    {"bits4x2", Dtype::kForeign, 1},
    {"bits16", Dtype::kForeign, 2},
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 19> kStorages{{
    {"FloatStorage", "float32"},
    {"DoubleStorage", "float64"},
    {"HalfStorage", "float16"},
    {"BFloat16Storage", "bfloat16"},
    {"LongStorage", "int64"},
    {"IntStorage", "int32"},
    {"ShortStorage", "int16"},
    {"CharStorage", "int8"},
    {"ByteStorage", "uint8"},
    {"BoolStorage", "bool"},
    {"ComplexHalfStorage", "complex32"},
    {"ComplexFloatStorage", "complex64"},
    {"ComplexDoubleStorage", "complex128"},
    {"UntypedStorage", "uint8"},
    {"QInt8Storage", "qint8"},
    {"QUInt8Storage", "quint8"},
    {"QInt32Storage", "qint32"},
    {"QUInt4x2Storage", "quint4x2"},
    {"QUInt2x4Storage", "quint2x4"},
}};

}  // namespace

std::optional<TorchType> FindTorchType(std::string_view name) {
  for (const TorchType& type : kTypes) {
    if (type.name == name) return type;
  }
  return std::nullopt;
}

std::optional<TorchType> FindPlainType(Dtype dtype) {
  if (dtype == Dtype::kForeign) return std::nullopt;  // many types
  for (const TorchType& type : kTypes) {
    if (type.dtype == dtype && type.quantised == 0) return type;
  }
  return std::nullopt;
}

std::optional<TorchType> FindStorageType(std::string_view class_name) {
  for (const auto& [storage, type] : kStorages) {
    if (storage == class_name) return FindTorchType(type);
  }
  return std::nullopt;
}

}  // namespace safemodel::pickle
