// SPDX-License-Identifier: Apache-2.0
// Attestations: what somebody says about a release without releasing it, such as where it was built or what a scan
// found. They lie in the envelope beside the signatures and never count as one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <safemodel/bytes.h>
#include <safemodel/scan.h>
#include <safemodel/sign.h>

namespace safemodel {

inline constexpr std::string_view kSlsaPredicate = "https://slsa.dev/provenance/v1";
inline constexpr std::string_view kBomPredicate = "https://cyclonedx.org/bom";
inline constexpr std::string_view kScanPredicate = "https://safemodel.dev/scan/v1";

struct AttestOptions {
  std::string predicate_type;  // any URI that is not that of a release
  // What the attestation is about: a container; a file or folder of any format, by its envelope; a set, by its file.
  enum class Subject : std::uint8_t { kContainer, kArtifact, kSet };
  Subject subject = Subject::kContainer;
  // What a predicate of type kScanPredicate is about: the source that a container was made of, whose digest has to be
  // the one that the container records, if it does (an encrypted one hides it); or the release itself, as it lies.
  // Nothing but a container has a source.
  enum class Scanned : std::uint8_t { kSource, kRelease };
  Scanned scanned = Scanned::kSource;
  // What becomes of the attestations of this type that the same key made before about the same manifest.
  SignOptions::Earlier earlier = SignOptions::Earlier::kKeep;
  Placement placement = Placement::kKeep;  // of a container's envelope
  std::string envelope_path = {};          // of an artifact; empty: PATH.envelope
  Limits limits = {};
};

struct AttestReport {
  std::string model_name;
  std::string model_version;
  Digest manifest_digest{};
  std::string predicate_type;
  std::string verdict;  // of a scan result; empty for other types
  std::string key_id;
  std::size_t replaced = 0;  // earlier attestations that were taken out
  std::string envelope_path;
};

// Attest adds an attestation by `key` about the release at `path`. `predicate` is strict JSON, an object, taken over
// byte by byte; the whole statement stays within Limits::statement_bytes and json_depth. Nothing but the manifest and
// the envelope is read, and writing is as crash-safe as Sign. Errors: those of Sign; kMalformed and kLimit also for the
// predicate; kUsage "bad_predicate_type"; of a scan result kUnsafe "scan_not_clean", which would count for nobody,
// kDigestMismatch "other_source", kUsage "source_not_named" when it names no digest to compare with the recorded ones,
// and kUsage "bad_arguments" for a source of what is no container.
Result<AttestReport> Attest(const std::string& path, ByteView predicate, const Signer& key,
                            const AttestOptions& options);

// ScanPredicate scans the file at `source` and returns what was found as a predicate of type kScanPredicate: verdict,
// the rules that fired, the version of the rules, digests and size of the file, and the time `now` (Unix seconds). The
// file that is hashed is the file that was scanned: kIo "changed" otherwise. A folder is refused (kIo), and so are
// classes of one's own (kUsage): the predicate names the built-in allow-list alone.
Result<std::string> ScanPredicate(const std::string& source, std::int64_t now, const ScanOptions& options = {});

}  // namespace safemodel
