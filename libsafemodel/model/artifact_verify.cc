// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "model/artifact_files.h"
#include "model/import_any.h"
#include "model/release_info.h"
#include "trust/envelope_store.h"
#include "trust/rollback.h"

namespace safemodel {

ModelInfo InfoOf(const trust::Release& release, std::int64_t created, const Digest& manifest_digest) {
  ModelInfo info;
  info.name = release.name;
  info.version = release.version;
  info.sequence = release.sequence;
  info.file_id = release.file_id;
  info.created = created;
  info.manifest_digest = manifest_digest;
  return info;
}

void TakeTrace(trust::ListingTrace trace, const Digest& manifest_digest, Verdict& verdict) {
  if (trace.release.has_value()) verdict.info = InfoOf(*trace.release, trace.created, manifest_digest);
  verdict.signatures = std::move(trace.signatures);
  verdict.rule = std::move(trace.rule);
  verdict.missing_roles = std::move(trace.missing_roles);
  verdict.missing_attestations = std::move(trace.missing_attestations);
  verdict.rollback = std::move(trace.rollback);
}

Error NotSigned(const std::string& envelope_path) {
  return {Stage::kUntrusted, "no_signature", "this is not signed: there is no envelope; sign it, or get its envelope",
          kNoOffset, envelope_path};
}

namespace {

bool IsSet(const std::string& path) {
  const auto file = File::Open(path);
  if (!file.ok() || file.value()->size() < container::kSetMagic.size()) return false;
  const auto head = ReadRange(*file.value(), 0, container::kSetMagic.size(), container::kSetMagic.size());
  return head.ok() && std::equal(head.value().begin(), head.value().end(), container::kSetMagic.begin());
}

Result<trust::DetachedRelease> OpenEnvelope(const ArtifactRoot& root, const OpenOptions& options) {
  const std::string path = EnvelopePathOf(root, options.envelope_path);
  const auto lookup = options.envelope_path.empty() ? trust::SidecarLookup::kToRead : trust::SidecarLookup::kDemanded;
  SAFEMODEL_ASSIGN(const auto file, trust::LookAtSidecar(path, lookup));
  if (file == nullptr && root.folder() == nullptr && IsSet(root.path())) {
    return Error{Stage::kUntrusted, "no_signature",
                 "this is a signed set of containers: say so to verify it as one (--set)"};
  }
  if (file == nullptr) return NotSigned(path);
  return trust::ReadDetached(*file, trust::ReleaseKind::kFiles, options.limits);
}

Status CompareFiles(const ArtifactRoot& root, const container::FilesManifest& manifest, unsigned threads,
                    const Progress& progress, ArtifactVerdict& verdict) {
  SAFEMODEL_ASSIGN(Comparison comparison, CompareContent(root, manifest, threads, progress));
  verdict.bytes_checked += comparison.bytes_read;
  verdict.left_out = std::move(comparison.found.left_out);
  verdict.differences = std::move(comparison.differences);
  if (verdict.differences.empty()) return {};
  Error error = DifferenceError(verdict.differences.front());
  if (verdict.differences.size() > kMostDifferences) {
    verdict.more_differences = verdict.differences.size() - kMostDifferences;
    verdict.differences.resize(kMostDifferences);
  }
  return error;
}

Status VerifyInto(const std::string& path, const Policy& policy, const Expectation& expectation, VerifyScope scope,
                  const OpenOptions& options, const Progress& progress, ArtifactVerdict& verdict) {
  SAFEMODEL_ASSIGN(const ArtifactRoot root, ArtifactRoot::Open(path));
  SAFEMODEL_ASSIGN(const trust::DetachedRelease detached, OpenEnvelope(root, options));
  const std::int64_t now = NowUnless(options.now);
  trust::ListingTrace trace;
  const auto trusted = trust::AuthenticateFiles(detached, policy, expectation, now, options.limits, trace);
  TakeTrace(std::move(trace), detached.manifest_digest, verdict);
  verdict.content_denials = DenialsAs(policy, ContentDenials::kNotChecked);  // files have no content digest
  if (!trusted.ok()) return trusted.error();
  const container::FilesManifest& manifest = trusted.value().manifest();
  verdict.files = manifest.files.size();
  verdict.patterns = manifest.patterns;
  verdict.bytes_checked = detached.manifest_bytes.size();
  if (scope != VerifyScope::kManifest) SAFEMODEL_TRY(CompareFiles(root, manifest, options.threads, progress, verdict));
  return trust::RememberRelease(policy, trust::ReleaseOf(manifest), detached.manifest_digest, now);
}

}  // namespace

ArtifactVerdict VerifyArtifact(const std::string& path, const Policy& policy, const Expectation& expectation,
                               VerifyScope scope, const OpenOptions& options, const Progress& progress) {
  ArtifactVerdict verdict;
  verdict.status =
      CatchOutOfMemory([&] { return VerifyInto(path, policy, expectation, scope, options, progress, verdict); });
  return verdict;
}

bool IsForeignArtifact(const std::string& path) {
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure)) return true;
  constexpr std::string_view kSuffix = ".safemodel";
  if (path.size() >= kSuffix.size() && path.compare(path.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0)
    return false;
  const auto file = File::Open(path);
  if (!file.ok()) return false;
  const auto is_container = IsContainer(*file.value());
  return is_container.ok() && !is_container.value();
}

}  // namespace safemodel
