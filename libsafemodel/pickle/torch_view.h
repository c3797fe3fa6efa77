// SPDX-License-Identifier: Apache-2.0
// The proof that a tensor of PyTorch lies inside its storage, whichever layout described it.
#pragma once

#include <cstdint>
#include <vector>

#include <safemodel/result.h>

#include "pickle/rule.h"
#include "pickle/torch_types.h"
#include "value/imported.h"

namespace safemodel::pickle {

// TorchView is what a file says about a tensor, in elements.
struct TorchView {
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> strides;
  std::uint64_t offset = 0;
};

// MakeTorchView returns the tensor without a name. kUnsafe MEM-SIZE when its size overflows, MEM-VIEW when it reaches
// outside; the caller knows where in the file.
Result<ImportedTensor> MakeTorchView(const StorageNote& storage, const TorchType& type, TorchView view);

}  // namespace safemodel::pickle
