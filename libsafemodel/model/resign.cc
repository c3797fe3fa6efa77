// SPDX-License-Identifier: Apache-2.0
#include <safemodel/resign.h>
#include <safemodel/unverified.h>

#include <algorithm>

#include "base/clock.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"
#include "model/loaded_model.h"
#include "trust/envelope_writer.h"
#include "trust/log_container.h"
#include "trust/log_proof.h"
#include "trust/sign_core.h"

namespace safemodel {
namespace {

Error Untrusted(const char* code, const char* text, std::string subject = {}) {
  return {Stage::kUntrusted, code, text, kNoOffset, std::move(subject)};
}

bool HasEnded(const std::optional<std::int64_t>& not_after, std::int64_t now) {
  return not_after.has_value() && *not_after < now;
}

// Work is one container while its envelope is locked.
struct Work {
  const trust::OpenedContainer& opened;
  const container::Manifest& manifest;
  const PublicKey& new_key;
  const ResignBasis& basis;
  const ResignOptions& options;
};

std::string SubjectOf(const Work& work) { return "manifest " + crypto::Hex(work.opened.manifest_digest); }

Status CheckNewKey(const PublicKey& key, const ResignBasis& basis, const Policy* policy) {
  if (basis.leaked() == key) return Error{Stage::kUsage, "same_key", "the new key is the one that has leaked"};
  if (policy == nullptr) return {};
  const auto& revoked = policy->parts().revoked;
  const bool is_revoked =
      std::any_of(revoked.begin(), revoked.end(), [&](const RevokedKey& entry) { return entry.key == key; });
  if (is_revoked) return Untrusted("revoked_key", "the policy has revoked the key that is to sign", key.KeyId());
  return {};
}

// CheckDeniedContent compares what the directory states, as whoever opens the container does; the directory is read for
// it only where the policy denies contents.
Status CheckDeniedContent(const Work& work) {
  const Policy* policy = work.options.policy;
  if (policy == nullptr || policy->parts().denied_contents.empty()) return {};
  OpenOptions options;
  options.limits = work.options.signature.limits;
  SAFEMODEL_ASSIGN(auto manifest, trust::SkipAuthentication(work.opened, InsecureSkipVerification(), options.limits));
  SAFEMODEL_ASSIGN(const auto loaded, LoadModel(std::move(manifest), options));
  return trust::CheckContentDenials(*policy, loaded->info.content_digest);
}

// EntriesBefore returns the entries about the container that the log had before the checkpoint, the newest first.
Result<std::vector<ResignBasis::Entry>> EntriesBefore(const Work& work) {
  std::vector<ResignBasis::Entry> entries = work.basis.EntriesAbout(work.opened.manifest_digest);
  if (entries.empty())
    return Untrusted("not_logged", "the log has no statement about this container by the key that has leaked",
                     SubjectOf(work));
  std::erase_if(entries, [&](const auto& found) { return found.index >= work.basis.before().size; });
  if (entries.empty()) {
    return Untrusted("logged_after_checkpoint",
                     "the log has this container only after the checkpoint, when somebody else may have had the key",
                     SubjectOf(work));
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.index > b.index; });
  return entries;
}

// OldStatements returns the statements by the leaked key that the log had before the checkpoint: for each role the one
// that was logged last.
Result<std::vector<trust::Statement>> OldStatements(const Work& work) {
  SAFEMODEL_ASSIGN(const auto entries, EntriesBefore(work));
  const auto read = trust::ReadReleases(work.opened, {*work.basis.leaked()}, work.options.signature.limits);
  const auto releases = read.ok() ? read.value() : std::vector<trust::SignedRelease>();
  std::vector<trust::Statement> found;
  for (const ResignBasis::Entry& logged : entries) {
    const auto release = std::find_if(releases.begin(), releases.end(), [&](const trust::SignedRelease& one) {
      return trust::IsAbout(logged.entry, trust::EntryOf(one.payload, one.statement, one.key_id));
    });
    if (release == releases.end()) continue;
    const bool has_newer = std::any_of(found.begin(), found.end(), [&](const trust::Statement& other) {
      return other.role == release->statement.role;
    });
    if (!has_newer) found.push_back(release->statement);
  }
  if (!found.empty()) return found;
  return Untrusted("no_old_statement",
                   "the statement that the log had is not in the envelope any more, so nobody knows what it demanded",
                   SubjectOf(work));
}

Result<SignOptions> OptionsLike(const trust::Statement& old, const Work& work) {
  if (!trust::Matches(old, trust::ReleaseOf(work.manifest))) {
    return Untrusted("contradicts_manifest",
                     "a statement names another model, version, sequence or file id than the manifest");
  }
  SignOptions options = work.options.signature;
  options.role = old.role.value_or("");
  options.requires_roles = old.requires_roles;
  if (!options.not_after.has_value()) options.not_after = old.not_after;
  if (HasEnded(options.not_after, NowUnless(options.issued_at)))
    return Untrusted("expired", "the old signature has ended; if it is to count again, give it a new end",
                     options.role);
  return options;
}

// Plan returns how the container is to be signed, or why it is not.
Result<std::vector<SignOptions>> Plan(const Work& work) {
  std::vector<SignOptions> plan;
  if (!work.basis.leaked().has_value()) {
    if (!work.basis.manifests().contains(work.opened.manifest_digest))
      return Untrusted("not_listed", "nobody has listed the manifest of this container", SubjectOf(work));
    plan.push_back(work.options.signature);
    return plan;
  }
  SAFEMODEL_ASSIGN(const auto statements, OldStatements(work));
  for (const trust::Statement& old : statements) {
    SAFEMODEL_ASSIGN(SignOptions options, OptionsLike(old, work));
    plan.push_back(std::move(options));
  }
  return plan;
}

// DropSigned takes out of the plan what the new key has signed already, so that an interrupted run can be repeated.
void DropSigned(const Work& work, std::vector<SignOptions>& plan, ResignReport& report) {
  const auto read = trust::ReadReleases(work.opened, {work.new_key}, work.options.signature.limits);
  if (!read.ok()) return;
  std::erase_if(plan, [&](const SignOptions& options) {
    const auto& all = read.value();
    const bool is_signed = std::any_of(all.begin(), all.end(), [&](const trust::SignedRelease& release) {
      const trust::Statement& statement = release.statement;
      return statement.role == options.role && statement.requires_roles == options.requires_roles &&
             !HasEnded(statement.not_after, NowUnless(options.issued_at)) &&
             trust::Matches(statement, trust::ReleaseOf(work.manifest));
    });
    if (is_signed) report.already_roles.push_back(options.role);
    return is_signed;
  });
}

// AddStatements makes the new statements, logs them, and returns the frame of the envelope with them.
Result<ByteBuffer> AddStatements(const Work& work, const Signer& key, const std::vector<SignOptions>& plan,
                                 ResignReport& report) {
  const Limits& limits = work.options.signature.limits;
  SAFEMODEL_ASSIGN(container::Envelope envelope,
                   trust::NextEnvelope(work.opened.envelope, work.opened.manifest_digest));
  for (const SignOptions& options : plan) {
    SAFEMODEL_ASSIGN(container::EnvelopeItem item,
                     trust::MakeStatementItem(trust::ReleaseOf(work.manifest), work.opened.manifest_digest, key,
                                              options, trust::Checked::kManifest));
    envelope.items.push_back(std::move(item));
    report.signed_roles.push_back(options.role);
    if (work.options.log == nullptr) continue;
    SAFEMODEL_ASSIGN(LoggedStatement logged,
                     trust::LogLastStatement(envelope, key.public_key(), *work.options.log, limits));
    report.logged.push_back(std::move(logged));
  }
  return trust::FrameBytes(envelope, limits);
}

Result<ResignReport> ResignLocked(trust::EnvelopeWriter& writer, const Signer& key, const ResignBasis& basis,
                                  const ResignOptions& options) {
  const trust::OpenedContainer& opened = writer.container();
  if (options.policy != nullptr) SAFEMODEL_TRY(trust::CheckManifestDenials(*options.policy, opened.manifest_digest));
  SAFEMODEL_ASSIGN(const container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, options.signature.limits));
  const Work work{opened, manifest, key.public_key(), basis, options};
  SAFEMODEL_ASSIGN(std::vector<SignOptions> plan, Plan(work));
  SAFEMODEL_TRY(CheckDeniedContent(work));
  ResignReport report;
  report.model_name = manifest.name;
  report.model_version = manifest.version;
  report.sequence = manifest.sequence;
  report.manifest_digest = opened.manifest_digest;
  DropSigned(work, plan, report);
  if (plan.empty()) return report;
  SAFEMODEL_ASSIGN(const ByteBuffer frame, AddStatements(work, key, plan, report));
  SAFEMODEL_ASSIGN(report.envelope_path, writer.Write(frame));
  return report;
}

}  // namespace

Result<ResignBasis> ResignBasis::FromLog(const std::string& folder, const LogTrust& trust, ByteView before,
                                         const PublicKey& leaked, const Limits& limits) {
  return CatchOutOfMemory([&]() -> Result<ResignBasis> {
    ResignBasis basis;
    basis.leaked_ = leaked;
    SAFEMODEL_ASSIGN(basis.before_, ParseCheckpoint(before, limits));
    const std::string key_id = leaked.KeyId();
    SAFEMODEL_TRY(VerifyLog(
        folder, trust, ByteBuffer(before.begin(), before.end()),
        [&](std::uint64_t index, const LogEntry& entry) {
          if (entry.key_id == key_id) basis.entries_.insert({entry.manifest_digest, Entry{index, entry}});
        },
        limits));
    return basis;
  });
}

ResignBasis ResignBasis::FromManifests(std::vector<Digest> manifests) {
  ResignBasis basis;
  basis.manifests_ = {manifests.begin(), manifests.end()};
  return basis;
}

std::vector<ResignBasis::Entry> ResignBasis::EntriesAbout(const Digest& manifest_digest) const {
  std::vector<Entry> found;
  const auto [first, last] = entries_.equal_range(manifest_digest);
  for (auto entry = first; entry != last; ++entry) found.push_back(entry->second);
  return found;
}

Result<ResignReport> Resign(const std::string& path, const Signer& key, const ResignBasis& basis,
                            const ResignOptions& options) {
  return CatchOutOfMemory([&]() -> Result<ResignReport> {
    SAFEMODEL_TRY(CheckNewKey(key.public_key(), basis, options.policy));
    SAFEMODEL_ASSIGN(auto writer,
                     trust::EnvelopeWriter::Open(path, options.signature.placement, options.signature.limits));
    return ResignLocked(writer, key, basis, options);
  });
}

}  // namespace safemodel
