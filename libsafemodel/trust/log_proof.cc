// SPDX-License-Identifier: Apache-2.0
#include "trust/log_proof.h"

#include <algorithm>
#include <string_view>

#include "crypto/hash.h"
#include "log/entry.h"
#include "trust/candidate.h"

namespace safemodel::trust {
namespace {

// Keep keeps one of two errors, always the same: which proof stands first must not change the answer.
void Keep(std::optional<Error>& kept, const Error& error) {
  if (!kept.has_value() || std::string_view(error.code) < kept->code) kept = error;
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

bool IsAbout(const LogEntry& entry, const LogEntry& expected) {
  LogEntry timeless = entry;
  timeless.ci_identity = expected.ci_identity;
  timeless.time = expected.time;
  return timeless == expected;
}

Error NoLogProof() {
  return {Stage::kUntrusted, "not_logged", "the envelope has no log proof for a signature; log add stores one"};
}

void LogProofs::ReadAll() {
  if (done_) return;
  done_ = true;
  for (const container::EnvelopeItem& item : items_) {
    if (!IsLogProof(item)) continue;
    auto proof = log::ParseProof(item.bytes, limits_);
    if (!proof.ok()) {
      Keep(unreadable_, proof.error());
      continue;
    }
    const auto entry = log::EntryIn(proof.value(), limits_);
    if (!entry.ok()) {
      Keep(unreadable_, entry.error());
      continue;
    }
    Status inclusion = log::CheckInclusion(proof.value());
    reads_.push_back({std::move(proof).value(), entry.value(), std::move(inclusion), std::nullopt});
  }
}

Result<LoggedStatement> LogProofs::Search(const LogEntry& expected, const std::function<Status(Read&)>& check_tree) {
  ReadAll();
  const Read* best = nullptr;
  std::optional<Error> failure;
  for (Read& read : reads_) {
    if (!IsAbout(read.entry, expected)) continue;
    const Status tree = check_tree(read);
    if (!tree.ok() || !read.inclusion.ok()) {
      Keep(failure, tree.ok() ? read.inclusion.error() : tree.error());
    } else if (best == nullptr || read.proof.checkpoint.state.size > best->proof.checkpoint.state.size) {
      best = &read;
    }
  }
  if (best != nullptr) return LoggedStatement{best->entry, best->proof.index, best->proof.checkpoint.state};
  if (failure.has_value()) return *failure;
  if (unreadable_.has_value()) return *unreadable_;
  if (!reads_.empty()) return Error{Stage::kUntrusted, "other_entry", "a log proof is about another statement"};
  return NoLogProof();
}

Result<LoggedStatement> LogProofs::Logged(const LogEntry& expected) {
  return Search(expected, [this](Read& read) {
    if (!read.counts.has_value()) read.counts = log::CheckCheckpoint(read.proof.checkpoint, trust_);
    return *read.counts;
  });
}

Result<LoggedStatement> LogProofs::LoggedBefore(const LogEntry& expected, std::span<const LogCheckpoint> trees) {
  return Search(expected, [trees](const Read& read) -> Status {
    const LogCheckpoint& state = read.proof.checkpoint.state;
    if (std::find(trees.begin(), trees.end(), state) != trees.end()) return {};
    return Error{Stage::kUntrusted, "not_logged_before",
                 "the log proofs of a statement are not in the tree of the named checkpoint", kNoOffset, state.origin};
  });
}

}  // namespace safemodel::trust
