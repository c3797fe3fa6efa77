// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "model/artifact_files.h"
#include "model/identity.h"
#include "model/release_info.h"
#include "trust/earlier_statements.h"
#include "trust/envelope_store.h"
#include "trust/glob.h"
#include "trust/sign_core.h"

namespace safemodel {

Status CheckSameIdentity(const container::ListingIdentity& identity, const ArtifactOptions& artifact) {
  const bool same = artifact.name.value_or(identity.name) == identity.name &&
                    artifact.version.value_or(identity.version) == identity.version &&
                    artifact.sequence.value_or(identity.sequence) == identity.sequence;
  if (same) return {};
  return Error{Stage::kUsage, "other_release",
               "it is signed under another name, version or sequence; an update can change them", kNoOffset,
               identity.name + "@" + identity.version};
}

Status CheckNewIdentity(const ArtifactOptions& artifact, const Limits& limits) {
  ConvertOptions wanted;
  wanted.limits = limits;
  wanted.name = artifact.name.value_or("");
  wanted.version = artifact.version.value_or(wanted.version);
  wanted.sequence = artifact.sequence.value_or(0);
  return CheckIdentityOptions(wanted);
}

Result<container::ListingIdentity> NewIdentity(const std::string& called, const container::ListingIdentity* before,
                                               const ArtifactOptions& artifact, const SignOptions& options) {
  container::ListingIdentity identity;
  crypto::RandomBytes(identity.file_id);
  if (artifact.name.has_value() || before != nullptr) {
    identity.name = artifact.name.has_value() ? *artifact.name : before->name;
  } else {
    SAFEMODEL_ASSIGN(identity.name, CleanName(called));
  }
  identity.version = artifact.version.value_or(before != nullptr ? before->version : "0");
  identity.sequence = artifact.sequence.value_or(before != nullptr ? before->sequence + 1 : 0);
  identity.created = NowUnless(options.issued_at);
  return identity;
}

Result<ByteBuffer> SignListing(const trust::Release& release, const Digest& manifest_digest,
                               const std::optional<container::Envelope>& current, const Signer& key,
                               const SignOptions& options, trust::Checked checked, SignReport& report) {
  SAFEMODEL_ASSIGN(container::Envelope envelope, trust::NextEnvelope(current, manifest_digest));
  const trust::EarlierStatements earlier = trust::FitEarlier(envelope, release.kind, key.public_key(), options);
  SAFEMODEL_ASSIGN(container::EnvelopeItem item,
                   trust::MakeStatementItem(release, manifest_digest, key, options, checked));
  envelope.items.push_back(std::move(item));
  report.model_name = release.name;
  report.model_version = release.version;
  report.sequence = release.sequence;
  report.manifest_digest = manifest_digest;
  report.key_id = key.public_key().KeyId();
  report.role = options.role;
  report.signatures = trust::StatementsOf(envelope);
  report.replaced = earlier.replaced;
  report.outlasted = earlier.outlasts;
  return trust::FrameBytes(envelope, options.limits);
}

namespace {

using container::FilesManifest;

struct Job {
  const ArtifactRoot& root;
  const Signer& key;
  const SignOptions& options;
  const ArtifactOptions& artifact;
  const Progress& progress;
  std::string envelope_path;
};

// PathInside returns where a path that may not exist yet lies below a folder; empty when it does not.
std::string PathInside(const ArtifactRoot& root, const std::string& path) {
  std::error_code failure;
  const auto whole_folder = std::filesystem::canonical(root.path(), failure);
  if (failure) return {};
  const auto whole_parent = std::filesystem::canonical(FolderOf(path), failure);
  if (failure) return {};
  const std::string below = (whole_parent / NameOf(path)).lexically_relative(whole_folder).string();
  const bool outside = below.empty() || below == "." || below == ".." || below.compare(0, 3, "../") == 0;
  return outside ? std::string() : below;
}

// CheckEnvelopeOutside: an envelope cannot cover itself. In the folder it may lie only where a pattern, which verifiers
// see, leaves it out.
Status CheckEnvelopeOutside(const Job& job, const std::vector<std::string>& patterns) {
  if (job.root.folder() == nullptr) return {};
  const std::string below = PathInside(job.root, job.envelope_path);
  if (below.empty()) return {};
  const auto covers = [&](const std::string& part) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&part](const std::string& pattern) { return trust::GlobMatches(pattern, part); });
  };
  for (std::size_t slash = below.find('/'); slash != std::string::npos; slash = below.find('/', slash + 1)) {
    if (covers(below.substr(0, slash))) return {};
  }
  if (covers(below)) return {};
  return Error{Stage::kUsage, "envelope_inside",
               "the envelope would lie in the folder that it covers; put it beside the folder, or leave it out with a "
               "pattern",
               kNoOffset, below};
}

void CountFiles(const FilesManifest& manifest, ArtifactReport& report) {
  report.files = manifest.files.size();
  for (const container::ListedFile& file : manifest.files) report.bytes += file.size;
}

Result<FilesManifest> MakeManifest(const Job& job, const FilesManifest* before) {
  FilesManifest manifest;
  manifest.shape = job.root.shape();
  SAFEMODEL_ASSIGN(manifest.identity, NewIdentity(job.root.name(), before == nullptr ? nullptr : &before->identity,
                                                  job.artifact, job.options));
  manifest.patterns = job.artifact.ignore;
  if (manifest.patterns.empty() && before != nullptr) manifest.patterns = before->patterns;
  if (!manifest.patterns.empty() && job.root.folder() == nullptr)
    return Error{Stage::kUsage, "bad_arguments", "patterns leave out files of a folder; this is a file"};
  std::sort(manifest.patterns.begin(), manifest.patterns.end());
  manifest.patterns.erase(std::unique(manifest.patterns.begin(), manifest.patterns.end()), manifest.patterns.end());
  SAFEMODEL_TRY(CheckEnvelopeOutside(job, manifest.patterns));
  SAFEMODEL_ASSIGN(FoundFiles found, FindFiles(job.root, manifest.patterns));
  if (found.files.empty()) return Error{Stage::kUsage, "no_files", "the folder holds no file that could be signed"};
  SAFEMODEL_ASSIGN(const std::vector<MeasuredFile> measured, MeasureFiles(job.root, found.files));
  manifest.left_out = std::move(found.left_out);
  for (const MeasuredFile& file : measured) manifest.files.push_back({file.path, file.state.size, {}});
  // What no reader would accept is told before hours of hashing.
  SAFEMODEL_TRY(container::SerializeFilesManifest(manifest, job.options.limits));
  SAFEMODEL_ASSIGN(const std::vector<Digest> digests,
                   DigestArtifact(job.root, measured, job.artifact.threads, job.progress));
  for (std::size_t i = 0; i < digests.size(); ++i) manifest.files[i].digest = digests[i];
  return manifest;
}

// SignNew makes a manifest, of which every byte has been seen.
Result<ArtifactReport> SignNew(const Job& job, const FilesManifest* before) {
  SAFEMODEL_ASSIGN(FilesManifest manifest, MakeManifest(job, before));
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, container::SerializeFilesManifest(manifest, job.options.limits));
  ArtifactReport report;
  SAFEMODEL_ASSIGN(const ByteBuffer frame,
                   SignListing(trust::ReleaseOf(manifest), crypto::Sha256Of(bytes), std::nullopt, job.key, job.options,
                               trust::Checked::kFull, report));
  const auto overwrite = before == nullptr ? OutputFile::Overwrite::kRefuse : OutputFile::Overwrite::kReplace;
  SAFEMODEL_TRY(trust::WriteDetached(job.envelope_path, bytes, frame, overwrite));
  CountFiles(manifest, report);
  report.patterns = manifest.patterns;
  report.left_out = std::move(manifest.left_out);
  return report;
}

Result<Comparison> Compare(const Job& job, const FilesManifest& manifest) {
  if (job.artifact.check == ArtifactOptions::Check::kNames) return CompareNames(job.root, manifest);
  return CompareContent(job.root, manifest, job.artifact.threads, job.progress);
}

// SignAgain adds a statement to the manifest that is there, which must still fit the files.
Result<ArtifactReport> SignAgain(const Job& job, const trust::DetachedRelease& detached,
                                 const FilesManifest& manifest) {
  SAFEMODEL_TRY(CheckSameIdentity(manifest.identity, job.artifact));
  if (!job.artifact.ignore.empty())
    return Error{Stage::kUsage, "other_release", "what is left out was decided when it was first signed; update it"};
  SAFEMODEL_ASSIGN(Comparison comparison, Compare(job, manifest));
  if (!comparison.differences.empty()) return DifferenceError(comparison.differences.front());
  const bool whole = job.artifact.check == ArtifactOptions::Check::kContent;
  ArtifactReport report;
  SAFEMODEL_ASSIGN(const ByteBuffer frame,
                   SignListing(trust::ReleaseOf(manifest), detached.manifest_digest, detached.envelope, job.key,
                               job.options, whole ? trust::Checked::kFull : trust::Checked::kManifest, report));
  SAFEMODEL_TRY(
      trust::WriteDetached(job.envelope_path, detached.manifest_bytes, frame, OutputFile::Overwrite::kReplace));
  CountFiles(manifest, report);
  report.patterns = manifest.patterns;
  report.left_out = std::move(comparison.found.left_out);
  return report;
}

Result<ArtifactReport> SignInto(const Job& job) {
  SAFEMODEL_ASSIGN(const auto existing, trust::LookAtSidecar(job.envelope_path, trust::SidecarLookup::kToReplace));
  if (existing == nullptr) return SignNew(job, nullptr);
  SAFEMODEL_ASSIGN(const trust::DetachedRelease detached,
                   trust::ReadDetached(*existing, trust::ReleaseKind::kFiles, job.options.limits));
  // The signer is about to vouch for these bytes itself, so nobody else has to have done it before they are parsed.
  SAFEMODEL_ASSIGN(const FilesManifest manifest,
                   container::ParseFilesManifest(detached.manifest_bytes, job.options.limits));
  if (job.artifact.existing == ArtifactOptions::Existing::kCosign) return SignAgain(job, detached, manifest);
  auto report = SignNew(job, &manifest);
  if (report.ok() && detached.envelope.has_value())
    report.value().dropped_signatures = trust::StatementsOf(*detached.envelope);
  return report;
}

Result<ArtifactReport> SignLocked(const std::string& path, const Signer& key, const SignOptions& options,
                                  const ArtifactOptions& artifact, const Progress& progress) {
  SAFEMODEL_TRY(trust::CheckSignOptions(options));
  SAFEMODEL_TRY(CheckNewIdentity(artifact, options.limits));
  SAFEMODEL_ASSIGN(const ArtifactRoot root, ArtifactRoot::Open(path));
  SAFEMODEL_ASSIGN(const Descriptor lock, trust::LockForSigning(root.path()));
  const Job job{root, key, options, artifact, progress, EnvelopePathOf(root, artifact.envelope_path)};
  // Told before hours of hashing; and where a folder is missing nobody could say whether it lies in what is signed.
  std::error_code failure;
  if (!std::filesystem::is_directory(FolderOf(job.envelope_path), failure)) {
    return Error{Stage::kIo, "not_found", "the folder for the envelope is not there; make it first", kNoOffset,
                 job.envelope_path};
  }
  SAFEMODEL_ASSIGN(ArtifactReport report, SignInto(job));
  report.envelope_path = job.envelope_path;
  return report;
}

}  // namespace

Result<ArtifactReport> SignArtifact(const std::string& path, const Signer& key, const SignOptions& options,
                                    const ArtifactOptions& artifact, const Progress& progress) {
  return CatchOutOfMemory([&] { return SignLocked(path, key, options, artifact, progress); });
}

}  // namespace safemodel
