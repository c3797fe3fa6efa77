// SPDX-License-Identifier: Apache-2.0
#include <safemodel/attest.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "base/cursor.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"
#include "json/json.h"
#include "model/artifact_files.h"
#include "model/identity.h"
#include "model/scan_file.h"
#include "trust/attestation.h"
#include "trust/earlier_statements.h"
#include "trust/envelope_store.h"
#include "trust/envelope_writer.h"
#include "trust/sign_core.h"
#include "trust/timestamp.h"

namespace safemodel {
namespace {

// Subject is the release that an attestation is about, and the envelope that it goes into.
struct Subject {
  trust::Release release;
  Digest manifest_digest{};
  const std::optional<container::Envelope>& envelope;
  container::KeyValues metadata = {};  // of a container
};

// ScannedDigest returns a digest of the source that a scan result names, in hex; empty when it names none.
std::string ScannedDigest(const json::Value& predicate, std::string_view algorithm) {
  const json::Value* value = &predicate;
  for (const std::string_view name : {std::string_view("source"), std::string_view("digest"), algorithm}) {
    value = value->Find(name);
    if (value == nullptr) return {};
  }
  return value->AsString() != nullptr ? *value->AsString() : std::string();
}

// CheckScannedSource compares what was scanned with what the container says that it was made of. Nothing else records
// that, so a scan of a source says nothing about anything else.
Status CheckScannedSource(const Subject& subject, const json::Value& predicate, const AttestOptions& options) {
  if (options.predicate_type != kScanPredicate || options.scanned == AttestOptions::Scanned::kRelease) return {};
  if (options.subject != AttestOptions::Subject::kContainer) {
    return Error{Stage::kUsage, "bad_arguments",
                 "only a container was made of a source; what is said of a file is what a scan of the file itself "
                 "found"};
  }
  std::string not_named;
  bool compared = false;
  for (const auto& [key, recorded] : subject.metadata) {
    if (key != "source.blake3" && key != "source.sha256") continue;
    const std::string scanned = ScannedDigest(predicate, std::string_view(key).substr(kSourcePrefix.size()));
    if (scanned.empty()) {
      not_named = key;
      continue;
    }
    compared = true;
    if (scanned == recorded) continue;
    return Error{Stage::kDigestMismatch, "other_source",
                 "what was scanned is not what the container was made of; scan its one source file, or the container "
                 "itself",
                 kNoOffset, key + " " + recorded + ", scanned " + scanned};
  }
  if (compared || not_named.empty()) return {};
  return Error{Stage::kUsage, "source_not_named",
               "the result names no digest that the container records; scan the source again with this version, or "
               "scan the container itself",
               kNoOffset, not_named};
}

// Payload is a statement, and the verdict that its predicate states if it is a scan result.
struct Payload {
  ByteBuffer bytes;
  std::string scan_verdict;
};

// PayloadOf puts the predicate into a statement as it was written. It is valid JSON by itself, so it cannot reach out
// of its place.
Result<Payload> PayloadOf(const Subject& subject, ByteView predicate, const AttestOptions& options) {
  if (options.predicate_type.empty() || trust::IsReleaseType(options.predicate_type) ||
      options.predicate_type.size() > trust::kPredicateTypeBytes) {
    return Error{Stage::kUsage, "bad_predicate_type",
                 "an attestation has a predicate type, other than that of a release", kNoOffset,
                 options.predicate_type};
  }
  const auto value = json::Parse(predicate, {options.limits.statement_bytes, options.limits.json_depth});
  if (!value.ok()) {
    return Error{value.error().stage, "bad_predicate",
                 "the predicate is no JSON as everybody reads it: strict, and "
                 "within the limits",
                 value.error().offset, value.error().code};
  }
  if (value.value().AsObject() == nullptr)
    return Error{Stage::kMalformed, "bad_predicate", "the predicate of an attestation is a JSON object"};
  std::string text = "{\"_type\":" + json::Quote(trust::kStatementType) +
                     ",\"subject\":[{\"name\":" + json::Quote(subject.release.name + "@" + subject.release.version) +
                     ",\"digest\":{\"sha256\":" + json::Quote(crypto::Hex(subject.manifest_digest)) +
                     "}}],\"predicateType\":" + json::Quote(options.predicate_type) + ",\"predicate\":";
  text += AsText(predicate);
  text += "}";
  const ByteView bytes = AsBytes(text);
  // What no verifier would accept is not signed: the whole is deeper and longer than the predicate.
  SAFEMODEL_ASSIGN(const trust::Attestation attestation, trust::ParseAttestation(bytes, options.limits));
  if (const Status scan = trust::CheckScan(attestation); !scan.ok()) {
    return Error{Stage::kUnsafe, "scan_not_clean",
                 "the scan does not say that the source is clean, so nobody would accept its result; nothing was "
                 "attested. See: safemodel scan",
                 kNoOffset, scan.error().subject};
  }
  SAFEMODEL_TRY(CheckScannedSource(subject, value.value(), options));
  return Payload{ByteBuffer(bytes.begin(), bytes.end()), attestation.scan_verdict};
}

Result<ByteBuffer> FrameWith(const Subject& subject, ByteView predicate, const Signer& key,
                             const AttestOptions& options, AttestReport& report) {
  SAFEMODEL_ASSIGN(Payload payload, PayloadOf(subject, predicate, options));
  SAFEMODEL_ASSIGN(container::Envelope envelope, trust::NextEnvelope(subject.envelope, subject.manifest_digest));
  SAFEMODEL_ASSIGN(container::EnvelopeItem item, trust::SignPayload(std::move(payload.bytes), key, options.limits));
  if (options.earlier == SignOptions::Earlier::kReplace) {
    report.replaced = trust::TakeOutAttestations(envelope, key.public_key(), options.predicate_type, options.limits);
  }
  envelope.items.push_back(std::move(item));
  report.model_name = subject.release.name;
  report.model_version = subject.release.version;
  report.manifest_digest = subject.manifest_digest;
  report.predicate_type = options.predicate_type;
  report.verdict = std::move(payload.scan_verdict);
  report.key_id = key.public_key().KeyId();
  return trust::FrameBytes(envelope, options.limits);
}

Result<AttestReport> AttestContainer(const std::string& path, ByteView predicate, const Signer& key,
                                     const AttestOptions& options) {
  SAFEMODEL_ASSIGN(auto writer, trust::EnvelopeWriter::Open(path, options.placement, options.limits));
  const trust::OpenedContainer& opened = writer.container();
  SAFEMODEL_ASSIGN(const container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, options.limits));
  AttestReport report;
  SAFEMODEL_ASSIGN(const ByteBuffer frame,
                   FrameWith({trust::ReleaseOf(manifest), opened.manifest_digest, opened.envelope, manifest.metadata},
                             predicate, key, options, report));
  SAFEMODEL_ASSIGN(report.envelope_path, writer.Write(frame));
  return report;
}

Result<trust::Release> ReleaseOfListing(const trust::DetachedRelease& detached, const Limits& limits) {
  if (detached.kind == trust::ReleaseKind::kSet) {
    SAFEMODEL_ASSIGN(const container::SetManifest set, container::ParseSetManifest(detached.manifest_bytes, limits));
    return trust::ReleaseOf(set);
  }
  SAFEMODEL_ASSIGN(const container::FilesManifest files,
                   container::ParseFilesManifest(detached.manifest_bytes, limits));
  return trust::ReleaseOf(files);
}

Error NothingToAttest(const std::string& listing_path, trust::ReleaseKind kind) {
  if (kind == trust::ReleaseKind::kSet)
    return {Stage::kIo, "not_found", "there is no such set; sign it first (sign --set)", kNoOffset, listing_path};
  return {Stage::kUntrusted, "no_signature",
          "this has no signature yet, so there is nothing to attach it to; sign it first", kNoOffset, listing_path};
}

// AttestListing adds to the envelope behind a listing; `lock` is what its signers lock.
Result<AttestReport> AttestListing(const std::string& listing_path, const std::string& lock, trust::ReleaseKind kind,
                                   ByteView predicate, const Signer& key, const AttestOptions& options) {
  SAFEMODEL_ASSIGN(const Descriptor locked, trust::LockForSigning(lock));
  SAFEMODEL_ASSIGN(const auto file, trust::LookAtSidecar(listing_path, trust::SidecarLookup::kToReplace));
  if (file == nullptr) return NothingToAttest(listing_path, kind);
  SAFEMODEL_ASSIGN(const trust::DetachedRelease detached, trust::ReadDetached(*file, kind, options.limits));
  SAFEMODEL_ASSIGN(const trust::Release release, ReleaseOfListing(detached, options.limits));
  AttestReport report;
  SAFEMODEL_ASSIGN(const ByteBuffer frame,
                   FrameWith({release, detached.manifest_digest, detached.envelope}, predicate, key, options, report));
  SAFEMODEL_TRY(trust::WriteDetached(listing_path, detached.manifest_bytes, frame, OutputFile::Overwrite::kReplace));
  report.envelope_path = listing_path;
  return report;
}

Result<AttestReport> AttestAny(const std::string& path, ByteView predicate, const Signer& key,
                               const AttestOptions& options) {
  if (!options.envelope_path.empty() && options.subject != AttestOptions::Subject::kArtifact) {
    return Error{Stage::kUsage, "bad_arguments",
                 "only a file or folder has its envelope elsewhere; leave the path of the envelope out"};
  }
  if (options.subject == AttestOptions::Subject::kContainer) return AttestContainer(path, predicate, key, options);
  if (options.subject == AttestOptions::Subject::kSet) {
    return AttestListing(path, FolderOf(path), trust::ReleaseKind::kSet, predicate, key, options);
  }
  SAFEMODEL_ASSIGN(const ArtifactRoot root, ArtifactRoot::Open(path));
  return AttestListing(EnvelopePathOf(root, options.envelope_path), root.path(), trust::ReleaseKind::kFiles, predicate,
                       key, options);
}

struct FileDigests {
  Digest sha256{};
  Digest blake3{};
};

Result<FileDigests> DigestsOfFile(const File& file) {
  crypto::Sha256 sha256;
  crypto::Blake3 blake3;
  ByteBuffer buffer(1u << 20);
  for (std::uint64_t offset = 0; offset < file.size(); offset += buffer.size()) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), file.size() - offset));
    const MutableBytes chunk = MutableBytes(buffer).first(length);
    SAFEMODEL_TRY(file.ReadAt(offset, chunk));
    sha256.Update(chunk);
    blake3.Update(chunk);
  }
  return FileDigests{sha256.Finish(), blake3.Finish()};
}

// RulesOf lists the rules that fired, each once.
std::string RulesOf(const ScanReport& report) {
  std::vector<std::string> seen;
  std::string text;
  for (const Finding& finding : report.findings) {
    if (std::find(seen.begin(), seen.end(), finding.error.code) != seen.end()) continue;
    seen.emplace_back(finding.error.code);
    text += (text.empty() ? "" : ",") + json::Quote(finding.error.code);
  }
  return "[" + text + "]";
}

std::string PredicateText(const ScanReport& report, const FileDigests& digests, std::int64_t now) {
  return "{\"scanner\":{\"name\":\"safemodel\",\"rules\":" + json::Quote(ScanRuleSetVersion()) +
         ",\"allowList\":{\"blake3\":" + json::Quote(crypto::Hex(AllowListDigest())) +
         "}},\"source\":{\"digest\":{\"sha256\":" + json::Quote(crypto::Hex(digests.sha256)) +
         ",\"blake3\":" + json::Quote(crypto::Hex(digests.blake3)) + "},\"bytes\":" + std::to_string(report.size) +
         "},\"verdict\":" + json::Quote(ScanVerdictName(report.verdict)) +
         ",\"findings\":" + std::to_string(report.finding_count) + ",\"rulesFired\":" + RulesOf(report) +
         ",\"scannedAt\":" + json::Quote(trust::FormatTimestamp(now)) + "}";
}

Result<std::string> ScanOne(const std::string& source, std::int64_t now, const ScanOptions& options) {
  SAFEMODEL_TRY(trust::CheckNow(now));
  if (!options.allowed.files().empty()) {
    return Error{Stage::kUsage, "bad_arguments",
                 "a scan that is attested uses the built-in allow-list alone: the predicate names no other"};
  }
  SAFEMODEL_ASSIGN(const auto file, File::Open(source));
  SAFEMODEL_ASSIGN(const FileDigests digests, DigestsOfFile(*file));
  // The scan reads the file that was hashed, and nobody wrote to it meanwhile.
  const ScanReport report = ScanOpenFile(file, options);
  if (!report.status.ok()) return report.status.error();
  SAFEMODEL_TRY(file->CheckUnchanged());
  return PredicateText(report, digests, now);
}

}  // namespace

Result<AttestReport> Attest(const std::string& path, ByteView predicate, const Signer& key,
                            const AttestOptions& options) {
  return CatchOutOfMemory([&] { return AttestAny(path, predicate, key, options); });
}

Result<std::string> ScanPredicate(const std::string& source, std::int64_t now, const ScanOptions& options) {
  return CatchOutOfMemory([&] { return ScanOne(source, now, options); });
}

}  // namespace safemodel
