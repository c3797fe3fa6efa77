// SPDX-License-Identifier: Apache-2.0
// What a conversion reads: a file, the files of a sharded model, or a folder.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <safemodel/convert.h>

#include "base/file.h"
#include "value/imported.h"

namespace safemodel {

namespace pickle {
class AllowList;
}

// InputPart is one file that the model was made of.
struct InputPart {
  std::string name;  // below the folder of the input
  SharedSource source;
  FileIdentity identity;
  std::function<Status()> check_unchanged;
};

struct ModelInput {
  ImportedModel model;
  std::vector<InputPart> parts;       // ascending names; one when the input is a file
  std::string default_name;           // of the model, before it is cleaned
  std::vector<LeftOutFile> left_out;  // ascending paths
  std::vector<std::string> weights;   // names of the files that the tensors come from
  std::vector<std::string> unmapped;  // tensors that the index of a sharded model does not know
  PartOfModel shard;                  // when it is one shard of a model

  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] Status CheckUnchanged() const;
};

struct InputOptions {
  Limits limits = {};
  ConvertOptions::Unknown unknown = ConvertOptions::Unknown::kRefuse;
  ConvertOptions::Executables executables = ConvertOptions::Executables::kLeaveOut;
  std::string weights = {};  // path of the file or index to take when a folder has several; empty: the only one
  const pickle::AllowList* user = nullptr;  // borrowed; classes that the caller vouches for
};

// ReadModelInput opens and reads. Several inputs must be the shards of one model, with or without its index: kUsage
// "several_inputs" otherwise. Errors: those of the readers; kUsage "no_weights", "several_models", "no_such_weights".
Result<ModelInput> ReadModelInput(const std::vector<std::string>& inputs, const InputOptions& options);

}  // namespace safemodel
