// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include <safemodel/convert.h>

#include "base/file.h"

namespace safemodel {

struct SourceDigests {
  Digest blake3{};
  std::optional<Digest> sha256;
};

// SourceDigest hashes the input of a conversion in a thread of its own, beside the conversion.
class SourceDigest {
 public:
  SourceDigest(std::shared_ptr<const File> file, ConvertOptions::SourceSha256 sha256);
  SourceDigest(const SourceDigest&) = delete;
  SourceDigest& operator=(const SourceDigest&) = delete;
  // The destructor waits for the thread, which gives up at once.
  ~SourceDigest();
  // Wait returns the digests. Call it once.
  Result<SourceDigests> Wait();

 private:
  void Run();
  Status Hash();

  std::shared_ptr<const File> file_;
  ConvertOptions::SourceSha256 sha256_;
  std::atomic<bool> cancelled_{false};
  Status status_;
  SourceDigests digests_;
  std::thread thread_;
};

}  // namespace safemodel
