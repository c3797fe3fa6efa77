// SPDX-License-Identifier: Apache-2.0
// Names of PyTorch's element types and storage classes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <safemodel/dtype.h>

namespace safemodel::pickle {

// TorchType is an element type. Types without a code in the container are kForeign.
struct TorchType {
  std::string_view name;  // "float32"
  Dtype dtype = Dtype::kForeign;
  std::uint32_t item_size = 0;  // bytes of one element as PyTorch counts them
  std::uint32_t quantised = 0;  // 0: not; otherwise how many elements lie in such an item
};

// FindTorchType looks up a dtype by name, such as "float32" or "half".
std::optional<TorchType> FindTorchType(std::string_view name);

// FindPlainType returns the type of PyTorch that is this one and not quantised.
std::optional<TorchType> FindPlainType(Dtype dtype);

// FindStorageType looks up what a storage class holds: "FloatStorage" is float32, "UntypedStorage" uint8,
// "QInt8Storage" qint8.
std::optional<TorchType> FindStorageType(std::string_view class_name);

}  // namespace safemodel::pickle
