// SPDX-License-Identifier: Apache-2.0
// The index of a model whose tensors lie in several files, as the Hugging Face libraries write it beside them
// (model.safetensors.index.json, pytorch_model.bin.index.json):
//
//   { "metadata": { "total_size": BYTES, ... }, "weight_map": { TENSOR: FILE, ... } }
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "base/source.h"

namespace safemodel::formats {

inline constexpr std::string_view kIndexSuffix = ".index.json";  // of its name; content decides what is one
inline constexpr std::uint64_t kIndexBytes = 256u << 20;  // 60 bytes for each of as many tensors as a model may have
inline constexpr std::size_t kMostShards = 4096;          // the largest models that are published have hundreds

// TotalSize is what an index says of the bytes of its tensors. Old writers counted a bool as an eighth of a byte, and
// so wrote a number with a fraction.
struct TotalSize {
  std::optional<std::uint64_t> whole;
  double fraction = 0;  // when it is not whole
};

struct ShardedIndex {
  std::vector<std::pair<std::string, std::string>> weight_map;  // tensor and file, tensors ascending
  std::vector<std::string> shards;                              // the files, ascending
  std::optional<TotalSize> total_size;
};

// LooksLikeIndex says whether a file begins as a JSON object. Nothing is proved by it.
bool LooksLikeIndex(ByteView head);

// ParseIndex reads an index. `name` is that of its own file, which cannot be a shard. Errors: kMalformed (JSON; codes
// "bad_index", "index_is_shard"); kUnsafe "FILE-PATH" for a shard that is not named by a bare file name; kLimit
// "too_large", "many_shards", "too_many_tensors". kUnsupported "not_an_index": a JSON text without a weight_map.
Result<ShardedIndex> ParseIndex(ByteView text, const std::string& name, const Limits& limits);

}  // namespace safemodel::formats
