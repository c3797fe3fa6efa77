// SPDX-License-Identifier: Apache-2.0
// The vectors of spec/vectors: a text header, a blank line, the bytes of the container, those of its
// sidecar, the text of the policy file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/log.h>
#include <safemodel/policy.h>
#include <safemodel/recipients.h>

namespace safemodel::testing {

struct VectorFile {
  std::string name;
  std::string reason;
  std::vector<std::string> at;  // steps that must refuse: "policy", "open", "verify", "load", "content", "logged"; the
                                // last one when accepted
  std::string expect;           // "ok", or the word of a stage
  std::string code;             // empty: any
  std::int64_t now = 0;
  std::optional<std::string> policy;  // the text of a policy file, in place of keys and rules
  std::vector<TrustedKey> keys;
  std::vector<Rule> rules;
  std::string expected_name;
  std::optional<std::string> expected_version;
  Limits limits;
  std::vector<std::string> identities;      // AGE-SECRET-KEY-1…, or "passphrase:" and a text
  LogTrust log;                             // for the step "logged"
  std::optional<LogCheckpoint> before;      // the proof must be in this tree
  std::optional<ConsistencyProof> earlier;  // the proof's checkpoint must continue this state; `after` is not set
  std::string kind = "container";           // or "file", "folder", "set"
  std::string path = "model.bin";           // of a file that is no container
  std::string container;
  std::optional<std::string> sidecar;

  [[nodiscard]] bool accepted() const { return expect == "ok"; }
  // MakeIdentities is what `identities` says, made anew: identities cannot be copied.
  [[nodiscard]] std::vector<Identity> MakeIdentities() const;
};

// VectorNames lists the files of a folder, sorted. Empty when there is no such folder.
std::vector<std::string> VectorNames(const std::string& folder);

// ReadVector parses one file. It throws std::runtime_error with the line that it does not understand: a vector that is
// misread would be a test that cannot fail.
VectorFile ReadVector(const std::string& path);

}  // namespace safemodel::testing
