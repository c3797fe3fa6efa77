// SPDX-License-Identifier: Apache-2.0
// Policy: whose signatures make which model acceptable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/keys.h>
#include <safemodel/log_trust.h>
#include <safemodel/result.h>

namespace safemodel {

// TrustedKey is a key of a policy with the roles it may sign in. `not_before` and `not_after` (Unix seconds) bound the
// time of verification, and issued-at must lie inside too.
struct TrustedKey {
  PublicKey key;
  std::vector<std::string> roles;
  std::optional<std::int64_t> not_before = {};
  std::optional<std::int64_t> not_after = {};
  std::string name = {};                  // for people; empty or unique in the policy
  std::vector<std::string> attests = {};  // predicate types of the attestations that it may make
};

// Checked is what a signer's tool had checked of the container before it signed, by the signer's own word.
enum class Checked : std::uint8_t { kNone, kManifest, kStored, kFull };

// RoleThreshold asks for `count` distinct public keys that signed in `role`, each of which had checked that much.
struct RoleThreshold {
  std::string role;
  std::uint32_t count = 1;
  Checked minimum = Checked::kNone;
};

// RequiredAttestation asks for an attestation of this predicate type by a key that may make it. With a maximum age, it
// must state a time, and the time must not be longer ago.
struct RequiredAttestation {
  std::string predicate_type;
  std::optional<std::int64_t> maximum_age = {};  // seconds
};

// RequiredLog asks that a signature counts only when its envelope proves that a log of the policy has it, with as many
// witnesses as the policy wants.
struct RequiredLog {
  std::string origin = {};  // of the one log that will do; empty: any log of the policy
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
  std::vector<RequiredAttestation> attestations = {};
  enum class Encryption : std::uint8_t { kAny, kRequired, kForbidden };
  Encryption encryption = Encryption::kAny;
  enum class Expected : std::uint8_t { kOptional, kDemanded };
  Expected expectation = Expected::kOptional;  // whether the caller has to say which model it wants
  // kWarn and kOff are for loading alone, and only for code that also has an InsecurePolicyMode: Verify always answers
  // as in kStrict. They let pass all that would be kBadSignature or kUntrusted: signatures that are missing, bad, of
  // unknown or revoked keys, or out of their time; what the rule asks for; and what the rollback state refuses, such as
  // an older release. Never denied manifests or contents, another model than the expected one, or any other stage.
  enum class Mode : std::uint8_t { kStrict, kWarn, kOff };
  Mode mode = Mode::kStrict;
  std::optional<RequiredLog> logged = {};
};

// RevokedKey voids all signatures of a key, whatever times they state, but those that a log had before one of the
// checkpoints, and the statements whose payloads have one of the SHA-256 digests.
struct RevokedKey {
  PublicKey key;
  std::vector<LogCheckpoint> except_before = {};
  std::vector<Digest> except_statements = {};
};

// PolicyParts is all that a policy says.
struct PolicyParts {
  std::vector<TrustedKey> keys = {};
  std::vector<Rule> rules = {};
  std::vector<RevokedKey> revoked = {};
  std::vector<Digest> denied_manifests = {};  // SHA-256 of manifests
  std::vector<Digest> denied_contents = {};   // content digests
  std::vector<TrustedLog> logs = {};
  std::vector<TrustedWitness> witnesses = {};
  std::uint32_t witness_threshold = 0;  // distinct witnesses that a checkpoint needs
  std::string state_path = {};          // rollback state file; empty: nothing is remembered
};

// PolicyWarning is about something that a policy may say but hardly means. `code` is stable, `text` a literal.
struct PolicyWarning {
  const char* code = "";
  const char* text = "";
  std::string subject = {};
};

// Policy says which signatures are enough. The first rule whose glob matches the model's name decides; a model that no
// rule matches is untrusted. Immutable after Create; safe to share between threads.
class Policy {
 public:
  // Create refuses (kConfig) what can never be satisfied or is ambiguous: no keys or rules, a key twice, an empty role,
  // threshold 0 or above the number of keys that hold the role, a rule behind a catch-all, a last rule that is not `**`
  // unless it is the only one, mode off for every model.
  static Result<Policy> Create(std::vector<TrustedKey> keys, std::vector<Rule> rules);
  static Result<Policy> Create(PolicyParts parts);
  // AnyOf is the policy of explicit keys: one signature in role `builder` by any of them, for every model.
  static Result<Policy> AnyOf(std::vector<PublicKey> keys);
  // FromToml reads the text of a policy file, see docs/policy.md. A path in it is relative to `folder`. All refusals
  // are kConfig; what is wrong with the text is told with line and column.
  static Result<Policy> FromToml(std::string_view text, const std::string& folder = ".");
  // FromFile reads a policy file. It must be a regular file that only its owner may write to.
  static Result<Policy> FromFile(const std::string& path);

  [[nodiscard]] const std::vector<TrustedKey>& keys() const { return parts_.keys; }
  [[nodiscard]] const std::vector<Rule>& rules() const { return parts_.rules; }
  [[nodiscard]] const PolicyParts& parts() const { return parts_; }
  // CanSign says whether what a key of the policy signs at `now` (Unix seconds) can count: it is not revoked, whatever
  // is excepted of what it signed before, and its time has come and has not passed.
  [[nodiscard]] bool CanSign(const TrustedKey& key, std::int64_t now) const;
  // Warnings looks for rules that others shadow, rules that are not strict, keys whose time has passed at `now` (Unix
  // seconds), and roles that the keys which can sign at that time are too few to fill.
  [[nodiscard]] std::vector<PolicyWarning> Warnings(std::int64_t now) const;

 private:
  Policy() = default;
  PolicyParts parts_;
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
// "bad_signature", "wrong_role", "expired", "contradicts_manifest", ..., and "attests" for an attestation that a rule
// may ask for. Text fields are raw, unescaped.
struct SignatureReport {
  std::string key_id;    // as stated beside the signature; a hint
  std::string key_name;  // the policy's name for the key that verifies it
  std::string role;      // as signed; empty when it did not parse
  std::string issued_at;
  std::string not_after;
  std::string code;
  Stage stage = Stage::kUntrusted;  // what the item alone would answer; meaningless when it counted
  bool counted = false;
  std::string predicate_type;           // of an attestation; empty for a release
  std::optional<LogPlace> logged = {};  // where a log has it, when the rule asked for that
};

// RollbackReport tells what the state file of the policy knows about the model. `code` is stable: "not_remembered" (the
// policy names no state file, or nothing was compared), "first_seen", "newer", "same", or the code of a refusal.
struct RollbackReport {
  std::string code = "not_remembered";
  std::optional<std::uint64_t> highest;  // sequence accepted before
};

}  // namespace safemodel
