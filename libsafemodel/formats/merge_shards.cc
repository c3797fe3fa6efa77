// SPDX-License-Identifier: Apache-2.0
#include "formats/merge_shards.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "base/try.h"
#include "value/builder.h"
#include "value/naming.h"
#include "value/tensor_view.h"

namespace safemodel::formats {
namespace {

struct MergedTensor {
  ImportedTensor tensor;
  std::uint8_t flags = 0;
  std::size_t shard = 0;
  bool mapped = false;  // the index knows it
};

std::uint64_t Saturated(std::uint64_t a, std::uint64_t b) {
  return CheckedAdd(a, b).value_or(std::numeric_limits<std::uint64_t>::max());
}

Error NotFlat(const Shard& shard) {
  return {Stage::kUnsupported, "shard_not_flat", "a shard holds something else than named tensors", kNoOffset,
          shard.name};
}

// TakeTensors moves the tensors of a shard, whose table has one row for each name of its dict.
Status TakeTensors(Shard& shard, std::size_t number, std::uint32_t first_storage, std::vector<MergedTensor>& merged) {
  const auto entries = FlatTensors(shard.model.tree);
  if (!entries || !shard.model.element_types.empty() || entries->size() != shard.model.tensors.size())
    return NotFlat(shard);
  std::map<std::string_view, std::uint8_t> flags;
  for (const FlatTensor& entry : *entries) flags.emplace(entry.name, entry.flags);
  for (ImportedTensor& tensor : shard.model.tensors) {
    const auto found = flags.find(tensor.name);
    if (found == flags.end()) return NotFlat(shard);
    tensor.storage += first_storage;
    merged.push_back({std::move(tensor), found->second, number, false});
  }
  return {};
}

Status CheckNames(const std::vector<MergedTensor>& merged) {
  const auto twice = std::adjacent_find(merged.begin(), merged.end(), [](const MergedTensor& a, const MergedTensor& b) {
    return a.tensor.name == b.tensor.name;
  });
  if (twice == merged.end()) return {};
  return Error{Stage::kMalformed, "tensor_in_two_shards", "two shards have a tensor of the same name", kNoOffset,
               twice->tensor.name};
}

// CheckPlaces compares the weight_map with the shards; both are in the order of names.
Status CheckPlaces(const ShardedIndex& index, const std::vector<std::string>& shards,
                   std::vector<MergedTensor>& merged) {
  auto at = merged.begin();
  for (const auto& [name, shard] : index.weight_map) {
    while (at != merged.end() && at->tensor.name < name) ++at;
    if (at == merged.end() || at->tensor.name != name || shards[at->shard] != shard) {
      return Error{Stage::kMalformed, "tensor_missing",
                   "a tensor is not in the shard where the index places it; is the download complete?", kNoOffset,
                   name};
    }
    at->mapped = true;
  }
  return {};
}

// Bounds are what writers may mean by total_size. They agree on tensors with memory of their own. Of several tensors in
// one memory some writers count all, some the first one that they met, some the memory; old ones count a bool as an
// eighth of a byte; and what the index does not name was added later.
struct Bounds {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

struct StorageUse {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t sum = 0;
  bool mapped = false;
};

Result<Bounds> BoundsOf(const ImportedModel& model, const std::vector<MergedTensor>& merged) {
  std::vector<StorageUse> uses(model.storages.size());
  for (const MergedTensor& entry : merged) {
    SAFEMODEL_ASSIGN(const std::uint64_t elements, ElementCount(entry.tensor.shape));
    SAFEMODEL_ASSIGN(const std::uint64_t bytes, ContiguousBytes(elements, BitsPerElement(entry.tensor.dtype)));
    StorageUse& use = uses[entry.tensor.storage];
    use.sum = Saturated(use.sum, bytes);
    if (!entry.mapped) continue;
    use.mapped = true;
    use.least = std::min(use.least, entry.tensor.dtype == Dtype::kBool ? bytes / 8 : bytes);
  }
  Bounds bounds;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (uses[i].mapped) bounds.low = Saturated(bounds.low, uses[i].least);
    bounds.high = Saturated(bounds.high, std::max(uses[i].sum, model.storages[i].source->size()));
  }
  return bounds;
}

Status CheckTotalSize(const TotalSize& stated, const Bounds& bounds) {
  const bool fits = stated.whole ? *stated.whole >= bounds.low && *stated.whole <= bounds.high
                                 : stated.fraction >= static_cast<double>(bounds.low) &&
                                       stated.fraction <= static_cast<double>(bounds.high);
  if (fits) return {};
  return Error{Stage::kMalformed, "total_size",
               "total_size in the index is not the size of the tensors; the index belongs to other files, or needs to "
               "be corrected"};
}

// MergeMetadata keeps what the shards say of themselves. Where two say different things, both are kept.
void MergeMetadata(const std::vector<Shard>& shards, ImportedModel& model) {
  std::map<std::string, std::string> merged;
  for (const Shard& shard : shards) {
    for (const auto& [key, value] : shard.model.metadata) {
      const auto [at, added] = merged.emplace(key, value);
      if (!added && at->second != value) merged.emplace(key + "@" + shard.name, value);
    }
  }
  model.metadata.assign(merged.begin(), merged.end());
}

void MergeJudgement(const Shard& shard, ImportedModel& model) {
  if (shard.model.verdict != "clean") model.verdict = shard.model.verdict;
  model.globals.insert(model.globals.end(), shard.model.globals.begin(), shard.model.globals.end());
  for (const UnlistedName& name : shard.model.inert) {
    const bool told = std::any_of(model.inert.begin(), model.inert.end(),
                                  [&](const UnlistedName& other) { return other.name == name.name; });
    if (!told) model.inert.push_back(name);
  }
}

Status BuildFlatTree(std::vector<MergedTensor> merged, const Limits& limits, ImportedModel& model) {
  ValueTreeBuilder builder;
  std::vector<NodeId> children;
  children.reserve(merged.size() * 2);
  for (MergedTensor& entry : merged) {
    children.push_back(builder.Str(entry.tensor.name));
    children.push_back(builder.Tensor(static_cast<std::uint32_t>(model.tensors.size()), entry.flags));
    model.tensors.push_back(std::move(entry.tensor));
  }
  const NodeId root = builder.Parent(NodeKind::kDict, std::move(children));
  SAFEMODEL_ASSIGN(model.tree, std::move(builder).Finish(root, limits));
  return NameTensors(model, limits);
}

}  // namespace

Result<MergedShards> MergeShards(std::vector<Shard> shards, const ShardedIndex* index, const Limits& limits) {
  MergedShards result;
  ImportedModel& model = result.model;
  std::vector<MergedTensor> merged;
  std::vector<std::string> names;
  MergeMetadata(shards, model);
  for (Shard& shard : shards) {
    const auto first_storage = static_cast<std::uint32_t>(model.storages.size());
    SAFEMODEL_TRY(TakeTensors(shard, names.size(), first_storage, merged));
    if (merged.size() > limits.tensors)
      return Error{Stage::kLimit, "too_many_tensors", "the model has more tensors than the limit"};
    std::move(shard.model.storages.begin(), shard.model.storages.end(), std::back_inserter(model.storages));
    MergeJudgement(shard, model);
    names.push_back(shard.name);
  }
  model.layout = "sharded-" + (shards.empty() ? std::string() : shards.front().model.layout);
  std::sort(model.globals.begin(), model.globals.end());
  model.globals.erase(std::unique(model.globals.begin(), model.globals.end()), model.globals.end());
  std::sort(merged.begin(), merged.end(),
            [](const MergedTensor& a, const MergedTensor& b) { return a.tensor.name < b.tensor.name; });
  SAFEMODEL_TRY(CheckNames(merged));
  if (index != nullptr) {
    SAFEMODEL_TRY(CheckPlaces(*index, names, merged));
    for (const MergedTensor& entry : merged) {
      if (!entry.mapped) result.unmapped.push_back(entry.tensor.name);
    }
    SAFEMODEL_ASSIGN(const Bounds bounds, BoundsOf(model, merged));
    if (index->total_size) SAFEMODEL_TRY(CheckTotalSize(*index->total_size, bounds));
  }
  SAFEMODEL_TRY(BuildFlatTree(std::move(merged), limits, model));
  return result;
}

}  // namespace safemodel::formats
