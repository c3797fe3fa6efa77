// SPDX-License-Identifier: Apache-2.0
// The zip files of torch.save (PyTorch 1.6 and later).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/result.h>

#include "base/large_pages.h"
#include "pickle/findings.h"
#include "pickle/import.h"
#include "pickle/machine.h"
#include "pickle/text_index.h"
#include "pickle/zip.h"

namespace safemodel::pickle {

// TorchLayout gives meaning to persistent ids: ('storage', class, key, location, number of elements).
class TorchLayout final : public Layout {
 public:
  // `open` returns the bytes of the record of a storage.
  using StorageOpener = std::function<Result<SharedSource>(std::string_view key)>;
  explicit TorchLayout(StorageOpener open) : open_(std::move(open)) {}

  // Expect makes room for this many storages.
  void Expect(std::size_t storages) {
    known_.reserve(storages);
    by_key_.Expect(storages);
  }

  Result<NodeIndex> OnPersistentId(RuleContext& context, NodeIndex reference) override;

 private:
  // Reference returns what a reference to a storage of this type, key and number of elements means.
  Result<StorageNote> Reference(RuleContext& context, NodeIndex reference, const AllowEntry& type, std::string_view key,
                                std::uint64_t elements);
  Result<StorageNote> Open(RuleContext& context, NodeIndex reference, const AllowEntry& type, std::string_view key,
                           std::uint64_t elements);

  StorageOpener open_;
  // Known is a storage that was opened: its key, which the graph keeps, and the reference whose note describes it.
  struct Known {
    std::string_view key;
    NodeIndex reference = kNoNode;
  };
  LargeVector<Known> known_;
  TextIndex by_key_;
};

// StorageClassOf returns the entry of a storage class of PyTorch's own modules, or nothing. PyTorch takes any name with
// `Storage` in it, whatever the module says.
const AllowEntry* StorageClassOf(const Graph& graph, NodeIndex node);

// IsStorageKey says whether a node is the key of a storage: digits as PyTorch writes them, other short texts too. A
// long one would be copied and compared for each tensor.
bool IsStorageKey(const Graph& graph, NodeIndex node);

// BadPersistentId is the error for an id that torch.save does not write.
Error BadPersistentId(const Graph& graph, NodeIndex reference);

// IsTorchArchive says whether an archive has the shape that torch.save gives it.
bool IsTorchArchive(const ZipArchive& archive);

// TorchPickleNames returns the names of the members that ImportTorchZip runs: the one that torch.load runs, first, and
// those of a TorchScript program. Each has its storages in a folder of its name. IsTorchPickleName and
// IsTorchStorageName say whether a name is that of such a member, or of a storage, under whatever root. PyTorch does
// not regard case.
std::vector<std::string> TorchPickleNames(const ZipArchive& archive);
bool IsTorchPickleName(std::string_view name);
bool IsTorchStorageName(std::string_view name);

// ImportTorchZip reads such an archive.
Result<ImportedModel> ImportTorchZip(const ZipArchive& archive, const ImportOptions& options, Findings& findings);

}  // namespace safemodel::pickle
