// SPDX-License-Identifier: Apache-2.0
#include <safemodel/verify.h>

#include "base/clock.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "model/loaded_model.h"
#include "model/release_info.h"
#include "trust/rollback.h"

namespace safemodel {

ContentDenials DenialsAs(const Policy& policy, ContentDenials compared) {
  return policy.parts().denied_contents.empty() ? ContentDenials::kNone : compared;
}

Status CheckScope(trust::TrustedManifest trusted, const Policy& policy, VerifyScope scope, const OpenOptions& options,
                  const Progress& progress, Verdict& verdict) {
  const std::uint64_t core_bytes = trusted.core_bytes();
  verdict.bytes_checked = container::kPreambleBytes + core_bytes - trusted.manifest().manifest_offset;
  verdict.content_denials = DenialsAs(policy, ContentDenials::kNotChecked);
  if (scope == VerifyScope::kManifest) return {};
  if (trusted.manifest().encryption && !options.identities && scope == VerifyScope::kStored) {
    SAFEMODEL_ASSIGN(const auto store, ObjectStore::Open(std::move(trusted), nullptr, options.limits));
    SAFEMODEL_TRY(CheckStored(*store, options.threads, progress));
    verdict.directory = DirectoryState::kHidden;
    verdict.bytes_checked = core_bytes;
    return {};
  }
  SAFEMODEL_ASSIGN(const auto model, LoadModel(std::move(trusted), options));
  verdict.info = model->info;
  verdict.directory = DirectoryState::kRead;
  verdict.content_denials = DenialsAs(policy, ContentDenials::kStated);
  SAFEMODEL_TRY(trust::CheckContentDenials(policy, model->info.content_digest));
  SAFEMODEL_TRY(CheckStored(*model->store, options.threads, progress));
  verdict.bytes_checked = core_bytes;
  if (scope == VerifyScope::kStored) return {};
  SAFEMODEL_TRY(CheckContent(*model, progress));
  verdict.content_denials = DenialsAs(policy, ContentDenials::kComputed);
  return {};
}

namespace {

void Explain(trust::AuthenticationTrace trace, const Digest& manifest_digest, Verdict& verdict) {
  verdict.signatures = std::move(trace.signatures);
  verdict.rule = std::move(trace.rule);
  verdict.missing_roles = std::move(trace.missing_roles);
  verdict.missing_attestations = std::move(trace.missing_attestations);
  verdict.rollback = std::move(trace.rollback);
  if (trace.manifest) verdict.info = InfoOf(*trace.manifest, manifest_digest);
}

Status VerifyInto(const std::string& path, const Policy& policy, const Expectation& expectation, VerifyScope scope,
                  const OpenOptions& options, const Progress& progress, Verdict& verdict) {
  SAFEMODEL_ASSIGN(auto opened, trust::OpenContainer(path, options.envelope_path, options.limits));
  const Digest manifest_digest = opened.manifest_digest;
  const std::int64_t now = NowUnless(options.now);
  trust::AuthenticationTrace trace;
  auto trusted = trust::Authenticate(std::move(opened), policy, expectation, now, options.limits, &trace);
  Explain(std::move(trace), manifest_digest, verdict);
  if (!trusted.ok()) return trusted.error();
  const trust::Release release = trust::ReleaseOf(trusted.value().manifest());
  SAFEMODEL_TRY(CheckScope(std::move(trusted).value(), policy, scope, options, progress, verdict));
  return trust::RememberRelease(policy, release, manifest_digest, now);
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
