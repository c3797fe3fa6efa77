// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/source.h"

namespace safemodel::pickle {

// JoinedSource is several sources one after the other, so that one graph can hold the pickles of several files or
// members. Not to be added to once other threads read it.
class JoinedSource final : public ByteSource {
 public:
  // Add appends a source and returns where it starts. A pickle that was told its end does not see what is added.
  std::uint64_t Add(SharedSource source);
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] bool sequential() const override;
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override;

 private:
  struct Part {
    std::uint64_t begin;
    SharedSource source;
  };
  std::vector<Part> parts_;
  std::uint64_t size_ = 0;
};

}  // namespace safemodel::pickle
