// SPDX-License-Identifier: Apache-2.0
// The storages that the pickles of a carved archive refer to.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>

#include "pickle/zip.h"

namespace safemodel::pickle {

// CarvedStorages opens each storage once, however often pickles refer to it: to learn its size takes inflating all of
// it. For one thread.
class CarvedStorages {
 public:
  explicit CarvedStorages(SharedSource archive) : archive_(std::move(archive)) {}

  // Add enters a member under its key; the first one stays. The entry outlives this.
  void Add(std::string_view key, const ZipEntry& entry) { storages_.emplace(key, Storage{&entry}); }
  [[nodiscard]] bool empty() const { return storages_.empty(); }
  // Open: kMalformed FILE-MISSING when there is no such storage; the errors of OpenCarved.
  [[nodiscard]] Result<SharedSource> Open(std::string_view key);

 private:
  struct Storage {
    const ZipEntry* entry = nullptr;
    std::optional<Result<SharedSource>> opened = {};
  };
  SharedSource archive_;
  std::unordered_map<std::string_view, Storage> storages_;
};

}  // namespace safemodel::pickle
