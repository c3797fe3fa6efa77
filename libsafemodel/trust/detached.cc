// SPDX-License-Identifier: Apache-2.0
#include "trust/detached.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/try.h"
#include "crypto/hash.h"
#include "trust/envelope_store.h"
#include "trust/timestamp.h"

namespace safemodel::trust {

// TrustedListingMaker is the only maker of trusted listings.
struct TrustedListingMaker {
  template <typename Manifest>
  static TrustedListing<Manifest> Make(Manifest manifest, std::vector<SignatureReport> signatures, Rule rule) {
    TrustedListing<Manifest> trusted;
    trusted.manifest_ = std::move(manifest);
    trusted.signatures_ = std::move(signatures);
    trusted.rule_ = std::move(rule);
    return trusted;
  }
};

namespace {

Release ReleaseFrom(const container::ListingIdentity& identity, ReleaseKind kind) {
  const auto content = kind == ReleaseKind::kSet ? Release::Content::kInMembers : Release::Content::kPlain;
  return {identity.name, identity.version, identity.sequence, identity.file_id, kind, content};
}

// AuthenticateListing is the one order of steps for both kinds: nobody parses a manifest before a key of the policy has
// verified a statement about its bytes; [S-BEFORE].
template <typename Manifest>
Result<TrustedListing<Manifest>> AuthenticateListing(const DetachedRelease& detached, const Policy& policy,
                                                     const Expectation& expectation, std::int64_t now,
                                                     const Limits& limits, ListingTrace& trace,
                                                     Result<Manifest> (*parse)(ByteView, const Limits&)) {
  SAFEMODEL_TRY(CheckNow(now));
  Authentication authentication(detached.envelope, detached.manifest_digest, policy, now, limits, detached.kind);
  const bool vouched = authentication.VerifyItems();
  trace.signatures = authentication.Reports();
  if (!vouched) return authentication.Refusal({});
  SAFEMODEL_ASSIGN(Manifest manifest, parse(detached.manifest_bytes, limits));
  trace.release = ReleaseOf(manifest);
  trace.created = manifest.identity.created;
  SAFEMODEL_ASSIGN(const Rule rule, authentication.Decide(*trace.release, expectation, trace));
  return TrustedListingMaker::Make(std::move(manifest), trace.signatures, rule);
}

}  // namespace

Result<DetachedRelease> ReadDetached(const File& file, ReleaseKind kind, const Limits& limits) {
  const auto& magic = kind == ReleaseKind::kSet ? container::kSetMagic : container::kFilesMagic;
  const std::uint64_t head_bytes = std::min(file.size(), container::kListingHeadBytes);
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(file, 0, head_bytes, container::kListingHeadBytes));
  SAFEMODEL_ASSIGN(const std::uint64_t length, container::MeasureListing(head, magic, file.size(), limits));
  DetachedRelease detached;
  detached.kind = kind;
  SAFEMODEL_ASSIGN(detached.manifest_bytes, ReadRange(file, 0, length, limits.listing_bytes));
  detached.manifest_digest = crypto::Sha256Of(detached.manifest_bytes);
  if (file.size() == length) return detached;
  SAFEMODEL_ASSIGN(Frame frame, ReadFrame(file, length, limits));
  if (frame.envelope.manifest_digest != detached.manifest_digest) {
    return Error{Stage::kDigestMismatch, "foreign_envelope",
                 "the envelope belongs to another manifest than the one it lies behind", kNoOffset, file.path()};
  }
  detached.envelope = std::move(frame.envelope);
  return detached;
}

Status WriteDetached(const std::string& path, ByteView manifest_bytes, ByteView frame,
                     OutputFile::Overwrite overwrite) {
  SAFEMODEL_ASSIGN(OutputFile file, OutputFile::Create(path, overwrite));
  SAFEMODEL_TRY(file.Append(manifest_bytes));
  SAFEMODEL_TRY(file.Append(frame));
  return file.Commit();
}

Result<Descriptor> LockForSigning(const std::string& path) {
  Descriptor descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!descriptor.valid())
    return SystemError(errno == ENOENT ? "not_found" : "open_failed", "it cannot be opened", path);
  if (TryLock(descriptor.get())) return descriptor;
  if (errno == EWOULDBLOCK)
    return Error{Stage::kIo, "locked", "another signer is at work here; try again", kNoOffset, path};
  return SystemError("open_failed", "it cannot be locked", path);
}

Release ReleaseOf(const container::FilesManifest& manifest) {
  return ReleaseFrom(manifest.identity, ReleaseKind::kFiles);
}

Release ReleaseOf(const container::SetManifest& manifest) { return ReleaseFrom(manifest.identity, ReleaseKind::kSet); }

Result<TrustedFiles> AuthenticateFiles(const DetachedRelease& detached, const Policy& policy,
                                       const Expectation& expectation, std::int64_t now, const Limits& limits,
                                       ListingTrace& trace) {
  return AuthenticateListing<container::FilesManifest>(detached, policy, expectation, now, limits, trace,
                                                       container::ParseFilesManifest);
}

Result<TrustedSet> AuthenticateSet(const DetachedRelease& detached, const Policy& policy,
                                   const Expectation& expectation, std::int64_t now, const Limits& limits,
                                   ListingTrace& trace) {
  return AuthenticateListing<container::SetManifest>(detached, policy, expectation, now, limits, trace,
                                                     container::ParseSetManifest);
}

}  // namespace safemodel::trust
