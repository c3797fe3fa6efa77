// SPDX-License-Identifier: Apache-2.0
// From an opened container to a manifest that a policy accepted.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/model.h>
#include <safemodel/policy.h>

#include "base/file.h"
#include "container/format.h"
#include "trust/authentication.h"
#include "trust/detached.h"

namespace safemodel {
class InsecureSkipVerification;  // whoever makes one includes <safemodel/unverified.h>
}

namespace safemodel::trust {

// OpenedContainer is what the file says before anybody vouched for it: framing only, the manifest still raw bytes.
struct OpenedContainer {
  std::shared_ptr<const File> file;
  container::Preamble preamble;
  ByteBuffer manifest_bytes;
  Digest manifest_digest{};  // SHA-256 of manifest_bytes
  std::optional<container::Envelope> envelope;
  enum class EnvelopePlace : std::uint8_t { kNone, kAppended, kSidecar };
  EnvelopePlace envelope_place = EnvelopePlace::kNone;
};

// OpenContainer reads preamble, manifest bytes and envelope (sidecar rules of the spec, section 9) from one descriptor.
// `envelope_path` names a detached envelope elsewhere; empty for the usual places.
Result<OpenedContainer> OpenContainer(const std::string& path, const std::string& envelope_path, const Limits& limits);

// TrustedManifest is a parsed manifest that a policy accepted, in its mode or as a member of an accepted set, or of
// which the caller said that nobody needs to vouch for it. Only the functions below make one, and nothing opens objects
// without one.
class TrustedManifest {
 public:
  [[nodiscard]] const container::Manifest& manifest() const { return manifest_; }
  [[nodiscard]] const Digest& digest() const { return digest_; }
  [[nodiscard]] const std::shared_ptr<const File>& file() const { return file_; }
  [[nodiscard]] std::uint64_t core_bytes() const { return core_bytes_; }
  [[nodiscard]] const std::vector<SignatureReport>& signatures() const { return signatures_; }
  // key_items are the key wraps and recipient notes of the envelope. Nobody vouches for them; what they must fit is in
  // the manifest.
  [[nodiscard]] const std::vector<container::EnvelopeItem>& key_items() const { return key_items_; }
  // rule is the policy's rule that decided; null when authentication was skipped.
  [[nodiscard]] const std::optional<Rule>& rule() const { return rule_; }
  // accepted says that the rule was satisfied: not skipped, and nothing was let pass.
  [[nodiscard]] bool accepted() const { return accepted_; }
  // let_pass is what a rule with mode warn refused; see AuthenticateInPolicyMode.
  [[nodiscard]] const std::optional<Error>& let_pass() const { return let_pass_; }

 private:
  TrustedManifest() = default;
  friend struct TrustedManifestMaker;  // in authenticate.cc
  container::Manifest manifest_;
  Digest digest_{};
  std::shared_ptr<const File> file_;
  std::uint64_t core_bytes_ = 0;
  std::vector<SignatureReport> signatures_;
  std::vector<container::EnvelopeItem> key_items_;
  std::optional<Rule> rule_;
  bool accepted_ = false;
  std::optional<Error> let_pass_;
};

// Authenticate verifies the statements over the raw manifest, parses it once a key of the policy has verified one,
// compares statements and expectation with it, and evaluates the policy at time `now` (Unix seconds; kUsage "bad_time"
// unless it is between 1970 and 9999).
Result<TrustedManifest> Authenticate(OpenedContainer opened, const Policy& policy, const Expectation& expectation,
                                     std::int64_t now, const Limits& limits, AuthenticationTrace* trace = nullptr);

// AuthenticateInPolicyMode does the same, but where the rule for the model's name has mode warn or off, it lets pass
// what Authenticate refuses as kBadSignature or kUntrusted. Denied manifests, and models other than the expected one,
// never pass. The name that chooses the rule is then one that nobody vouches for.
Result<TrustedManifest> AuthenticateInPolicyMode(OpenedContainer opened, const Policy& policy,
                                                 const Expectation& expectation, std::int64_t now,
                                                 InsecurePolicyMode token, const Limits& limits);

// AcceptMember parses the manifest of a container that a trusted set lists. The set names its manifest by digest, so it
// needs no signature of its own; the trusted manifest has those of the set. The rule that decided about the set holds
// for it: what a rule asks of statements and of the release's sequence the set has answered, what it asks of content
// the member does. kDigestMismatch "member_changed" when it is another container; kUntrusted "contradicts_manifest",
// "not_encrypted", "encrypted".
Result<TrustedManifest> AcceptMember(OpenedContainer opened, const TrustedSet& set, const container::SetMember& member,
                                     const Limits& limits);

// SkipAuthentication parses a manifest that nobody vouched for. Its signatures are those of ListSignatures.
Result<TrustedManifest> SkipAuthentication(OpenedContainer opened, InsecureSkipVerification token,
                                           const Limits& limits);

}  // namespace safemodel::trust
