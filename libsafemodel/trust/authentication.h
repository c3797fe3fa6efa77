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
#include "trust/release.h"
#include "trust/statement.h"

namespace safemodel::trust {

// AuthenticationTrace is filled as far as authentication came, also when it fails: for people and logs, never for
// decisions.
struct AuthenticationTrace {
  std::vector<SignatureReport> signatures;
  std::optional<container::Manifest> manifest;  // once one trusted key had verified a statement about it
  std::string rule;                             // glob of the rule that decided
  std::vector<std::string> missing_roles;
};

// Candidate is one statement item on its way through the checks. It is out as soon as it has a refusal.
struct Candidate {
  SignatureReport report;
  std::optional<Error> refusal;
  std::size_t key = 0;  // among the policy's keys; meaningful once the signature verified
  std::optional<Statement> statement;

  [[nodiscard]] bool alive() const { return !refusal.has_value(); }
  void Refuse(Error error) { refusal = std::move(error); }
};

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
  // Decide compares the verified statements with the release, and evaluates expectation and policy. Returns the rule
  // that decided.
  Result<Rule> Decide(const Release& release, const Expectation& expectation, AuthenticationTrace& seen);
  // Refusal is the answer when the policy is not satisfied: the worst word among the items.
  [[nodiscard]] Error Refusal(const std::vector<std::string>& missing_roles) const;
  // Reports tells the fate of each item so far.
  [[nodiscard]] std::vector<SignatureReport> Reports() const;

 private:
  void CheckStatements(const Release& release);
  // Evaluate decides which statements count and returns the roles that the rule still misses.
  std::vector<std::string> Evaluate(const Rule& rule);

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
