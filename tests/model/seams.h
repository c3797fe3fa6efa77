// SPDX-License-Identifier: Apache-2.0
// What goes through two seams of the library: chunks that are sealed and opened, and bytes that are written.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include <safemodel/bytes.h>

namespace safemodel::seams {

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

}  // namespace safemodel::seams
