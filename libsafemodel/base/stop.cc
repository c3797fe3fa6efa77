// SPDX-License-Identifier: Apache-2.0
#include "base/stop.h"

#include <safemodel/stop.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "base/try.h"

namespace safemodel {
namespace {

// A signal handler reads and writes these, whatever object was at work. Both sides write theirs and then read the
// other's, in one order for all threads, so that at least one sees the other.
std::atomic<bool> stop_requested = false;    // NOLINT: a handler can reach nothing else
std::atomic<unsigned> unfinished_names = 0;  // NOLINT: the same
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<unsigned>::is_always_lock_free);

std::string RandomName() {
  std::array<std::uint8_t, 8> random{};
  // A collision is caught by O_EXCL, so a short read only makes one more likely.
  if (getrandom(random.data(), random.size(), 0) < 0) random[0] = static_cast<std::uint8_t>(getpid());
  std::string name = ".safemodel-";
  for (const std::uint8_t byte : random) {
    constexpr const char* kHex = "0123456789abcdef";
    name += kHex[byte >> 4];
    name += kHex[byte & 15];
  }
  return name + ".tmp";
}

}  // namespace

Unfinished RequestStop() noexcept {
  stop_requested = true;
  return unfinished_names == 0 ? Unfinished::kNothing : Unfinished::kOutputs;
}

Status CheckStop(const std::string& path) {
  if (!stop_requested) return {};
  return Error{Stage::kIo, "stopped", "the program was told to end; an output that was not complete is taken away",
               kNoOffset, path};
}

UnfinishedName& UnfinishedName::operator=(UnfinishedName&& other) noexcept {
  if (this != &other) {
    clear();
    text_ = std::exchange(other.text_, {});
  }
  return *this;
}

Status UnfinishedName::Draw(const std::string& path) {
  std::string name = RandomName();
  clear();
  text_ = std::move(name);
  ++unfinished_names;
  Status stop = CheckStop(path);
  if (!stop.ok()) clear();
  return stop;
}

void UnfinishedName::clear() noexcept {
  if (text_.empty()) return;
  text_.clear();
  --unfinished_names;
}

}  // namespace safemodel
