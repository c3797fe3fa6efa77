// SPDX-License-Identifier: Apache-2.0
// Changing a policy file in an incident. What stands in it stays as it is, comments too: a table is added at the end,
// the result is read again as a policy, and only then takes the place of the file, at once or not at all.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <safemodel/policy.h>

namespace safemodel {

struct Revocation {
  std::string key;  // the name of a key of the policy, or the text of a public key
  std::vector<LogCheckpoint> except_before = {};
  std::vector<Digest> except_statements = {};
  std::string reason = {};  // for people
};

struct Denial {
  std::optional<Digest> manifest = {};  // SHA-256
  std::optional<Digest> content = {};   // content digest
  std::string reason = {};
};

// RevokeKey adds a [[revoked]] table, Deny a [[denied]] one. Errors: kConfig, when the file is no policy or would be
// none afterwards (a key that is revoked already); kUsage "nothing_denied"; kIo.
Status RevokeKey(const std::string& path, const Revocation& revocation);
Status Deny(const std::string& path, const Denial& denial);

}  // namespace safemodel
