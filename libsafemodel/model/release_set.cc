// SPDX-License-Identifier: Apache-2.0
// Sets of containers: one signature for releases that belong together. Spec section 15.
#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "container/parse.h"
#include "container/paths.h"
#include "crypto/hash.h"
#include "model/artifact_files.h"
#include "model/identity.h"
#include "model/release_info.h"
#include "trust/envelope_store.h"
#include "trust/rollback.h"
#include "trust/sign_core.h"

namespace safemodel {
namespace {

using container::SetManifest;
using container::SetMember;

// PathBelow returns where a member lies below the folder of the set, which is where verifiers look for it.
Result<std::string> PathBelow(const std::string& set_path, const std::string& member, const Limits& limits) {
  std::error_code failure;
  const auto folder = std::filesystem::canonical(FolderOf(set_path), failure);
  if (failure) return Error{Stage::kIo, "not_found", "the folder of the set cannot be found", kNoOffset, set_path};
  const auto parent = std::filesystem::canonical(FolderOf(member), failure);
  if (failure) return Error{Stage::kIo, "not_found", "a member of the set cannot be found", kNoOffset, member};
  const std::string below = (parent / NameOf(member)).lexically_relative(folder).string();
  if (below.compare(0, 3, "../") == 0 || !container::CheckFilePath(below, limits).ok()) {
    return Error{Stage::kUsage, "member_outside", "the members of a set lie in its folder or below it", kNoOffset,
                 member};
  }
  return below;
}

// About names the member that an error is about, in front of what the error says already.
Error About(Error error, const std::string& member) {
  if (!error.subject.starts_with(member)) {
    error.subject = error.subject.empty() ? member : member + ": " + error.subject;
  }
  return error;
}

Result<SetMember> MakeMember(const std::string& set_path, const std::string& path, const Limits& limits) {
  SetMember member;
  SAFEMODEL_ASSIGN(member.path, PathBelow(set_path, path, limits));
  const auto opened = trust::OpenContainer(path, {}, limits);
  if (!opened.ok()) return About(opened.error(), path);
  const auto parsed = container::ParseManifest(opened.value().manifest_bytes, opened.value().preamble, limits);
  if (!parsed.ok()) return About(parsed.error(), path);
  const container::Manifest& manifest = parsed.value();
  member.name = manifest.name;
  member.version = manifest.version;
  member.sequence = manifest.sequence;
  member.manifest_digest = opened.value().manifest_digest;
  return member;
}

Result<SetManifest> MakeSet(const std::string& set_path, const std::vector<std::string>& members,
                            const SetManifest* before, const SignOptions& options, const ArtifactOptions& artifact) {
  SetManifest manifest;
  SAFEMODEL_ASSIGN(manifest.identity,
                   NewIdentity(StemOf(set_path), before == nullptr ? nullptr : &before->identity, artifact, options));
  for (const std::string& path : members) {
    SAFEMODEL_ASSIGN(SetMember member, MakeMember(set_path, path, options.limits));
    manifest.members.push_back(std::move(member));
  }
  std::sort(manifest.members.begin(), manifest.members.end(),
            [](const SetMember& a, const SetMember& b) { return a.path < b.path; });
  const auto twice = std::adjacent_find(manifest.members.begin(), manifest.members.end(),
                                        [](const SetMember& a, const SetMember& b) { return a.path == b.path; });
  if (twice != manifest.members.end())
    return Error{Stage::kUsage, "member_twice", "a container is named twice; a set has each once", kNoOffset,
                 twice->path};
  return manifest;
}

struct SignedSet {
  ByteBuffer manifest_bytes;
  SetManifest manifest;
  std::optional<container::Envelope> envelope;
};

Result<ArtifactReport> WriteSet(const std::string& set_path, const SignedSet& set, const Signer& key,
                                const SignOptions& options, OutputFile::Overwrite overwrite) {
  ArtifactReport report;
  SAFEMODEL_ASSIGN(const ByteBuffer frame,
                   SignListing(trust::ReleaseOf(set.manifest), crypto::Sha256Of(set.manifest_bytes), set.envelope, key,
                               options, trust::Checked::kManifest, report));
  SAFEMODEL_TRY(trust::WriteDetached(set_path, set.manifest_bytes, frame, overwrite));
  report.files = set.manifest.members.size();
  report.envelope_path = set_path;
  return report;
}

Result<SignedSet> ReadSet(const File& file, const Limits& limits) {
  SignedSet set;
  SAFEMODEL_ASSIGN(trust::DetachedRelease detached, trust::ReadDetached(file, trust::ReleaseKind::kSet, limits));
  SAFEMODEL_ASSIGN(set.manifest, container::ParseSetManifest(detached.manifest_bytes, limits));
  set.manifest_bytes = std::move(detached.manifest_bytes);
  set.envelope = std::move(detached.envelope);
  return set;
}

Result<ArtifactReport> SignNewSet(const std::string& set_path, const std::vector<std::string>& members,
                                  const SignedSet* before, const Signer& key, const SignOptions& options,
                                  const ArtifactOptions& artifact) {
  SignedSet set;
  SAFEMODEL_ASSIGN(set.manifest,
                   MakeSet(set_path, members, before == nullptr ? nullptr : &before->manifest, options, artifact));
  SAFEMODEL_ASSIGN(set.manifest_bytes, container::SerializeSetManifest(set.manifest, options.limits));
  const auto overwrite = before == nullptr ? OutputFile::Overwrite::kRefuse : OutputFile::Overwrite::kReplace;
  SAFEMODEL_ASSIGN(ArtifactReport report, WriteSet(set_path, set, key, options, overwrite));
  if (before != nullptr && before->envelope.has_value())
    report.dropped_signatures = trust::StatementsOf(*before->envelope);
  return report;
}

Result<ArtifactReport> SignSetLocked(const std::string& set_path, const std::vector<std::string>& members,
                                     const Signer& key, const SignOptions& options, const ArtifactOptions& artifact) {
  SAFEMODEL_TRY(trust::CheckSignOptions(options));
  SAFEMODEL_TRY(CheckNewIdentity(artifact, options.limits));
  // The set's own file is replaced when it is signed again, so its folder holds the lock.
  SAFEMODEL_ASSIGN(const Descriptor lock, trust::LockForSigning(FolderOf(set_path)));
  SAFEMODEL_ASSIGN(const auto existing, trust::LookAtSidecar(set_path, trust::SidecarLookup::kToReplace));
  if (existing == nullptr) {
    if (members.empty()) return Error{Stage::kUsage, "no_members", "name the containers of the new set"};
    return SignNewSet(set_path, members, nullptr, key, options, artifact);
  }
  SAFEMODEL_ASSIGN(const SignedSet before, ReadSet(*existing, options.limits));
  if (artifact.existing == ArtifactOptions::Existing::kUpdate) {
    if (members.empty()) return Error{Stage::kUsage, "no_members", "name the containers of the new set"};
    return SignNewSet(set_path, members, &before, key, options, artifact);
  }
  if (!members.empty()) {
    return Error{Stage::kUsage, "exists",
                 "the set is there already: name no members to add a signature, or update it to make a new one",
                 kNoOffset, set_path};
  }
  SAFEMODEL_TRY(CheckSameIdentity(before.manifest.identity, artifact));
  return WriteSet(set_path, before, key, options, OutputFile::Overwrite::kReplace);
}

Status CheckMember(const std::string& path, const SetMember& member, const trust::TrustedSet& set, const Policy& policy,
                   VerifyScope scope, const OpenOptions& options, const Progress& progress, Verdict& verdict) {
  SAFEMODEL_ASSIGN(trust::OpenedContainer opened, trust::OpenContainer(path, {}, options.limits));
  SAFEMODEL_TRY(trust::CheckManifestDenials(policy, opened.manifest_digest));
  SAFEMODEL_ASSIGN(trust::TrustedManifest trusted, trust::AcceptMember(std::move(opened), set, member, options.limits));
  verdict.info = InfoOf(trust::ReleaseOf(trusted.manifest()), trusted.manifest().created, trusted.digest());
  return CheckScope(std::move(trusted), policy, scope, options, progress, verdict);
}

Status VerifySetInto(const std::string& set_path, const Policy& policy, const Expectation& expectation,
                     VerifyScope scope, const OpenOptions& options, const Progress& progress, SetVerdict& verdict) {
  if (!options.envelope_path.empty())
    return Error{Stage::kUsage, "bad_arguments", "a set holds its own signatures; leave the path of the envelope out"};
  SAFEMODEL_ASSIGN(const auto file, File::Open(set_path));
  SAFEMODEL_ASSIGN(const trust::DetachedRelease detached,
                   trust::ReadDetached(*file, trust::ReleaseKind::kSet, options.limits));
  const std::int64_t now = NowUnless(options.now);
  trust::ListingTrace trace;
  const auto trusted = trust::AuthenticateSet(detached, policy, expectation, now, options.limits, trace);
  TakeTrace(std::move(trace), detached.manifest_digest, verdict);
  verdict.content_denials = DenialsAs(policy, ContentDenials::kNotChecked);
  if (!trusted.ok()) return trusted.error();
  verdict.bytes_checked = detached.manifest_bytes.size();
  Status status;
  for (const SetMember& member : trusted.value().manifest().members) {
    MemberVerdict answer{member.path, {}};
    answer.verdict.signatures = verdict.signatures;
    answer.verdict.rule = verdict.rule;
    answer.verdict.status = CheckMember(FolderOf(set_path) + "/" + member.path, member, trusted.value(), policy, scope,
                                        options, progress, answer.verdict);
    verdict.bytes_checked += answer.verdict.bytes_checked;
    if (status.ok()) status = answer.verdict.status;
    verdict.members.push_back(std::move(answer));
  }
  SAFEMODEL_TRY(status);
  // All members were looked at as far as one scope says, and there is at least one.
  verdict.content_denials = verdict.members.front().verdict.content_denials;
  return trust::RememberRelease(policy, trust::ReleaseOf(trusted.value().manifest()), detached.manifest_digest, now);
}

}  // namespace

Result<ArtifactReport> SignSet(const std::string& set_path, const std::vector<std::string>& members, const Signer& key,
                               const SignOptions& options, const ArtifactOptions& artifact) {
  return CatchOutOfMemory([&] { return SignSetLocked(set_path, members, key, options, artifact); });
}

SetVerdict VerifySet(const std::string& set_path, const Policy& policy, const Expectation& expectation,
                     VerifyScope scope, const OpenOptions& options, const Progress& progress) {
  SetVerdict verdict;
  verdict.status =
      CatchOutOfMemory([&] { return VerifySetInto(set_path, policy, expectation, scope, options, progress, verdict); });
  return verdict;
}

}  // namespace safemodel
