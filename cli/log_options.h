// SPDX-License-Identifier: Apache-2.0
// What the verbs of the audit log share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <safemodel/log.h>

#include "json_writer.h"

namespace CLI {
class App;
}

namespace safemodel::cli {

// LogOptions are --log-key, --origin, --witness, --witnesses and --checkpoint: which log is believed.
class LogOptions {
 public:
  // AddOptions binds the options; `what` says in the help what the checkpoint is for.
  void AddOptions(CLI::App& verb, const std::string& what);
  // Read makes of them what the library takes. Without --origin, the origin is the one that `folder`'s checkpoint
  // states: the key decides. kUsage, kKey, kIo.
  [[nodiscard]] Result<LogTrust> Trust(const std::string& folder) const;
  [[nodiscard]] Result<std::optional<ByteBuffer>> Checkpoint() const;
  [[nodiscard]] bool has_checkpoint() const { return !checkpoint_.empty(); }

 private:
  std::vector<std::string> keys_;
  std::string origin_;
  std::vector<std::string> witnesses_;
  std::uint32_t threshold_ = 0;
  std::string checkpoint_;
};

// CiIdentity returns what the environment says about the job that runs: the workflow of GitHub, or the job of GitLab.
std::string CiIdentity();

void WriteCheckpoint(JsonWriter& json, const LogCheckpoint& checkpoint);
// WriteEntry adds the members of an entry to an open object.
void WriteEntry(JsonWriter& json, std::uint64_t index, const LogEntry& entry);
void PrintEntry(std::uint64_t index, const LogEntry& entry);
void PrintCheckpoint(const LogCheckpoint& checkpoint);

// ReadNote reads a checkpoint file: a short text.
Result<ByteBuffer> ReadNote(const std::string& path);
// ReadKeys reads the public keys of an option.
Result<std::vector<PublicKey>> ReadKeys(const std::vector<std::string>& texts);

}  // namespace safemodel::cli
