// SPDX-License-Identifier: Apache-2.0
// From the files of a sharded model to one model.
#pragma once

#include <string>
#include <vector>

#include "formats/sharded_index.h"
#include "value/imported.h"

namespace safemodel::formats {

// Shard is one file of a sharded model, read as a model of its own.
struct Shard {
  std::string name;
  ImportedModel model;
};

struct MergedShards {
  ImportedModel model;
  std::vector<std::string> unmapped;  // names of tensors that the index does not know; they are part of the model
};

// MergeShards makes one flat model: a dict of all tensors in the order of their names, as a single safetensors file
// gives it. Views of one storage stay views of one storage. What a shard holds besides tensors (the attributes of an
// OrderedDict) is what load_state_dict ignores, and stays behind. `index` may be null. Errors: kUnsupported
// "shard_not_flat"; kMalformed "tensor_in_two_shards", "tensor_missing" (the index places a tensor where it is not),
// "total_size"; kLimit.
Result<MergedShards> MergeShards(std::vector<Shard> shards, const ShardedIndex* index, const Limits& limits);

}  // namespace safemodel::formats
