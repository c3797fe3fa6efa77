// SPDX-License-Identifier: Apache-2.0
// Whose word about an audit log counts, and how a state of a log is named.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/keys.h>

namespace safemodel {

// LogCheckpoint is the state of a log: this many entries, and the Merkle root over them.
struct LogCheckpoint {
  std::string origin;
  std::uint64_t size = 0;
  Digest root{};
  bool operator==(const LogCheckpoint&) const = default;
};

// LogPlace is where a log has an entry.
struct LogPlace {
  std::string origin;
  std::uint64_t index = 0;
};

// TrustedLog is a log whose checkpoints are believed when this key signed them under the log's origin.
struct TrustedLog {
  std::string origin;
  PublicKey key;
};

// TrustedWitness is somebody who signs checkpoints of logs after checking that they only ever grew (cosignature/v1).
struct TrustedWitness {
  std::string name;
  PublicKey key;
};

// LogTrust says whose checkpoints count. A checkpoint needs cosignatures by `witness_threshold` distinct witness keys.
struct LogTrust {
  std::vector<TrustedLog> logs;
  std::vector<TrustedWitness> witnesses = {};
  std::uint32_t witness_threshold = 0;
};

}  // namespace safemodel
