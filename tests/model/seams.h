// SPDX-License-Identifier: Apache-2.0
// What goes through the seams of the library: chunks that are sealed and opened, bytes that are written, files that are
// opened, folders that are synced.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <safemodel/bytes.h>

namespace safemodel::seams {

// The keys are masked.
using KeyAndNonce = std::pair<std::array<std::uint8_t, 32>, std::array<std::uint8_t, 24>>;

// Recorded is what happened since Reset.
struct Recorded {
  std::set<KeyAndNonce> sealed;  // over all threads
  std::uint64_t repeated = 0;    // pairs that were sealed with before
  std::uint64_t opened = 0;      // calls that open, whatever came of them
};

void Reset();
Recorded Take();

// Watch has every write to a file looked at until the end of its scope. One at a time.
class Watch {
 public:
  explicit Watch(std::function<void(ByteView)> look);
  ~Watch();
};

// WatchOpens has `look` called with each name that is opened in a folder, before it is, by whichever thread, until the
// end of its scope. One at a time.
class WatchOpens {
 public:
  explicit WatchOpens(std::function<void(std::string_view name)> look);
  ~WatchOpens();
};

// FailFolderSyncs has no folder synced until the end of its scope.
class FailFolderSyncs {
 public:
  FailFolderSyncs();
  ~FailFolderSyncs();
};

}  // namespace safemodel::seams
