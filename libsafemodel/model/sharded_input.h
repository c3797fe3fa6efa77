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

// PartByName returns the name when it is that of one shard among several.
std::optional<ShardName> PartByName(const std::string& name);

// CheckNoneMissing refuses (kMalformed FILE-MISSING) some shards of a model that lie in a folder without an index, when
// their own names say that there are more: `names` are the shards that are there, ascending, of one prefix, suffix and
// count.
Status CheckNoneMissing(const std::vector<std::string>& names);

// DefaultNameOf returns what the model of an index is called: `model` for model.safetensors.index.json.
std::string DefaultNameOf(const std::string& index_name);

// ReadShardList reads files that the user listed. They must be all shards of one model, by their names, or what the one
// index among them names: kUsage "several_inputs" otherwise.
Result<ModelInput> ReadShardList(const std::vector<std::string>& inputs, const InputOptions& options);

}  // namespace safemodel
