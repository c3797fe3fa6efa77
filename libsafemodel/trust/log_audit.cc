// SPDX-License-Identifier: Apache-2.0
// The public functions that read a log's folder.
#include <safemodel/log.h>

#include <algorithm>
#include <map>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "log/log_reader.h"
#include "log/log_writer.h"

namespace safemodel {
namespace {

// CheckGrew verifies that the log continues the remembered checkpoint (spec 14.5).
Status CheckGrew(log::LogReader& reader, ByteView remembered, const LogTrust& trust, const Limits& limits) {
  SAFEMODEL_ASSIGN(const log::SignedCheckpoint old, log::ParseSignedCheckpoint(remembered, limits));
  SAFEMODEL_TRY(log::CheckCheckpoint(old, trust));
  const LogCheckpoint& now = reader.state();
  ConsistencyProof proof = {old.state, now, {}};
  if (old.state.origin == now.origin && old.state.size <= now.size) {
    SAFEMODEL_ASSIGN(proof.hashes, log::ConsistencyProof(old.state.size, now.size, reader.Perfect()));
  }
  return CheckConsistency(proof);
}

Result<log::LogReader> OpenTrusted(const std::string& folder, const LogTrust& trust, const Limits& limits) {
  SAFEMODEL_ASSIGN(log::LogReader reader, log::LogReader::Open(folder, limits));
  SAFEMODEL_TRY(log::CheckCheckpoint(reader.checkpoint(), trust));
  return reader;
}

// Auditor remembers what the entries before said of each model.
class Auditor {
 public:
  Auditor(const std::vector<PublicKey>& known, LogAudit& audit) : audit_(audit) {
    for (const PublicKey& key : known) known_.push_back(key.KeyId());
  }

  void Visit(std::uint64_t index, const LogEntry& entry) {
    if (!known_.empty() && std::find(known_.begin(), known_.end(), entry.key_id) == known_.end()) {
      audit_.findings.push_back({"unknown_key", index, entry});
    }
    const auto [release, first] =
        releases_.try_emplace({entry.model, entry.sequence}, Seen{index, entry.manifest_digest});
    if (!first && release->second.manifest != entry.manifest_digest) {
      audit_.findings.push_back({"equivocation", index, entry, release->second.index});
    }
    const auto [newest, fresh] = newest_.try_emplace(entry.model, Newest{index, entry.sequence});
    if (fresh) return;
    if (entry.sequence >= newest->second.sequence) {
      newest->second = {index, entry.sequence};
    } else if (first) {  // a further signature of an older release is no regression
      audit_.findings.push_back({"sequence_regression", index, entry, newest->second.index});
    }
  }
  [[nodiscard]] std::size_t models() const { return newest_.size(); }

 private:
  struct Seen {
    std::uint64_t index;
    Digest manifest;
  };
  struct Newest {
    std::uint64_t index;
    std::uint64_t sequence;
  };
  LogAudit& audit_;
  std::vector<std::string> known_;
  std::map<std::pair<std::string, std::uint64_t>, Seen> releases_;
  std::map<std::string, Newest> newest_;
};

}  // namespace

Result<LogCheckpoint> InitLog(const std::string& folder, const std::string& origin, const Signer& key) {
  return CatchOutOfMemory([&]() -> Result<LogCheckpoint> { return log::LogWriter::Init(folder, origin, key); });
}

Result<LogCheckpoint> VerifyLog(const std::string& folder, const LogTrust& trust,
                                const std::optional<ByteBuffer>& remembered, const LogVisitor& visit,
                                const Limits& limits) {
  return CatchOutOfMemory([&]() -> Result<LogCheckpoint> {
    SAFEMODEL_ASSIGN(log::LogReader reader, OpenTrusted(folder, trust, limits));
    SAFEMODEL_TRY(reader.CheckAll(visit));
    if (remembered.has_value()) SAFEMODEL_TRY(CheckGrew(reader, *remembered, trust, limits));
    return reader.state();
  });
}

Result<LogAudit> AuditLog(const std::string& folder, const LogTrust& trust, const std::vector<PublicKey>& known,
                          const std::optional<ByteBuffer>& remembered, const Limits& limits) {
  return CatchOutOfMemory([&]() -> Result<LogAudit> {
    LogAudit audit;
    Auditor auditor(known, audit);
    SAFEMODEL_ASSIGN(audit.checkpoint,
                     VerifyLog(
                         folder, trust, remembered,
                         [&](std::uint64_t index, const LogEntry& entry) { auditor.Visit(index, entry); }, limits));
    audit.models = auditor.models();
    return audit;
  });
}

Result<ByteBuffer> ProveEntry(const std::string& folder, std::uint64_t index, const LogTrust& trust,
                              const std::optional<ByteBuffer>& at, const Limits& limits) {
  return CatchOutOfMemory([&]() -> Result<ByteBuffer> {
    SAFEMODEL_ASSIGN(log::LogReader reader, OpenTrusted(folder, trust, limits));
    if (at.has_value()) {
      SAFEMODEL_TRY(CheckGrew(reader, *at, trust, limits));
      SAFEMODEL_ASSIGN(const log::SignedCheckpoint checkpoint, log::ParseSignedCheckpoint(*at, limits));
      reader.LookAt(checkpoint, *at);
    }
    return reader.ProofOf(index);
  });
}

Result<ConsistencyProof> ProveConsistency(const std::string& folder, const LogTrust& trust, ByteView before,
                                          const Limits& limits) {
  return CatchOutOfMemory([&]() -> Result<ConsistencyProof> {
    SAFEMODEL_ASSIGN(log::LogReader reader, OpenTrusted(folder, trust, limits));
    SAFEMODEL_TRY(CheckGrew(reader, before, trust, limits));
    ConsistencyProof proof;
    SAFEMODEL_ASSIGN(proof.before, ParseCheckpoint(before, limits));
    proof.after = reader.state();
    SAFEMODEL_ASSIGN(proof.hashes, log::ConsistencyProof(proof.before.size, proof.after.size, reader.Perfect()));
    return proof;
  });
}

Status CheckConsistency(const ConsistencyProof& proof) {
  const LogCheckpoint& before = proof.before;
  const LogCheckpoint& after = proof.after;
  if (before.origin == after.origin &&
      log::HoldsConsistency(before.size, after.size, before.root, after.root, proof.hashes)) {
    return {};
  }
  return Error{Stage::kUntrusted, "log_fork",
               "the log does not continue the earlier checkpoint: entries before it were changed or removed", kNoOffset,
               after.origin + " at size " + std::to_string(before.size)};
}

}  // namespace safemodel
