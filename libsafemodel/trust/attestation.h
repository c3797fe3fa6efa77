// SPDX-License-Identifier: Apache-2.0
// Attestations: what somebody says about a manifest without releasing it. Spec: section 11.4.
//
// The payload is an in-toto Statement v1 like that of a release, under the same strict JSON and with the same subject:
//
//   {"_type": "https://in-toto.io/Statement/v1",
//    "subject": [{"name": "NAME@VERSION", "digest": {"sha256": "64 lower-case hex digits of the manifest's SHA-256"}}],
//    "predicateType": "https://slsa.dev/provenance/v1",
//    "predicate": {...}}
//
// `predicateType` is any text but that of a release. Of the predicate, the `verdict` of a scan of our own type is read,
// and the time of what it reports, an RFC 3339 time, at the place that its type has for it:
//
//   https://slsa.dev/provenance/v1                runDetails.metadata.finishedOn
//   https://slsa.dev/verification_summary/v1      timeVerified
//   https://cyclonedx.org/bom, also with /v1.N    metadata.timestamp
//   https://safemodel.dev/scan/v1                 scannedAt
//   any other                                     timestamp
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <safemodel/bytes.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

namespace safemodel::trust {

struct Attestation {
  Digest manifest_digest{};
  std::string subject_name;  // NAME@VERSION
  std::string predicate_type;
  std::optional<std::int64_t> time;  // Unix seconds; absent when the predicate states none that can be read
  std::string scan_verdict;          // of type kScanType alone; empty when it states none
};

inline constexpr std::string_view kScanType = "https://safemodel.dev/scan/v1";

inline constexpr std::size_t kPredicateTypeBytes = 255;

// CheckScan refuses (kUntrusted "scan_not_clean") a scan result with another verdict than "clean"; [P-SCAN].
Status CheckScan(const Attestation& attestation);

// ParseAttestation reads a payload whose signature has been verified. Errors: kMalformed, kLimit, and kUntrusted
// "other_statement" for a release and for statements of another version.
Result<Attestation> ParseAttestation(ByteView payload, const Limits& limits);

}  // namespace safemodel::trust
