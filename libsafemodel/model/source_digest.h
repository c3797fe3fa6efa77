// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <safemodel/convert.h>

#include "base/source.h"

namespace safemodel {

struct SourceDigests {
  Digest blake3{};
  std::optional<Digest> sha256;
};

// NamedSource is a file that was read, and what the list of digests calls it.
struct NamedSource {
  std::string name;
  SharedSource source;
};

// SourceDigest hashes the input of a conversion in a thread of its own, beside the conversion. The digest of several
// files is that of the list of theirs, as `b3sum FILE... | b3sum` (or sha256sum) prints it, in the order of their
// names.
class SourceDigest {
 public:
  SourceDigest(std::vector<NamedSource> files, ConvertOptions::SourceSha256 sha256);
  SourceDigest(const SourceDigest&) = delete;
  SourceDigest& operator=(const SourceDigest&) = delete;
  // The destructor waits for the thread, which gives up at once.
  ~SourceDigest();
  // Wait returns the digests. Call it once.
  Result<SourceDigests> Wait();

 private:
  void Run();
  Status Hash();
  Result<SourceDigests> HashOne(const ByteSource& file) const;

  std::vector<NamedSource> files_;
  ConvertOptions::SourceSha256 sha256_;
  std::atomic<bool> cancelled_{false};
  Status status_;
  SourceDigests digests_;
  std::thread thread_;
};

}  // namespace safemodel
