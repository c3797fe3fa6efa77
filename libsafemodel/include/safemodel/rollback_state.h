// SPDX-License-Identifier: Apache-2.0
// The rollback state file that a policy may name: the highest release sequence accepted of each model. Only Init makes
// one; nothing else ever resets it. All functions but Read take the lock of a file that is there, and replace it as a
// whole: after a crash it is the old one or the new one. Errors: kConfig, unless stated.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel {

// SeenRelease is the newest release of a model that was accepted.
struct SeenRelease {
  std::uint64_t sequence = 0;
  std::optional<Digest> manifest = {};  // absent after a repair: the next release of this sequence fills it in
  bool operator==(const SeenRelease&) const = default;
};

struct RollbackState {
  std::int64_t newest = 0;  // the latest time at which something was accepted, Unix seconds
  std::map<std::string, SeenRelease> models = {};
  bool operator==(const RollbackState&) const = default;
};

// InitRollbackState makes a file that remembers nothing. kUsage "exists" when there is one, and "bad_time" unless `now`
// (Unix seconds) is between 1970 and 9999. kReplace makes it anew, whatever it says, and forgets what was accepted; it
// must be a file that can be written to, so that it can be locked.
enum class OldState : std::uint8_t { kRefuse, kReplace };
Status InitRollbackState(const std::string& path, std::int64_t now, OldState old = OldState::kRefuse);

// ReadRollbackState returns what is remembered. Codes of this and of what changes a file: "state_missing",
// "state_unusable", "state_malformed", "state_version", "state_large" (too many models, or too long a text, also before
// it is written), "writable_by_others", "locked".
Result<RollbackState> ReadRollbackState(const std::string& path);

// SetHighestSequence repairs a model whose sequence ran ahead: releases from `sequence` on are accepted from now on.
// kUsage "bad_name", "bad_sequence".
Status SetHighestSequence(const std::string& path, const std::string& model, std::uint64_t sequence);

// SetNewestTime repairs a file that was used while the clock was wrong. kUsage "bad_time".
Status SetNewestTime(const std::string& path, std::int64_t time);

}  // namespace safemodel
