// SPDX-License-Identifier: Apache-2.0
// The dtypes of safetensors 0.8.
#pragma once

#include <optional>
#include <string_view>

#include <safemodel/dtype.h>

namespace safemodel::formats {

inline constexpr std::uint64_t kSafetensorsHeaderBytes = 100'000'000;  // the reference implementation's limit
inline constexpr std::string_view kSafetensorsMetadataKey = "__metadata__";
// Keys of a file's `__metadata__` stand in the directory under this prefix.
inline constexpr std::string_view kSafetensorsMetadataPrefix = "safetensors.";

// ParseSafetensorsDtype returns our dtype for a name such as "BF16", or nothing.
std::optional<Dtype> ParseSafetensorsDtype(std::string_view name);

// SafetensorsDtype is a dtype's name and its rank in the order of the reference writer, which puts higher ranks first.
struct SafetensorsDtype {
  std::string_view name;
  unsigned rank;
};

// SafetensorsDtypeOf returns nothing for a dtype that safetensors does not have.
std::optional<SafetensorsDtype> SafetensorsDtypeOf(Dtype dtype);

}  // namespace safemodel::formats
