// SPDX-License-Identifier: Apache-2.0
// The public functions between a log and a container's envelope.
#include <safemodel/log.h>

#include <algorithm>

#include "base/clock.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "container/parse.h"
#include "log/entry.h"
#include "log/log_writer.h"
#include "log/merkle.h"
#include "log/proof.h"
#include "trust/candidate.h"
#include "trust/envelope_writer.h"
#include "trust/log_container.h"
#include "trust/log_proof.h"
#include "trust/sign_core.h"

namespace safemodel {
namespace {

using Release = trust::SignedRelease;

const PublicKey* VerifyingSigner(const trust::Dsse& dsse, const std::vector<PublicKey>& signers) {
  const ByteBuffer message = trust::Pae(dsse.payload_type, dsse.payload);
  const auto found = std::find_if(signers.begin(), signers.end(),
                                  [&](const PublicKey& key) { return trust::Verifies(dsse, message, key); });
  return found == signers.end() ? nullptr : &*found;
}

std::optional<Release> ReadRelease(const container::EnvelopeItem& item, const Digest& manifest_digest,
                                   const std::vector<PublicKey>& signers, const Limits& limits) {
  if (!trust::IsStatement(item)) return std::nullopt;
  auto dsse = trust::ParseStatementItem(item, limits);
  if (!dsse.ok() || dsse.value().payload_type != trust::kPayloadType) return std::nullopt;
  const PublicKey* signer = VerifyingSigner(dsse.value(), signers);
  if (signer == nullptr && !signers.empty()) return std::nullopt;
  const auto statement = trust::ParseStatement(dsse.value().payload, limits);
  if (!statement.ok() || statement.value().manifest_digest != manifest_digest) return std::nullopt;
  Release release{dsse.value().payload, statement.value(), dsse.value().key_id};
  if (signer != nullptr) {
    release.signer = *signer;
    release.key_id = signer->KeyId();
  }
  return release;
}

}  // namespace

Result<std::vector<trust::SignedRelease>> trust::ReadReleases(const trust::OpenedContainer& opened,
                                                              const std::vector<PublicKey>& signers,
                                                              const Limits& limits) {
  std::vector<SignedRelease> releases;
  if (opened.envelope.has_value()) {
    for (const container::EnvelopeItem& item : opened.envelope->items) {
      auto release = ReadRelease(item, opened.manifest_digest, signers, limits);
      if (release.has_value()) releases.push_back(std::move(*release));
    }
  }
  if (!releases.empty()) return releases;
  return Error{Stage::kUntrusted, "no_signature", "the container has no statement by these keys that a log could have"};
}

namespace {

// SaysLittle tells the refusals of statements that no proof is about from those of a proof that does not hold.
bool SaysLittle(const Error& refusal) {
  const std::string_view code = refusal.code;
  return code == "other_entry" || code == "not_logged";
}

container::EnvelopeItem ProofItem(ByteBuffer proof) {
  return {static_cast<std::uint16_t>(container::ItemKind::kLogProof), std::move(proof)};
}

// PutProof adds a proof to an envelope; one of the same entry of the same log, in whatever state, makes room for one in
// the log's present state.
void PutProof(container::Envelope& envelope, ByteBuffer proof, bool replace, const Limits& limits) {
  const auto fresh = log::ParseProof(proof, limits);
  std::erase_if(envelope.items, [&](const container::EnvelopeItem& item) {
    if (!trust::IsLogProof(item)) return false;
    if (item.bytes == proof) return true;
    const auto old = log::ParseProof(item.bytes, limits);
    return replace && fresh.ok() && old.ok() && old.value().extra == fresh.value().extra &&
           old.value().index == fresh.value().index &&
           old.value().checkpoint.state.origin == fresh.value().checkpoint.state.origin;
  });
  envelope.items.push_back(ProofItem(std::move(proof)));
}

Result<ByteBuffer> NewEntry(const Release& release, const LogOwner& owner, const Limits& limits) {
  LogEntry entry = trust::EntryOf(release.payload, release.statement, release.key_id);
  entry.ci_identity = owner.ci_identity;
  entry.time = NowUnless(owner.time);
  return log::SerializeEntry(entry, limits);
}

Result<LoggedStatement> Located(log::LogReader& reader, std::uint64_t index, const Limits& limits) {
  LoggedStatement logged;
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, reader.Entry(index));
  SAFEMODEL_ASSIGN(logged.entry, log::ParseEntry(bytes, limits));
  logged.index = index;
  logged.checkpoint = reader.state();
  return logged;
}

// CheckRoom refuses what would leave the log with entries whose proofs the envelope cannot hold: an entry cannot be
// taken back.
Status CheckRoom(container::Envelope envelope, const std::vector<ByteBuffer>& entries, std::size_t note_bytes,
                 const Limits& limits) {
  constexpr std::size_t kHashLine = 45;  // base64 and LF
  constexpr std::size_t kOtherLines = 256;
  for (const ByteBuffer& entry : entries) {
    const std::size_t extra = entry.size() / 3 * 4 + 4;
    envelope.items.push_back(
        ProofItem(ByteBuffer(extra + log::kMostProofHashes * kHashLine + kOtherLines + note_bytes)));
  }
  const auto frame = trust::FrameBytes(envelope, limits);
  return frame.ok() ? Status() : Status(frame.error());
}

Result<log::LogWriter> OpenWriter(const LogOwner& owner, const Limits& limits) {
  if (owner.key == nullptr) return Error{Stage::kUsage, "no_log_key", "a log is written with its own key; name it"};
  return log::LogWriter::Open(owner.folder, *owner.key, limits);
}

// LogReleases adds the entries that the log has not, and returns where each release stands. Their proofs are to go into
// the envelope.
Result<std::vector<std::uint64_t>> LogReleases(log::LogWriter& writer, const std::vector<Release>& releases,
                                               const container::Envelope& envelope, const LogOwner& owner,
                                               const Limits& limits) {
  std::vector<std::uint64_t> indices;
  std::vector<ByteBuffer> fresh;
  const std::uint64_t size = writer.reader().state().size;
  for (const Release& release : releases) {
    SAFEMODEL_ASSIGN(const ByteBuffer entry, NewEntry(release, owner, limits));
    SAFEMODEL_ASSIGN(const LogEntry read, log::ParseEntry(entry, limits));
    SAFEMODEL_ASSIGN(const auto found, writer.reader().Find(read.statement_digest, read.key_id));
    indices.push_back(found.value_or(size + fresh.size()));
    if (!found.has_value()) fresh.push_back(entry);
  }
  SAFEMODEL_TRY(CheckRoom(envelope, fresh, writer.reader().note().size(), limits));
  SAFEMODEL_ASSIGN(const std::uint64_t first, writer.Append(fresh, *owner.key));
  if (first != size) return Error{Stage::kInternal, "internal", "the log grew under its lock"};
  return indices;
}

}  // namespace

Result<LogAddReport> AddToLog(const std::string& path, const LogOwner& owner, const std::vector<PublicKey>& signers,
                              const Limits& limits) {
  return CatchOutOfMemory([&]() -> Result<LogAddReport> {
    SAFEMODEL_ASSIGN(auto container, trust::EnvelopeWriter::Open(path, Placement::kKeep, limits));
    SAFEMODEL_ASSIGN(const auto releases, ReadReleases(container.container(), signers, limits));
    SAFEMODEL_ASSIGN(container::Envelope envelope,
                     trust::NextEnvelope(container.container().envelope, container.container().manifest_digest));
    SAFEMODEL_ASSIGN(log::LogWriter writer, OpenWriter(owner, limits));
    const std::uint64_t size = writer.reader().state().size;
    SAFEMODEL_ASSIGN(const auto indices, LogReleases(writer, releases, envelope, owner, limits));
    LogAddReport report;
    for (const std::uint64_t index : indices) {
      SAFEMODEL_ASSIGN(ByteBuffer proof, writer.reader().ProofOf(index));
      PutProof(envelope, std::move(proof), true, limits);
      SAFEMODEL_ASSIGN(LoggedStatement logged, Located(writer.reader(), index, limits));
      if (index >= size) {
        report.added.push_back(std::move(logged));
      } else {
        ++report.already;
      }
    }
    report.checkpoint = writer.reader().state();
    SAFEMODEL_ASSIGN(const ByteBuffer frame, trust::FrameBytes(envelope, limits));
    SAFEMODEL_ASSIGN(report.envelope_path, container.Write(frame));
    return report;
  });
}

Result<LoggedStatement> trust::LogLastStatement(container::Envelope& envelope, const PublicKey& signer,
                                                const LogOwner& owner, const Limits& limits) {
  const auto release = ReadRelease(envelope.items.back(), envelope.manifest_digest, {signer}, limits);
  if (!release.has_value()) return Error{Stage::kInternal, "internal", "the new statement cannot be read"};
  SAFEMODEL_ASSIGN(log::LogWriter writer, OpenWriter(owner, limits));
  SAFEMODEL_ASSIGN(const auto indices, LogReleases(writer, {*release}, envelope, owner, limits));
  SAFEMODEL_ASSIGN(ByteBuffer proof, writer.reader().ProofOf(indices.front()));
  PutProof(envelope, std::move(proof), true, limits);
  return Located(writer.reader(), indices.front(), limits);
}

Result<SignAndLogReport> SignAndLog(const std::string& path, const Signer& key, const SignOptions& options,
                                    const LogOwner& owner) {
  return CatchOutOfMemory([&]() -> Result<SignAndLogReport> {
    SignAndLogReport report;
    const auto add = [&](container::Envelope& envelope) -> Status {
      SAFEMODEL_ASSIGN(report.logged, trust::LogLastStatement(envelope, key.public_key(), owner, options.limits));
      return {};
    };
    SAFEMODEL_ASSIGN(report.signature, trust::SignAnd(path, key, options, add));
    return report;
  });
}

Result<std::vector<ByteBuffer>> ProveContainer(const std::string& folder, const std::string& path,
                                               const LogTrust& trust, const std::optional<ByteBuffer>& at,
                                               StoreProofs store, const Limits& limits) {
  return CatchOutOfMemory([&]() -> Result<std::vector<ByteBuffer>> {
    std::optional<trust::EnvelopeWriter> writer;
    if (store == StoreProofs::kYes) {
      SAFEMODEL_ASSIGN(writer, trust::EnvelopeWriter::Open(path, Placement::kKeep, limits));
    }
    auto opened = writer.has_value() ? Result<trust::OpenedContainer>(writer->container())
                                     : trust::OpenContainer(path, {}, limits);
    if (!opened.ok()) return opened.error();
    SAFEMODEL_ASSIGN(const auto releases, trust::ReadReleases(opened.value(), {}, limits));
    SAFEMODEL_ASSIGN(log::LogReader reader, log::LogReader::Open(folder, limits));
    SAFEMODEL_ASSIGN(container::Envelope envelope,
                     trust::NextEnvelope(opened.value().envelope, opened.value().manifest_digest));
    std::vector<ByteBuffer> proofs;
    for (const Release& release : releases) {
      const LogEntry entry = trust::EntryOf(release.payload, release.statement, release.key_id);
      SAFEMODEL_ASSIGN(const auto index, reader.Find(entry.statement_digest, entry.key_id));
      if (!index.has_value()) continue;
      auto proof = ProveEntry(folder, *index, trust, at, limits);
      if (!proof.ok() && std::string_view(proof.error().code) == "no_such_entry") continue;  // logged after `at`
      if (!proof.ok()) return proof.error();
      proofs.push_back(proof.value());
      PutProof(envelope, std::move(proof).value(), !at.has_value(), limits);
    }
    if (proofs.empty()) {
      return Error{Stage::kUntrusted, "not_logged", "the log has none of the container's statements", kNoOffset, path};
    }
    if (writer.has_value()) {
      SAFEMODEL_ASSIGN(const ByteBuffer frame, trust::FrameBytes(envelope, limits));
      SAFEMODEL_ASSIGN(const std::string written, writer->Write(frame));
    }
    return proofs;
  });
}

Result<std::vector<LoggedStatement>> CheckLogged(const std::string& path, const std::vector<PublicKey>& signers,
                                                 const LogTrust& trust, const std::optional<LogCheckpoint>& before,
                                                 const Limits& limits) {
  return CatchOutOfMemory([&]() -> Result<std::vector<LoggedStatement>> {
    if (signers.empty()) return Error{Stage::kUntrusted, "no_policy", "nobody is trusted: name the signers' keys"};
    SAFEMODEL_ASSIGN(const auto opened, trust::OpenContainer(path, {}, limits));
    SAFEMODEL_ASSIGN(const auto releases, trust::ReadReleases(opened, signers, limits));
    std::vector<LoggedStatement> logged;
    std::optional<Error> refusal;
    trust::LogProofs proofs(opened.envelope->items, trust, limits);
    for (const Release& release : releases) {
      const LogEntry entry = trust::EntryOf(release.payload, release.statement, release.key_id);
      auto found = before.has_value() ? proofs.LoggedBefore(entry, {&*before, 1}) : proofs.Logged(entry);
      if (found.ok()) {
        logged.push_back(std::move(found).value());
      } else if (!refusal.has_value() || SaysLittle(*refusal)) {
        refusal = found.error();
      }
    }
    if (logged.empty()) return *refusal;
    return logged;
  });
}

}  // namespace safemodel
