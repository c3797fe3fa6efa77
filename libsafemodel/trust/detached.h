// SPDX-License-Identifier: Apache-2.0
// Releases whose manifest does not lie in the thing that is signed: a file or folder of any format, a set of
// containers. Manifest and envelope frame lie behind each other in one file of their own. Spec: section 15.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <safemodel/policy.h>

#include "base/file.h"
#include "container/artifact.h"
#include "container/format.h"
#include "trust/authentication.h"

namespace safemodel::trust {

// DetachedRelease is what such a file says before anybody vouched for it: the manifest is still raw bytes.
struct DetachedRelease {
  ReleaseKind kind = ReleaseKind::kFiles;
  ByteBuffer manifest_bytes;
  Digest manifest_digest{};  // SHA-256 of manifest_bytes
  std::optional<container::Envelope> envelope;
};

// ReadDetached reads manifest bytes and envelope from one descriptor. kDigestMismatch "foreign_envelope" when the frame
// names another manifest; kMalformed, kUnsupported, kLimit, kIo.
Result<DetachedRelease> ReadDetached(const File& file, ReleaseKind kind, const Limits& limits);

// WriteDetached writes manifest and frame so that a crash leaves the old file or the new one. kUsage "exists".
Status WriteDetached(const std::string& path, ByteView manifest_bytes, ByteView frame, OutputFile::Overwrite overwrite);

// LockForSigning takes the exclusive lock of what is signed, a file or a folder: two signers never lose a signature.
// It never waits: kIo "locked".
Result<Descriptor> LockForSigning(const std::string& path);

Release ReleaseOf(const container::FilesManifest& manifest);
Release ReleaseOf(const container::SetManifest& manifest);

// TrustedListing is a parsed files or set manifest that a policy accepted. Only the functions below make one.
template <typename Manifest>
class TrustedListing {
 public:
  [[nodiscard]] const Manifest& manifest() const { return manifest_; }
  [[nodiscard]] const std::vector<SignatureReport>& signatures() const { return signatures_; }
  [[nodiscard]] const Rule& rule() const { return rule_; }

 private:
  TrustedListing() = default;
  friend struct TrustedListingMaker;  // in detached.cc
  Manifest manifest_;
  std::vector<SignatureReport> signatures_;
  Rule rule_;
};

using TrustedFiles = TrustedListing<container::FilesManifest>;
using TrustedSet = TrustedListing<container::SetManifest>;

// ListingTrace is filled as far as authentication came, also when it fails: for people and logs.
struct ListingTrace : AuthenticationTrace {
  std::optional<Release> release;  // once one trusted key had verified a statement about the manifest
  std::int64_t created = 0;
};

// AuthenticateFiles and AuthenticateSet take the steps of Authenticate for these kinds of manifests.
Result<TrustedFiles> AuthenticateFiles(const DetachedRelease& detached, const Policy& policy,
                                       const Expectation& expectation, std::int64_t now, const Limits& limits,
                                       ListingTrace& trace);
Result<TrustedSet> AuthenticateSet(const DetachedRelease& detached, const Policy& policy,
                                   const Expectation& expectation, std::int64_t now, const Limits& limits,
                                   ListingTrace& trace);

}  // namespace safemodel::trust
