// SPDX-License-Identifier: Apache-2.0
// Names of tensors, from their place in the value tree.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "value/imported.h"

namespace safemodel {

// NameTensors gives every tensor that the tree refers to its name by the rules of the spec (section "Tensor names"),
// drops tensors and storages that nothing refers to, and sorts the table by name, renumbering references.
// A flat state dict keeps its keys: a tensor that stands under several keys gets one entry (an alias) for each.
// Errors: kLimit (name over its limit, too many tensors), kMalformed.
Status NameTensors(ImportedModel& model, const Limits& limits);

// FlatTensor is an entry of a flat state dict.
struct FlatTensor {
  std::string_view name;  // in the tree
  std::uint32_t tensor = 0;
  std::uint8_t flags = 0;  // TensorNodeFlags
};

// FlatTensors returns the entries of a flat tree in the order of its dict, or nothing when the tree is not flat.
std::optional<std::vector<FlatTensor>> FlatTensors(const ValueTree& tree);

}  // namespace safemodel
