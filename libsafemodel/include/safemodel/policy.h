// SPDX-License-Identifier: Apache-2.0
// Policy: whose signatures make which model acceptable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <safemodel/keys.h>
#include <safemodel/result.h>

namespace safemodel {

// TrustedKey is a key of a policy with the roles it may sign in. `not_before` and `not_after` (Unix seconds) bound the
// time of verification, and issued-at must lie inside too.
struct TrustedKey {
  PublicKey key;
  std::vector<std::string> roles;
  std::optional<std::int64_t> not_before = {};
  std::optional<std::int64_t> not_after = {};
};

// RoleThreshold asks for `count` distinct public keys that signed in `role`.
struct RoleThreshold {
  std::string role;
  std::uint32_t count = 1;
};

// Rule applies to the model names that match `models`, where `*` stands for any letters but `/`, and `**` for any.
// A key counts for one role in a verdict unless `roles_may_overlap`.
struct Rule {
  std::string models;
  std::vector<RoleThreshold> required;
  enum class Overlap : std::uint8_t { kForbidden, kAllowed };
  Overlap roles_may_overlap = Overlap::kForbidden;
  std::optional<std::uint64_t> minimum_sequence = {};
  enum class Mapping : std::uint8_t { kAllowed, kForbidden };
  Mapping memory_mapping = Mapping::kAllowed;  // zero-copy views of the file, see VerifiedModel::View
};

// Policy says which signatures are enough. The first rule whose glob matches the model's name decides; a model that no
// rule matches is untrusted. Immutable after Create; safe to share between threads.
class Policy {
 public:
  // Create refuses (kConfig) what can never be satisfied or is ambiguous: no keys or rules, a key twice, an empty role,
  // threshold 0 or above the number of keys that hold the role, a rule behind a catch-all, a last rule that is not `**`
  // unless it is the only one.
  static Result<Policy> Create(std::vector<TrustedKey> keys, std::vector<Rule> rules);
  // AnyOf is the policy of explicit keys: one signature in role `builder` by any of them, for every model.
  static Result<Policy> AnyOf(std::vector<PublicKey> keys);

  [[nodiscard]] const std::vector<TrustedKey>& keys() const { return keys_; }
  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }

 private:
  Policy() = default;
  std::vector<TrustedKey> keys_;
  std::vector<Rule> rules_;
};

// Expectation says which model the caller wants: otherwise another validly signed model under the same file name would
// pass.
class Expectation {
 public:
  // Model expects this name and, if given, this version.
  static Expectation Model(std::string name, std::optional<std::string> version = std::nullopt);
  // Any accepts every name that the policy accepts. Say so only when the name is checked in another way.
  static Expectation Any();

  [[nodiscard]] const std::optional<std::string>& name() const { return name_; }
  [[nodiscard]] const std::optional<std::string>& version() const { return version_; }

 private:
  std::optional<std::string> name_;
  std::optional<std::string> version_;
};

// SignatureReport tells the fate of one signature item of an envelope. `code` is stable: "counted", "unknown_key",
// "bad_signature", "wrong_role", "expired", "contradicts_manifest", ... Text fields are raw, unescaped.
struct SignatureReport {
  std::string key_id;  // as stated beside the signature; a hint
  std::string role;    // as signed; empty when it did not parse
  std::string issued_at;
  std::string not_after;
  std::string code;
  Stage stage = Stage::kUntrusted;  // what the item alone would answer; meaningless when it counted
  bool counted = false;
};

}  // namespace safemodel
