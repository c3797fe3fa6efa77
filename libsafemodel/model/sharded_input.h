// SPDX-License-Identifier: Apache-2.0
// Models whose tensors lie in several files of a folder.
#pragma once

#include "base/folder.h"
#include "formats/sharded_index.h"
#include "model/model_input.h"

namespace safemodel {

// PartOf makes a part of an open file.
InputPart PartOf(std::string name, std::shared_ptr<const File> file);

// ReadIndexFile parses the index in a file; its errors have the name of the file.
Result<formats::ShardedIndex> ReadIndexFile(const File& file, const std::string& name, const Limits& limits);

// ReadShards reads `shards`, bare names in the folder `below` (empty: the folder itself), and adds model, parts and
// weights to `input`. `index` may be null.
Status ReadShards(const Folder& folder, const std::string& below, const std::vector<std::string>& shards,
                  const formats::ShardedIndex* index, const InputOptions& options, ModelInput& input);

// ShardName is how the files of a sharded model are called: PREFIX-00001-of-00003.SUFFIX.
struct ShardName {
  std::string prefix;
  std::string suffix;
  std::uint32_t number = 0;
  std::uint32_t count = 0;
};
std::optional<ShardName> ParseShardName(const std::string& name);

// ReadShardList reads files that the user listed. They must be all shards of one model, by their names, or what the one
// index among them names: kUsage "several_inputs" otherwise.
Result<ModelInput> ReadShardList(const std::vector<std::string>& inputs, const InputOptions& options);

}  // namespace safemodel
