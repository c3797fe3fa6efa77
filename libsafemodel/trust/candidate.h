// SPDX-License-Identifier: Apache-2.0
// One statement item on its way through the checks that need no other item. Spec: sections 11.1 to 11.4.
#pragma once

#include <cstdint>
#include <optional>

#include <safemodel/limits.h>
#include <safemodel/policy.h>

#include "container/format.h"
#include "trust/attestation.h"
#include "trust/dsse.h"
#include "trust/log_proof.h"
#include "trust/release.h"
#include "trust/statement.h"

namespace safemodel::trust {

// Clocks of different machines differ by less than this.
inline constexpr std::int64_t kClockSkewSeconds = 300;

// Candidate is a release or an attestation once its signature has verified. It is out as soon as it has a refusal.
struct Candidate {
  SignatureReport report;
  std::optional<Error> refusal;
  std::size_t key = 0;  // among the policy's keys; meaningful once the signature verified
  std::optional<Statement> statement;
  LogEntry entry;  // what a log has to have about the statement
  std::optional<Attestation> attestation;

  [[nodiscard]] bool alive() const { return !refusal.has_value(); }
  // releases says that it may count for a role; attests that it may be what a rule asks for.
  [[nodiscard]] bool releases() const { return alive() && statement.has_value(); }
  [[nodiscard]] bool attests() const { return alive() && attestation.has_value(); }
  void Refuse(Error error) { refusal = std::move(error); }
};

// Subject of a verification: what was signed, and by whose rules it is judged.
struct Examined {
  LogProofs& proofs;  // of the envelope
  const Digest& manifest_digest;
  const Policy& policy;
  const Limits& limits;
  ReleaseKind kind = ReleaseKind::kContainer;
};

// IsStatement tells the items that are statements, of both kinds of keys; IsLogProof those that are about statements;
// IsKeyItem those about who can read the container: key wraps and recipient notes.
[[nodiscard]] bool IsStatement(const container::EnvelopeItem& item);
[[nodiscard]] bool IsLogProof(const container::EnvelopeItem& item);
[[nodiscard]] bool IsKeyItem(const container::EnvelopeItem& item);

// ParseStatementItem reads an item for which IsStatement holds. Nothing is verified. kMalformed, kLimit.
Result<Dsse> ParseStatementItem(const container::EnvelopeItem& item, const Limits& limits);

// VerifyItem takes such an item as far as it goes without the manifest's content: signature over raw bytes, revocation,
// then the statement, then the digest of its subject.
Status VerifyItem(const container::EnvelopeItem& item, const Examined& examined, Candidate& candidate);

// CheckAgainst compares a verified statement with the manifest that it is about, its key, and the clock.
Status CheckAgainst(const Release& release, const Policy& policy, std::int64_t now, const Candidate& candidate);

// Describe fills a report with what a statement says.
void Describe(const Statement& statement, SignatureReport& report);
void Describe(const Attestation& attestation, SignatureReport& report);

}  // namespace safemodel::trust
