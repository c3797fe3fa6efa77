// SPDX-License-Identifier: Apache-2.0
// The statements of an envelope on their way to a decision, whatever kind of manifest they are about. The order of the
// steps is the spec's, section 11.3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/policy.h>

#include "container/format.h"
#include "trust/candidate.h"
#include "trust/release.h"

namespace safemodel::trust {

// AuthenticationTrace is filled as far as authentication came, also when it fails: for people and logs, never for
// decisions.
struct AuthenticationTrace {
  std::vector<SignatureReport> signatures;
  std::optional<container::Manifest> manifest;  // once one trusted key had verified a statement about it
  std::string rule;                             // glob of the rule that decided
  std::vector<std::string> missing_roles;
  std::vector<std::string> missing_attestations;  // predicate types
  RollbackReport rollback;
};

// Both refuse (kUntrusted "denied_manifest", "denied_content") what the policy denies, however well it is signed. The
// content digest is what the directory states until somebody has computed it.
Status CheckManifestDenials(const Policy& policy, const Digest& manifest_digest);
Status CheckContentDenials(const Policy& policy, const Digest& content_digest);
// CheckEncryption refuses (kUntrusted "not_encrypted", "encrypted") what the rule does not want. It is asked of
// everything that has content: of the members of a set, not of the set.
Status CheckEncryption(const Rule& rule, const Release& release);
// CheckExpectation refuses (kUntrusted "unexpected_model") another model than the caller wants.
Status CheckExpectation(const Expectation& expectation, const Release& release);

// Authentication decides about one manifest. VerifyItems first: nobody parses a manifest before a key of the policy has
// vouched for its bytes; then Decide with what the manifest says.
class Authentication {
 public:
  // All are borrowed and must outlive the object. `now` is in Unix seconds.
  Authentication(const std::optional<container::Envelope>& envelope, const Digest& manifest_digest,
                 const Policy& policy, std::int64_t now, const Limits& limits,
                 ReleaseKind kind = ReleaseKind::kContainer)
      : envelope_(envelope),
        manifest_digest_(manifest_digest),
        policy_(policy),
        now_(now),
        limits_(limits),
        kind_(kind) {}

  // VerifyItems checks every signature over the raw bytes. True when a key of the policy vouches for this manifest.
  bool VerifyItems();
  // Decide compares the verified statements with the release, and evaluates expectation and policy, the state file of
  // the policy too (kConfig when it is unusable). Returns the rule that decided. What is accepted in the end is to be
  // remembered with RememberRelease.
  Result<Rule> Decide(const Release& release, const Expectation& expectation, AuthenticationTrace& seen);
  // Refusal is the answer when the policy is not satisfied: the worst word among the items.
  [[nodiscard]] Error Refusal(const std::vector<std::string>& missing_roles) const;
  // Reports tells the fate of each item so far.
  [[nodiscard]] std::vector<SignatureReport> Reports() const;

 private:
  void CheckStatements(const Release& release);
  // CheckMinimum refuses statements whose signers had checked less than the rule wants of their role.
  void CheckMinimum(const Rule& rule);
  // CheckLogged refuses statements that no log has which the rule asks for.
  void CheckLogged(const Rule& rule);
  // Evaluate decides which statements count and returns the roles that the rule still misses.
  std::vector<std::string> Evaluate(const Rule& rule);
  // MissingAttestations returns the predicate types that the rule still misses.
  std::vector<std::string> MissingAttestations(const Rule& rule);
  // Satisfy asks whether the signatures satisfy the rule.
  Status Satisfy(const Rule& rule, AuthenticationTrace& seen);
  [[nodiscard]] Error Worst(Error refusal) const;

  const std::optional<container::Envelope>& envelope_;
  const Digest& manifest_digest_;
  const Policy& policy_;
  std::int64_t now_;
  const Limits& limits_;
  ReleaseKind kind_;
  std::vector<Candidate> candidates_;
  std::size_t other_items_ = 0;  // of kinds that this version does not read: listed, worth nothing
};

// ListSignatures shows what the statement items of an envelope say, in their order. Nothing is verified: code
// "not_checked", or why the item cannot be read.
std::vector<SignatureReport> ListSignatures(const std::optional<container::Envelope>& envelope, const Limits& limits);

}  // namespace safemodel::trust
