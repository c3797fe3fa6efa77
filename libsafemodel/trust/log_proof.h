// SPDX-License-Identifier: Apache-2.0
// Whether a statement is in a log, decided from the log proofs of its envelope alone. Spec: section 14.4.
//
// For the policy. A statement that has verified under `signer` is *logged* when one of the proofs has all of these:
//   - its checkpoint is of a trusted log and signed by that log's key; enough witnesses have cosigned it;
//   - its hashes lead from its entry, at its index, to that checkpoint's root;
//   - its entry is about this very statement: the digest of the payload, the manifest's digest, role, model, version
//     and sequence of the statement, and the id of the key that verified it. A proof of another leaf, or of this leaf
//     under another statement, is worth nothing, however good it is.
//
// "Revoked, except before a checkpoint" (`except_before = {origin, size, root}`) is IsLoggedBefore with that
// checkpoint: the proof must be in exactly that tree. A size alone would prove nothing, since a log can have two trees
// of one size, and a proof in a later tree does not say that the entry stood in the earlier one. A signer who expects a
// key to be revoked stores such proofs with `log prove --checkpoint FILE --store`, as long as there is the log.
#pragma once

#include <span>

#include <safemodel/log.h>

#include "container/format.h"
#include "trust/statement.h"

namespace safemodel::trust {

// SignedStatement is a statement whose signature the caller has verified.
struct SignedStatement {
  ByteView payload;  // the bytes that were verified
  const Statement& statement;
  const PublicKey& signer;
};

// IsLogged returns where the statement is logged; with several good proofs, the one in the largest tree. Otherwise the
// error of the proof that came nearest, or kUntrusted "not_logged" when no proof is about this statement. Items of
// other kinds are skipped. Work: one pass over the proofs, and signature checks only for those about this statement.
Result<LoggedStatement> IsLogged(std::span<const container::EnvelopeItem> items, const SignedStatement& statement,
                                 const LogTrust& trust, const Limits& limits);

// IsLoggedBefore is the same for one tree: proofs count whose checkpoint has exactly this origin, size and root. The
// caller vouches for that checkpoint, so no signature on it is asked for. kUntrusted "not_logged_before" when there are
// proofs for this statement, but none in this tree.
Result<LoggedStatement> IsLoggedBefore(std::span<const container::EnvelopeItem> items, const SignedStatement& statement,
                                       const LogCheckpoint& checkpoint, const Limits& limits);

// EntryOf returns the entry that a log is to have about a statement. IsAbout compares an entry with everything that it
// repeats of one, [L-BOUND]; its time and the job that made it are the log's own words.
LogEntry EntryOf(ByteView payload, const Statement& statement, const std::string& key_id);
[[nodiscard]] bool IsAbout(const LogEntry& entry, ByteView payload, const Statement& statement,
                           const std::string& key_id);

}  // namespace safemodel::trust
