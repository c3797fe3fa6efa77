// SPDX-License-Identifier: Apache-2.0
// Talking to a server on this machine through a socket with a path.
#pragma once

#include <chrono>
#include <string>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "base/file.h"

namespace safemodel {

// LocalSocket is a connection. Nothing waits longer than its deadline.
class LocalSocket {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  // Connect fails with kIo "open_failed".
  static Result<LocalSocket> Connect(const std::string& path, Deadline deadline);

  // Send writes all bytes; kIo "closed" or "timeout".
  [[nodiscard]] Status Send(ByteView bytes) const;
  // Receive fills `out`; kIo "closed" when the other side ended before, or "timeout".
  [[nodiscard]] Status Receive(MutableBytes out) const;

 private:
  LocalSocket(Descriptor descriptor, Deadline deadline) : descriptor_(std::move(descriptor)), deadline_(deadline) {}
  [[nodiscard]] Status WaitFor(short events) const;

  Descriptor descriptor_;
  Deadline deadline_;
};

}  // namespace safemodel
