// SPDX-License-Identifier: Apache-2.0
// What is asked to stop, and what must not be left when it does.
#pragma once

#include <string>
#include <utility>

#include <safemodel/result.h>

namespace safemodel {

// CheckStop fails with kIo "stopped" once RequestStop was called. `path` is what was being read or written.
[[nodiscard]] Status CheckStop(const std::string& path);

// UnfinishedName is the name of something that has not got its own yet: ".safemodel-", 16 random hex digits, ".tmp".
// While one is drawn, RequestStop says that there is something to wait for.
class UnfinishedName {
 public:
  UnfinishedName() = default;
  UnfinishedName(UnfinishedName&& other) noexcept : text_(std::exchange(other.text_, {})) {}
  UnfinishedName& operator=(UnfinishedName&& other) noexcept;
  ~UnfinishedName() { clear(); }

  // Draw comes before anything gets the name. It fails like CheckStop: whoever was told by RequestStop that there is
  // nothing to wait for is right.
  [[nodiscard]] Status Draw(const std::string& path);
  // clear comes after nothing has the name any more.
  void clear() noexcept;
  [[nodiscard]] bool empty() const { return text_.empty(); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace safemodel
