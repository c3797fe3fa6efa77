// SPDX-License-Identifier: Apache-2.0
// Files of torch.save from 0.1.10 to 1.5, and of later versions that were told not to write a zip: five pickles in a
// row (a magic number, the version 1001, facts about the machine, the object, the keys of its storages), then for each
// key a count of elements and their bytes, to the exact end of the file.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include <safemodel/result.h>

#include "pickle/import.h"
#include "pickle/machine.h"
#include "pickle/torch_plain.h"

namespace safemodel::pickle {

// TorchLegacyLayout gives meaning to persistent ids: ('storage', class, key, location, elements, view), where a view is
// a part of the storage under a key of its own, and ('module', class, file, source), which stands for the class. Their
// bytes stand behind the object, so until Place has found them their sources cannot be read.
class TorchLegacyLayout final : public Layout {
 public:
  Result<NodeIndex> OnPersistentId(RuleContext& context, NodeIndex reference) override;

  // Place reads the list of keys that starts at `at`, and finds the bytes behind it; `at` becomes their end. kUnsafe
  // MEM-STORAGE when a storage has none (PyTorch would leave its memory as it was) or has them twice, MEM-SIZE when
  // there are more or fewer than the object says.
  Status Place(RuleContext& context, const SharedSource& source, std::uint64_t& at);

  [[nodiscard]] const std::vector<TorchSource>& sources() const { return sources_; }

 private:
  // Known is what a key stands for.
  struct Known {
    StorageNote note;
    NodeIndex node = kNoNode;  // the first reference, which stands for all others
    enum class Part : std::uint8_t { kWhole, kView } part = Part::kWhole;
    bool placed = false;
  };
  Result<Known*> Whole(RuleContext& context, NodeIndex reference, std::span<const NodeIndex> parts);
  Result<Known*> View(RuleContext& context, NodeIndex reference, const StorageNote& whole, NodeIndex view);
  Status PlaceOne(RuleContext& context, const SharedSource& source, const std::string& key, std::uint64_t& at);

  std::unordered_map<std::string, Known> known_;
  std::vector<TorchSource> sources_;
};

// IsTorchLegacyMagic says whether a node is the number that such files start with.
bool IsTorchLegacyMagic(const Graph& graph, NodeIndex node);

// CheckMagicIsPlain refuses a file whose first pickle calls something and whose second one is the version of this
// layout: PyTorch compares with ==, so what a call returns may pass as the number, after the call. kUnsafe TORCH-MAGIC.
Status CheckMagicIsPlain(const SharedSource& source, const Graph& first, const MachineResult& result,
                         const Limits& limits);

// ImportTorchLegacy reads such a file.
Result<ImportedModel> ImportTorchLegacy(const SharedSource& source, const ImportOptions& options, Findings& findings);

// LoadTorchBytes is the rule of torch.storage._load_from_bytes: what the constant holds takes the place of the call.
// kUnsafe CALL-ARGS for bytes that are no such file: PyTorch would run whatever program they are.
Result<NodeIndex> LoadTorchBytes(RuleContext& context, NodeIndex call);

}  // namespace safemodel::pickle
