// SPDX-License-Identifier: Apache-2.0
// The only maker of TrustedManifest.
#include "trust/authenticate.h"

#include <safemodel/unverified.h>

#include "base/try.h"
#include "container/parse.h"
#include "trust/candidate.h"
#include "trust/decision.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

std::vector<container::EnvelopeItem> KeyItemsOf(const std::optional<container::Envelope>& envelope) {
  std::vector<container::EnvelopeItem> items;
  if (!envelope) return items;
  for (const container::EnvelopeItem& item : envelope->items) {
    if (IsKeyItem(item)) items.push_back(item);
  }
  return items;
}

}  // namespace

struct TrustedManifestMaker {
  static TrustedManifest Make(OpenedContainer opened, container::Manifest manifest,
                              std::vector<SignatureReport> signatures, std::optional<Rule> rule,
                              std::optional<Error> let_pass = std::nullopt) {
    TrustedManifest trusted;
    trusted.manifest_ = std::move(manifest);
    trusted.digest_ = opened.manifest_digest;
    trusted.core_bytes_ = opened.preamble.manifest_offset + opened.preamble.manifest_length;
    trusted.key_items_ = KeyItemsOf(opened.envelope);
    trusted.file_ = std::move(opened.file);
    trusted.signatures_ = std::move(signatures);
    trusted.rule_ = std::move(rule);
    trusted.let_pass_ = std::move(let_pass);
    return trusted;
  }
  static TrustedManifest Accept(OpenedContainer opened, container::Manifest manifest,
                                std::vector<SignatureReport> signatures, const Rule& rule) {
    TrustedManifest trusted = Make(std::move(opened), std::move(manifest), std::move(signatures), rule);
    trusted.accepted_ = true;
    return trusted;
  }
};

Result<TrustedManifest> Authenticate(OpenedContainer opened, const Policy& policy, const Expectation& expectation,
                                     std::int64_t now, const Limits& limits, AuthenticationTrace* trace) {
  SAFEMODEL_TRY(CheckNow(now));
  AuthenticationTrace unused;
  AuthenticationTrace& seen = trace != nullptr ? *trace : unused;
  Authentication authentication(opened.envelope, opened.manifest_digest, policy, now, limits);
  const bool vouched = authentication.VerifyItems();
  seen.signatures = authentication.Reports();
  if (!vouched) return authentication.Refusal({});

  // Not before here: the FlatBuffers verifier never sees bytes that no key of the policy signed; [S-BEFORE].
  SAFEMODEL_ASSIGN(container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, limits));
  seen.manifest = manifest;
  SAFEMODEL_ASSIGN(const Rule rule, authentication.Decide(ReleaseOf(manifest), expectation, seen));
  return TrustedManifestMaker::Accept(std::move(opened), std::move(manifest), seen.signatures, rule);
}

Result<TrustedManifest> AuthenticateInPolicyMode(OpenedContainer opened, const Policy& policy,
                                                 const Expectation& expectation, std::int64_t now,
                                                 InsecurePolicyMode /*token*/, const Limits& limits) {
  AuthenticationTrace trace;
  auto strict = Authenticate(opened, policy, expectation, now, limits, &trace);
  if (strict.ok()) return strict;
  const Error& refusal = strict.error();
  if (refusal.stage != Stage::kBadSignature && refusal.stage != Stage::kUntrusted) return refusal;
  SAFEMODEL_TRY(CheckManifestDenials(policy, opened.manifest_digest));
  SAFEMODEL_ASSIGN(container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, limits));
  SAFEMODEL_TRY(CheckExpectation(expectation, ReleaseOf(manifest)));
  const Rule* rule = RuleFor(policy, manifest.name);
  if (rule == nullptr || rule->mode == Rule::Mode::kStrict) return refusal;
  std::optional<Error> let_pass;
  if (rule->mode == Rule::Mode::kWarn) let_pass = refusal;
  return TrustedManifestMaker::Make(std::move(opened), std::move(manifest), std::move(trace.signatures), *rule,
                                    std::move(let_pass));
}

Result<TrustedManifest> AcceptMember(OpenedContainer opened, const TrustedSet& set, const container::SetMember& member,
                                     const Limits& limits) {
  if (opened.manifest_digest != member.manifest_digest) {
    return Error{Stage::kDigestMismatch, "member_changed", "this is not the container that the set lists", kNoOffset,
                 member.path};
  }
  SAFEMODEL_ASSIGN(container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, limits));
  if (manifest.name != member.name || manifest.version != member.version || manifest.sequence != member.sequence) {
    return Error{Stage::kUntrusted, "contradicts_manifest",
                 "the set lists another name, version or sequence than the container has", kNoOffset, member.path};
  }
  if (const Status wanted = CheckEncryption(set.rule(), ReleaseOf(manifest)); !wanted.ok()) {
    Error refusal = wanted.error();
    refusal.subject = member.path;
    return refusal;
  }
  return TrustedManifestMaker::Make(std::move(opened), std::move(manifest), set.signatures(), set.rule());
}

Result<TrustedManifest> SkipAuthentication(OpenedContainer opened, InsecureSkipVerification /*token*/,
                                           const Limits& limits) {
  SAFEMODEL_ASSIGN(container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, limits));
  std::vector<SignatureReport> signatures = ListSignatures(opened.envelope, limits);
  return TrustedManifestMaker::Make(std::move(opened), std::move(manifest), std::move(signatures), std::nullopt);
}

}  // namespace safemodel::trust
