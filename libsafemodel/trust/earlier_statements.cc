// SPDX-License-Identifier: Apache-2.0
#include "trust/earlier_statements.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "log/entry.h"
#include "log/proof.h"
#include "trust/attestation.h"
#include "trust/candidate.h"
#include "trust/dsse.h"
#include "trust/log_proof.h"

namespace safemodel::trust {
namespace {

struct Signing {
  ReleaseKind kind;
  const PublicKey& key;
  const SignOptions& options;
};

// Earlier is a statement of the key about the manifest in the same role, and what a log would have about it.
struct Earlier {
  Statement statement;
  LogEntry entry;
};

// PayloadBy returns the payload of an item that is a statement signed by the key.
std::optional<ByteBuffer> PayloadBy(const container::EnvelopeItem& item, const PublicKey& key, const Limits& limits) {
  if (!IsStatement(item)) return std::nullopt;
  auto dsse = ParseStatementItem(item, limits);
  if (!dsse.ok() || dsse.value().payload_type != kPayloadType) return std::nullopt;
  if (!Verifies(dsse.value(), Pae(kPayloadType, dsse.value().payload), key)) return std::nullopt;
  return std::move(dsse.value().payload);
}

// EarlierIn returns what an item holds when that is such a statement.
std::optional<Earlier> EarlierIn(const container::EnvelopeItem& item, const Digest& manifest_digest,
                                 const Signing& signing) {
  const auto payload = PayloadBy(item, signing.key, signing.options.limits);
  if (!payload) return std::nullopt;
  auto statement = ParseStatement(*payload, signing.options.limits, signing.kind);
  if (!statement.ok() || statement.value().manifest_digest != manifest_digest ||
      statement.value().role != signing.options.role)
    return std::nullopt;
  LogEntry entry = EntryOf(*payload, statement.value(), signing.key.KeyId());
  return Earlier{std::move(statement).value(), std::move(entry)};
}

bool EndsLater(const Statement& statement, const SignOptions& options) {
  if (!options.not_after.has_value()) return false;
  return !statement.not_after.has_value() || *statement.not_after > *options.not_after;
}

bool IsProofOf(const container::EnvelopeItem& item, const std::vector<LogEntry>& entries, const Limits& limits) {
  if (!IsLogProof(item)) return false;
  const auto proof = log::ParseProof(item.bytes, limits);
  if (!proof.ok()) return false;
  const auto logged = log::EntryIn(proof.value(), limits);
  return logged.ok() && std::any_of(entries.begin(), entries.end(),
                                    [&](const LogEntry& entry) { return IsAbout(logged.value(), entry); });
}

}  // namespace

EarlierStatements FitEarlier(container::Envelope& envelope, ReleaseKind kind, const PublicKey& key,
                             const SignOptions& options) {
  const Signing signing{kind, key, options};
  EarlierStatements found;
  std::vector<LogEntry> gone;
  std::erase_if(envelope.items, [&](const container::EnvelopeItem& item) {
    const auto earlier = EarlierIn(item, envelope.manifest_digest, signing);
    if (!earlier.has_value()) return false;
    if (options.earlier == SignOptions::Earlier::kReplace) {
      gone.push_back(earlier->entry);
      return true;
    }
    found.outlasts = found.outlasts || EndsLater(earlier->statement, options);
    return false;
  });
  found.replaced = gone.size();
  if (gone.empty()) return found;
  std::erase_if(envelope.items,
                [&](const container::EnvelopeItem& item) { return IsProofOf(item, gone, options.limits); });
  return found;
}

std::size_t TakeOutAttestations(container::Envelope& envelope, const PublicKey& key, std::string_view predicate_type,
                                const Limits& limits) {
  return std::erase_if(envelope.items, [&](const container::EnvelopeItem& item) {
    const auto payload = PayloadBy(item, key, limits);
    if (!payload) return false;
    const auto attestation = ParseAttestation(*payload, limits);
    return attestation.ok() && attestation.value().manifest_digest == envelope.manifest_digest &&
           attestation.value().predicate_type == predicate_type;
  });
}

}  // namespace safemodel::trust
