// SPDX-License-Identifier: Apache-2.0
// What signing and verifying files, sets and containers have in common.
#pragma once

#include <safemodel/artifact.h>

#include "trust/authenticate.h"
#include "trust/detached.h"

namespace safemodel {

ModelInfo InfoOf(const trust::Release& release, std::int64_t created, const Digest& manifest_digest);

// TakeTrace tells in a verdict how far authentication came.
void TakeTrace(trust::ListingTrace trace, const Digest& manifest_digest, Verdict& verdict);

// NotSigned is the answer when there is no envelope: kUntrusted "no_signature".
Error NotSigned(const std::string& envelope_path);

// CheckSameIdentity refuses (kUsage "other_release") to co-sign under another name, version or sequence than the one
// that is signed. NewIdentity is that of a new manifest, which may replace another; without both, the name is made of
// what the file or folder is called, kUsage "name_needed". artifact_sign.cc
Status CheckSameIdentity(const container::ListingIdentity& identity, const ArtifactOptions& artifact);
Result<container::ListingIdentity> NewIdentity(const std::string& called, const container::ListingIdentity* before,
                                               const ArtifactOptions& artifact, const SignOptions& options);
// CheckNewIdentity refuses (kUsage) a name, version or sequence that no manifest may have.
Status CheckNewIdentity(const ArtifactOptions& artifact, const Limits& limits);

// SignListing adds a statement to the envelope of a manifest and returns the frame. It fills the report but for the
// envelope's path. artifact_sign.cc
Result<ByteBuffer> SignListing(const trust::Release& release, const Digest& manifest_digest,
                               const std::optional<container::Envelope>& current, const Signer& key,
                               const SignOptions& options, trust::Checked checked, SignReport& report);

// DenialsAs returns what is to be said about denied contents that were compared in this way. verify.cc
ContentDenials DenialsAs(const Policy& policy, ContentDenials compared);

// CheckScope looks at as much of an authenticated container as the scope says. verify.cc
Status CheckScope(trust::TrustedManifest trusted, const Policy& policy, VerifyScope scope, const OpenOptions& options,
                  const Progress& progress, Verdict& verdict);

}  // namespace safemodel
