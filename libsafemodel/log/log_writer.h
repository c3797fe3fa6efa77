// SPDX-License-Identifier: Apache-2.0
// Appending to a log. Everything that a new checkpoint needs is on disk before the checkpoint is, so a reader, or a
// crash at any moment, finds the old or the new log. What an interrupted writer left behind the checkpoint is written
// over by the next.
#pragma once

#include "log/log_reader.h"

namespace safemodel::log {

// LogWriter holds the log's lock from before the checkpoint is read until it is gone.
class LogWriter {
 public:
  // Init makes the folder, unless it is there and empty, and the checkpoint of the empty log.
  static Result<LogCheckpoint> Init(const std::string& folder, const std::string& origin, const Signer& key);
  // Open waits a while for other writers (then kIo "locked"), and refuses a log that `key` has not signed, or whose
  // last tiles do not lead to the checkpoint's root.
  static Result<LogWriter> Open(const std::string& folder, const Signer& key, const Limits& limits);

  [[nodiscard]] LogReader& reader() { return reader_; }
  // Append adds entries and returns the index of the first. The reader then looks at the new log.
  Result<std::uint64_t> Append(const std::vector<ByteBuffer>& entries, const Signer& key);

 private:
  LogWriter(Descriptor lock, LogReader reader) : lock_(std::move(lock)), reader_(std::move(reader)) {}
  Status WriteBundles(std::vector<ByteBuffer> entries, std::uint64_t first);
  Result<std::vector<Digest>> WriteLevel(unsigned level, const std::vector<Digest>& added);
  void RemovePartial(std::uint64_t old_size) const;

  Descriptor lock_;
  LogReader reader_;
  std::string folder_;
  Limits limits_;
};

}  // namespace safemodel::log
