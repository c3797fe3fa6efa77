// SPDX-License-Identifier: Apache-2.0
#include <safemodel/verify.h>

#include <ctime>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "model/loaded_model.h"
#include "model/release_info.h"

namespace safemodel {

Status CheckScope(trust::TrustedManifest trusted, VerifyScope scope, const OpenOptions& options,
                  const Progress& progress, Verdict& verdict) {
  const std::uint64_t core_bytes = trusted.core_bytes();
  verdict.bytes_checked = container::kPreambleBytes + core_bytes - trusted.manifest().manifest_offset;
  if (scope == VerifyScope::kManifest) return {};
  SAFEMODEL_ASSIGN(const auto model, LoadModel(std::move(trusted), options));
  verdict.info = model->info;
  SAFEMODEL_TRY(CheckStored(*model, progress));
  verdict.bytes_checked = core_bytes;
  if (scope == VerifyScope::kStored) return {};
  return CheckContent(*model, progress);
}

namespace {

// PartialInfo says what the manifest alone tells.
ModelInfo PartialInfo(const container::Manifest& manifest, const Digest& digest) {
  ModelInfo info;
  info.name = manifest.name;
  info.version = manifest.version;
  info.sequence = manifest.sequence;
  info.created = manifest.created;
  info.file_id = manifest.file_id;
  info.manifest_digest = digest;
  info.metadata = manifest.metadata;
  return info;
}

Status VerifyInto(const std::string& path, const Policy& policy, const Expectation& expectation, VerifyScope scope,
                  const OpenOptions& options, const Progress& progress, Verdict& verdict) {
  SAFEMODEL_ASSIGN(auto opened, trust::OpenContainer(path, options.envelope_path, options.limits));
  const Digest manifest_digest = opened.manifest_digest;
  const std::int64_t now = options.now.value_or(static_cast<std::int64_t>(std::time(nullptr)));
  trust::AuthenticationTrace trace;
  auto trusted = trust::Authenticate(std::move(opened), policy, expectation, now, options.limits, &trace);
  verdict.signatures = std::move(trace.signatures);
  verdict.rule = std::move(trace.rule);
  verdict.missing_roles = std::move(trace.missing_roles);
  if (trace.manifest) verdict.info = PartialInfo(*trace.manifest, manifest_digest);
  if (!trusted.ok()) return trusted.error();
  return CheckScope(std::move(trusted).value(), scope, options, progress, verdict);
}

}  // namespace

Verdict Verify(const std::string& path, const Policy& policy, const Expectation& expectation, VerifyScope scope,
               const OpenOptions& options, const Progress& progress) {
  Verdict verdict;
  verdict.status =
      CatchOutOfMemory([&] { return VerifyInto(path, policy, expectation, scope, options, progress, verdict); });
  return verdict;
}

}  // namespace safemodel
