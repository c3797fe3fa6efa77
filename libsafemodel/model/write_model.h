// SPDX-License-Identifier: Apache-2.0
// From an imported model to a container, signed when a key is given.
#pragma once

#include <functional>

#include <safemodel/convert.h>

#include "model/writer.h"
#include "value/imported.h"

namespace safemodel {

// WrittenModel says what was written.
struct WrittenModel {
  ModelIdentity identity;
  std::size_t tensors = 0;
  std::uint64_t tensor_bytes = 0;  // sum over tensors, contiguous
  Digest tensor_digest{};
  Digest content_digest{};
  Digest manifest_digest{};
};

// Identify is asked for the identity of a model after its content was written: digests of the source are ready by then.
// The file id is filled in by the writer.
using Identify = std::function<Result<ModelIdentity>()>;

// WriteModel writes a whole container to `output`, but does not give it its name. Of the options it uses codec, level,
// threads, chunk_bytes, reproducible, sign_with, limits and progress.
Result<WrittenModel> WriteModel(OutputFile& output, const ImportedModel& model, const ConvertOptions& options,
                                const Identify& identify);

}  // namespace safemodel
