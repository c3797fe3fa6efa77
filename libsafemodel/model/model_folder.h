// SPDX-License-Identifier: Apache-2.0
// A folder as a model: its weights, and everything else as files.
#pragma once

#include "base/folder.h"
#include "model/model_input.h"

namespace safemodel {

// ReadModelFolder finds the weights (safetensors before pickles, the top before folders in it), and takes all other
// files as they are. What runs is left out unless asked for; whatever is left out is listed. A dangerous pickle
// anywhere refuses the whole folder.
Result<ModelInput> ReadModelFolder(std::shared_ptr<const Folder> folder, const InputOptions& options);

}  // namespace safemodel
