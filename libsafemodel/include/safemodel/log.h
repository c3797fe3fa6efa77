// SPDX-License-Identifier: Apache-2.0
// The audit log: an append-only transparency log that is a directory of files (C2SP tlog-tiles), without any server.
// Spec: section 14.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <safemodel/keys.h>
#include <safemodel/limits.h>
#include <safemodel/log_trust.h>
#include <safemodel/result.h>
#include <safemodel/sign.h>

namespace safemodel {

// LogEntry is what a log says about one statement. Texts are raw: whoever shows them escapes them.
struct LogEntry {
  std::string role;
  std::string key_id;  // of the key that signed the statement, PublicKey::KeyId
  std::string model;
  std::string version;
  std::uint64_t sequence = 0;
  Digest manifest_digest{};   // SHA-256 of the manifest
  Digest statement_digest{};  // SHA-256 of the statement's payload
  std::string ci_identity;    // what job signed, in its own words; empty when nobody said
  std::int64_t time = 0;      // when it was logged, Unix seconds: the log's own word
  bool operator==(const LogEntry&) const = default;
};

// ParseCheckpoint reads the three lines of a checkpoint (and no more of the note than them); nothing is verified.
// kMalformed, kLimit.
Result<LogCheckpoint> ParseCheckpoint(ByteView note, const Limits& limits = {});
// VerifierKey returns a public key as note tools write it: NAME+HASH+BASE64 (C2SP signed-note, "vkey").
std::string VerifierKey(const std::string& name, const PublicKey& key);

// LogOwner is who writes a log: its directory and its own key, which signs checkpoints and nothing else.
struct LogOwner {
  std::string folder;
  const Signer* key = nullptr;            // borrowed: it has to outlive the owner; kUsage "no_log_key" without one
  std::string ci_identity = {};           // for the entries that are added
  std::optional<std::int64_t> time = {};  // Unix seconds; now when absent
};

// InitLog makes a new, empty log. The folder may exist if it is empty. kUsage "exists", "bad_origin"; kIo.
Result<LogCheckpoint> InitLog(const std::string& folder, const std::string& origin, const Signer& key);

// LoggedStatement is where a log has a statement.
struct LoggedStatement {
  LogEntry entry;
  std::uint64_t index = 0;
  LogCheckpoint checkpoint;
};

struct LogAddReport {
  std::vector<LoggedStatement> added;
  std::size_t already = 0;  // statements of the container that the log had; their proofs are in the envelope now too
  LogCheckpoint checkpoint;
  std::string envelope_path;
};

// AddToLog adds an entry for each release statement of a container that the log has not, and stores the proofs in the
// container's envelope. With `signers`, only statements that one of them verifies are added, and a container without
// one is refused (kUntrusted "no_signature"); without, the entry repeats the key id that stands beside the statement,
// which no verifier believes unless it is that of the key that really signed.
Result<LogAddReport> AddToLog(const std::string& path, const LogOwner& owner, const std::vector<PublicKey>& signers,
                              const Limits& limits = {});

struct SignAndLogReport {
  SignReport signature;
  LoggedStatement logged;
};

// SignAndLog is Sign, with an entry in a log and its proof in the same new envelope. The log comes first: when writing
// the envelope fails, the log has an entry more, for a statement that nobody has.
Result<SignAndLogReport> SignAndLog(const std::string& path, const Signer& key, const SignOptions& options,
                                    const LogOwner& owner);

// LogVisitor is called for each entry, in order, as it is read: what it saw is worth something only if the whole log
// then holds. It must not throw; see progress.h.
using LogVisitor = std::function<void(std::uint64_t index, const LogEntry& entry)>;

// VerifyLog recomputes a log: the checkpoint's signatures, each entry, each tile, the root; and, with `remembered` (an
// earlier checkpoint of the same log, as a note), that the log only grew since. `trust.logs` must hold the log's key.
// kDigestMismatch names the entry in its subject; kUntrusted "log_fork", "log_signature", "unknown_log"; kMalformed.
Result<LogCheckpoint> VerifyLog(const std::string& folder, const LogTrust& trust,
                                const std::optional<ByteBuffer>& remembered = {}, const LogVisitor& visit = {},
                                const Limits& limits = {});

// LogFinding is something in a log that somebody should look at. Codes: "unknown_key" (an entry by a key that is not
// among the known ones), "sequence_regression" (a lower sequence than an earlier entry of the model has),
// "equivocation" (two manifests of one model and sequence).
struct LogFinding {
  std::string code;
  std::uint64_t index = 0;
  LogEntry entry;
  std::optional<std::uint64_t> earlier = {};  // the entry that it contradicts
};

struct LogAudit {
  LogCheckpoint checkpoint;
  std::uint64_t models = 0;
  std::vector<LogFinding> findings;
};

// AuditLog verifies a log and looks for what its owner should know. Without `known` keys none is unknown.
Result<LogAudit> AuditLog(const std::string& folder, const LogTrust& trust, const std::vector<PublicKey>& known,
                          const std::optional<ByteBuffer>& remembered = {}, const Limits& limits = {});

// ProveEntry returns the proof (C2SP tlog-proof) that an entry is in the log; in the state of `at` (an earlier
// checkpoint of the log, as a note) or in its present one. kUsage "no_such_entry"; kDigestMismatch.
Result<ByteBuffer> ProveEntry(const std::string& folder, std::uint64_t index, const LogTrust& trust,
                              const std::optional<ByteBuffer>& at = {}, const Limits& limits = {});
// ProveContainer returns the proofs of all statements of a container that the log has. kUntrusted "not_logged" when
// there are none. With `store`, they go into the container's envelope in addition, and need no log afterwards.
enum class StoreProofs : std::uint8_t { kNo, kYes };
Result<std::vector<ByteBuffer>> ProveContainer(const std::string& folder, const std::string& path,
                                               const LogTrust& trust, const std::optional<ByteBuffer>& at,
                                               StoreProofs store, const Limits& limits = {});

// ConsistencyProof shows that the log in the state `after` continues the one in the state `before`.
struct ConsistencyProof {
  LogCheckpoint before;
  LogCheckpoint after;
  std::vector<Digest> hashes;
};
Result<ConsistencyProof> ProveConsistency(const std::string& folder, const LogTrust& trust, ByteView before,
                                          const Limits& limits = {});
// CheckConsistency verifies the hashes. kUntrusted "log_fork".
Status CheckConsistency(const ConsistencyProof& proof);

// CheckLogged reads the log proofs in a container's envelope and returns where each statement by one of the `signers`
// is logged, without the log. `before`: only proofs in the tree of exactly this checkpoint count (origin, size and
// root), signed or not, because the caller vouches for it. kUntrusted when no statement is logged.
Result<std::vector<LoggedStatement>> CheckLogged(const std::string& path, const std::vector<PublicKey>& signers,
                                                 const LogTrust& trust, const std::optional<LogCheckpoint>& before = {},
                                                 const Limits& limits = {});

}  // namespace safemodel
