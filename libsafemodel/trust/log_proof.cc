// SPDX-License-Identifier: Apache-2.0
#include "trust/log_proof.h"

#include <functional>
#include <optional>
#include <string_view>

#include "base/try.h"
#include "crypto/hash.h"
#include "log/entry.h"
#include "log/proof.h"
#include "trust/candidate.h"

namespace safemodel::trust {
namespace {

using CheckTree = std::function<Status(const log::SignedCheckpoint&)>;

// Distance orders failures: the nearer a proof came, the more it explains.
int Distance(const Error& error) {
  const std::string_view code = error.code;
  if (error.stage != Stage::kUntrusted) return 2;
  return code == "other_entry" ? 3 : 1;
}

Result<LoggedStatement> CheckProof(ByteView item, const SignedStatement& statement, const CheckTree& check_tree,
                                   const Limits& limits) {
  SAFEMODEL_ASSIGN(const log::Proof proof, log::ParseProof(item, limits));
  LoggedStatement logged;
  if (!proof.extra.has_value()) {
    return Error{Stage::kMalformed, "bad_proof", "a log proof has no entry in its extra data"};
  }
  SAFEMODEL_ASSIGN(logged.entry, log::ParseEntry(*proof.extra, limits));
  if (!IsAbout(logged.entry, statement.payload, statement.statement, statement.signer.KeyId())) {
    return Error{Stage::kUntrusted, "other_entry", "a log proof is about another statement"};
  }
  SAFEMODEL_TRY(check_tree(proof.checkpoint));
  SAFEMODEL_TRY([&]() -> Status {
    const auto proven = log::ProvenEntry(proof, limits);
    return proven.ok() ? Status() : Status(proven.error());
  }());
  logged.index = proof.index;
  logged.checkpoint = proof.checkpoint.state;
  return logged;
}

Result<LoggedStatement> Search(std::span<const container::EnvelopeItem> items, const SignedStatement& statement,
                               const CheckTree& check_tree, const Limits& limits) {
  std::optional<LoggedStatement> best;
  std::optional<Error> nearest;
  for (const container::EnvelopeItem& item : items) {
    if (!IsLogProof(item)) continue;
    auto logged = CheckProof(item.bytes, statement, check_tree, limits);
    if (!logged.ok()) {
      if (!nearest.has_value() || Distance(logged.error()) < Distance(*nearest)) nearest = logged.error();
    } else if (!best.has_value() || logged.value().checkpoint.size > best->checkpoint.size) {
      best = std::move(logged).value();
    }
  }
  if (best.has_value()) return *best;
  if (nearest.has_value()) return *nearest;
  return Error{Stage::kUntrusted, "not_logged", "the envelope has no log proof for a statement"};
}

}  // namespace

LogEntry EntryOf(ByteView payload, const Statement& statement, const std::string& key_id) {
  LogEntry entry;
  entry.role = statement.role.value_or("");
  entry.key_id = key_id;
  entry.model = statement.model;
  entry.version = statement.version;
  entry.sequence = statement.sequence;
  entry.manifest_digest = statement.manifest_digest;
  entry.statement_digest = crypto::Sha256Of(payload);
  return entry;
}

bool IsAbout(const LogEntry& entry, ByteView payload, const Statement& statement, const std::string& key_id) {
  LogEntry expected = EntryOf(payload, statement, key_id);
  expected.ci_identity = entry.ci_identity;
  expected.time = entry.time;
  return entry == expected;
}

Result<LoggedStatement> IsLogged(std::span<const container::EnvelopeItem> items, const SignedStatement& statement,
                                 const LogTrust& trust, const Limits& limits) {
  return Search(
      items, statement,
      [&trust](const log::SignedCheckpoint& checkpoint) { return log::CheckCheckpoint(checkpoint, trust); }, limits);
}

Result<LoggedStatement> IsLoggedBefore(std::span<const container::EnvelopeItem> items, const SignedStatement& statement,
                                       const LogCheckpoint& checkpoint, const Limits& limits) {
  const auto check_tree = [&checkpoint](const log::SignedCheckpoint& found) -> Status {
    if (found.state == checkpoint) return {};
    return Error{Stage::kUntrusted, "not_logged_before",
                 "the log proofs of a statement are not in the tree of the named checkpoint", kNoOffset,
                 found.state.origin};
  };
  return Search(items, statement, check_tree, limits);
}

}  // namespace safemodel::trust
