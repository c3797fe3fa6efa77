// SPDX-License-Identifier: Apache-2.0
#include "formats/sharded_index.h"

#include <algorithm>
#include <cmath>

#include "base/try.h"
#include "base/utf8.h"
#include "json/json.h"

namespace safemodel::formats {
namespace {

constexpr std::uint32_t kIndexDepth = 16;  // the metadata may hold anything

Error BadIndex(const char* text, const std::string& subject = {}) {
  return {Stage::kMalformed, "bad_index", text, kNoOffset, subject};
}

// CheckShardName accepts a bare name on every system: an index may not choose what else of the disk is read.
Status CheckShardName(const std::string& shard) {
  const bool bare = !shard.empty() && shard != "." && shard != ".." &&
                    shard.find_first_of("/\\:") == std::string::npos && !HasControls(shard);
  if (bare) return {};
  return Error{Stage::kUnsafe, "FILE-PATH", "the index names a shard by a path instead of a file beside it", kNoOffset,
               shard};
}

Result<std::optional<TotalSize>> ParseTotalSize(const json::Value& index) {
  const json::Value* metadata = index.Find("metadata");
  if (metadata == nullptr) return std::optional<TotalSize>();
  if (metadata->AsObject() == nullptr) return BadIndex("the metadata of the index is not an object");
  const json::Value* size = metadata->Find("total_size");
  if (size == nullptr) return std::optional<TotalSize>();
  if (const auto whole = size->AsUnsigned()) return std::optional(TotalSize{whole, 0});
  const std::optional<double> fraction = size->AsDouble();
  if (!fraction || !std::isfinite(*fraction) || *fraction < 0) {
    return BadIndex("total_size is not a number of bytes");
  }
  return std::optional(TotalSize{std::nullopt, *fraction});
}

Status ParseWeightMap(const json::Members& members, const std::string& name, ShardedIndex& index) {
  for (const auto& [tensor, file] : members) {
    const std::string* shard = file.AsString();
    if (shard == nullptr) return BadIndex("the weight_map does not give the name of a file for a tensor", tensor);
    SAFEMODEL_TRY(CheckShardName(*shard));
    if (*shard == name) {
      return Error{Stage::kMalformed, "index_is_shard", "the index names itself as the file of a tensor", kNoOffset,
                   tensor};
    }
    index.weight_map.emplace_back(tensor, *shard);
  }
  std::sort(index.weight_map.begin(), index.weight_map.end());
  for (const auto& entry : index.weight_map) index.shards.push_back(entry.second);
  std::sort(index.shards.begin(), index.shards.end());
  index.shards.erase(std::unique(index.shards.begin(), index.shards.end()), index.shards.end());
  if (index.shards.size() > kMostShards)
    return Error{Stage::kLimit, "many_shards", "the index names more files than the limit"};
  return {};
}

}  // namespace

bool LooksLikeIndex(ByteView head) {
  // The length that safetensors begin with may spell a brace, but has zeros behind it.
  if (std::find(head.begin(), head.end(), std::uint8_t{0}) != head.end()) return false;
  const auto first = std::find_if(head.begin(), head.end(), [](std::uint8_t byte) {
    return byte != ' ' && byte != '\t' && byte != '\r' && byte != '\n';
  });
  return first != head.end() && *first == '{';
}

Result<ShardedIndex> ParseIndex(ByteView text, const std::string& name, const Limits& limits) {
  SAFEMODEL_ASSIGN(const json::Value object, json::Parse(text, {kIndexBytes, kIndexDepth}));
  const json::Value* map = object.Find("weight_map");
  if (map == nullptr)
    return Error{Stage::kUnsupported, "not_an_index", "the file is JSON, but no index of a sharded model"};
  const json::Members* members = map->AsObject();
  if (members == nullptr || members->empty()) return BadIndex("the weight_map is not an object with tensors");
  if (members->size() > limits.tensors)
    return Error{Stage::kLimit, "too_many_tensors", "the index has more tensors than the limit"};
  ShardedIndex index;
  SAFEMODEL_TRY(ParseWeightMap(*members, name, index));
  SAFEMODEL_ASSIGN(index.total_size, ParseTotalSize(object));
  return index;
}

}  // namespace safemodel::formats
