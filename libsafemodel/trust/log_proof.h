// SPDX-License-Identifier: Apache-2.0
// Whether a statement is in a log, decided from the log proofs of its envelope alone. Spec: section 14.4.
//
// A statement that has verified under a key is *logged* when one of the proofs has all of these:
//   - its checkpoint is of a trusted log and signed by that log's key; enough witnesses have cosigned it;
//   - its hashes lead from its entry, at its index, to that checkpoint's root;
//   - its entry is about this very statement: the digest of the payload, the manifest's digest, role, model, version
//     and sequence of the statement, and the id of the key that verified it. A proof of another leaf, or of this leaf
//     under another statement, is worth nothing, however good it is.
//
// "Revoked, except before a checkpoint" (`except_before = {origin, size, root}`) is LoggedBefore with that checkpoint:
// the proof must be in exactly that tree. A size alone would prove nothing, since a log can have two trees of one size,
// and a proof in a later tree does not say that the entry stood in the earlier one. A signer who expects a key to be
// revoked stores such proofs with `log prove --checkpoint FILE --store`, as long as there is the log.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <safemodel/log.h>

#include "container/format.h"
#include "log/proof.h"
#include "trust/statement.h"

namespace safemodel::trust {

// EntryOf returns the entry that a log is to have about a statement; its time and the job that made it, which are the
// log's own words, are left out. IsAbout compares an entry with that in everything else, [L-BOUND].
LogEntry EntryOf(ByteView payload, const Statement& statement, const std::string& key_id);
[[nodiscard]] bool IsAbout(const LogEntry& entry, const LogEntry& expected);

// NoLogProof is the error (kUntrusted "not_logged") of a statement that no proof is about.
Error NoLogProof();

// LogProofs is the log proofs of one envelope. A proof is read, and the signatures of its checkpoint are checked, at
// most once, for however many statements: copies of both cost nothing to whoever makes an envelope.
class LogProofs {
 public:
  // Items are borrowed; those of other kinds are skipped. `trust` says whose checkpoints count for Logged.
  LogProofs(std::span<const container::EnvelopeItem> items, LogTrust trust, const Limits& limits)
      : items_(items), trust_(std::move(trust)), limits_(limits) {}

  // Logged returns where the statement that `expected` is the entry of is logged; with several good proofs, the one in
  // the largest tree. Otherwise the error of a proof about it, else the one why a proof cannot be read, else kUntrusted
  // "other_entry" or "not_logged".
  Result<LoggedStatement> Logged(const LogEntry& expected);

  // LoggedBefore is the same for given trees: proofs count whose checkpoint has exactly the origin, size and root of
  // one of them. The caller vouches for those, so no signature is asked for. kUntrusted "not_logged_before" when there
  // are proofs for this statement, but none in such a tree.
  Result<LoggedStatement> LoggedBefore(const LogEntry& expected, std::span<const LogCheckpoint> trees);

 private:
  // Read is a proof that could be read.
  struct Read {
    log::Proof proof;
    LogEntry entry;
    Status inclusion;
    std::optional<Status> counts;  // its checkpoint, once asked
  };
  void ReadAll();
  Result<LoggedStatement> Search(const LogEntry& expected, const std::function<Status(Read&)>& check_tree);

  std::span<const container::EnvelopeItem> items_;
  LogTrust trust_;
  const Limits& limits_;
  bool done_ = false;  // with reading
  std::vector<Read> reads_;
  std::optional<Error> unreadable_;
};

}  // namespace safemodel::trust
