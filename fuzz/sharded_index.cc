// SPDX-License-Identifier: Apache-2.0
// Indexes of sharded models. Input: the text of an index. What is accepted names files beside it alone, in order and
// within the limits, and says the same when it is written again in its own order and read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "base/cursor.h"
#include "formats/sharded_index.h"
#include "fuzz/property.h"
#include "json/json.h"

namespace {

using namespace safemodel;           // NOLINT(google-build-using-namespace)
using namespace safemodel::formats;  // NOLINT(google-build-using-namespace)

constexpr const char* kName = "model.safetensors.index.json";

void CheckNames(const ShardedIndex& index) {
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : index.weight_map) {
    SAFEMODEL_PROPERTY(!shard.empty() && shard != "." && shard != ".." && shard != kName);
    SAFEMODEL_PROPERTY(shard.find_first_of(std::string("/\\:\0", 4)) == std::string::npos);
    shards.insert(shard);
  }
  SAFEMODEL_PROPERTY(std::equal(shards.begin(), shards.end(), index.shards.begin(), index.shards.end()));
  SAFEMODEL_PROPERTY(!index.shards.empty() && index.shards.size() <= kMostShards);
  SAFEMODEL_PROPERTY(std::adjacent_find(index.weight_map.begin(), index.weight_map.end(),
                                        [](const auto& a, const auto& b) { return a.first >= b.first; }) ==
                     index.weight_map.end());
}

void CheckWrittenAgain(const ShardedIndex& index) {
  std::string text = "{";
  if (index.total_size && index.total_size->whole) {
    text += "\"metadata\":{\"total_size\":" + std::to_string(*index.total_size->whole) + "},";
  }
  text += "\"weight_map\":{";
  for (const auto& [tensor, shard] : index.weight_map) {
    text += (text.back() == '{' ? "" : ",") + json::Quote(tensor) + ":" + json::Quote(shard);
  }
  text += "}}";
  const auto again = ParseIndex(AsBytes(text), kName, {});
  SAFEMODEL_PROPERTY(again.ok());
  SAFEMODEL_PROPERTY(again.value().weight_map == index.weight_map && again.value().shards == index.shards);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto index = ParseIndex(ByteView(data, size), kName, {});
  if (!index.ok()) {
    const Stage stage = index.error().stage;
    SAFEMODEL_PROPERTY(stage == Stage::kMalformed || stage == Stage::kUnsupported || stage == Stage::kUnsafe ||
                       stage == Stage::kLimit);
    return 0;
  }
  CheckNames(index.value());
  CheckWrittenAgain(index.value());
  return 0;
}
