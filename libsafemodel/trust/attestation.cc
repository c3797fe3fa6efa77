// SPDX-License-Identifier: Apache-2.0
#include "trust/attestation.h"

#include <array>

#include "base/try.h"
#include "json/json.h"
#include "trust/statement.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

constexpr std::string_view kBom = "https://cyclonedx.org/bom";

// TimePath names the members on the way to the time of a predicate; unused ones are empty.
using TimePath = std::array<std::string_view, 3>;

TimePath TimePathOf(std::string_view type) {
  if (type == "https://slsa.dev/provenance/v1") return {"runDetails", "metadata", "finishedOn"};
  if (type == "https://slsa.dev/verification_summary/v1") return {"timeVerified"};
  if (type == kBom || type.substr(0, kBom.size() + 1) == "https://cyclonedx.org/bom/") return {"metadata", "timestamp"};
  if (type == kScanType) return {"scannedAt"};
  return {"timestamp"};
}

// TimeOf returns the time that a predicate states. A time that cannot be read is none: a rule that asks for an age then
// refuses the attestation, and no other rule needs it.
std::optional<std::int64_t> TimeOf(const json::Value& predicate, std::string_view type) {
  const json::Value* value = &predicate;
  for (const std::string_view name : TimePathOf(type)) {
    if (name.empty()) break;
    value = value->Find(name);
    if (value == nullptr) return std::nullopt;
  }
  if (value->AsString() == nullptr) return std::nullopt;
  const auto time = ParseForeignTimestamp(*value->AsString());
  return time.ok() ? std::optional(time.value()) : std::nullopt;
}

Error BadField(const char* name) {
  return {Stage::kMalformed, "bad_field", "a field of a statement is missing or of the wrong kind", kNoOffset, name};
}

}  // namespace

Result<Attestation> ParseAttestation(ByteView payload, const Limits& limits) {
  SAFEMODEL_ASSIGN(const json::Value root, json::Parse(payload, {limits.statement_bytes, limits.json_depth}));
  const json::Value* type = root.Find("_type");
  const json::Value* predicate_type = root.Find("predicateType");
  if (type == nullptr || type->AsString() == nullptr) return BadField("_type");
  if (predicate_type == nullptr || predicate_type->AsString() == nullptr) return BadField("predicateType");
  Attestation attestation;
  attestation.predicate_type = *predicate_type->AsString();
  if (*type->AsString() != kStatementType || IsReleaseType(attestation.predicate_type)) {
    return Error{Stage::kUntrusted, "other_statement",
                 "this is another kind of statement than an attestation and counts for nothing"};
  }
  if (attestation.predicate_type.empty() || attestation.predicate_type.size() > kPredicateTypeBytes)
    return BadField("predicateType");
  SAFEMODEL_ASSIGN(Subject subject, ParseSubject(root));
  attestation.manifest_digest = subject.manifest_digest;
  attestation.subject_name = std::move(subject.name);
  const json::Value* predicate = root.Find("predicate");
  if (predicate == nullptr || predicate->AsObject() == nullptr) return BadField("predicate");
  attestation.time = TimeOf(*predicate, attestation.predicate_type);
  const json::Value* verdict = attestation.predicate_type == kScanType ? predicate->Find("verdict") : nullptr;
  if (verdict != nullptr && verdict->AsString() != nullptr) attestation.scan_verdict = *verdict->AsString();
  return attestation;
}

Status CheckScan(const Attestation& attestation) {
  if (attestation.predicate_type != kScanType || attestation.scan_verdict == "clean") return {};
  return Error{Stage::kUntrusted, "scan_not_clean", "the attested result of a scan is not the verdict clean", kNoOffset,
               attestation.scan_verdict.empty() ? "no verdict" : "verdict " + attestation.scan_verdict};
}

}  // namespace safemodel::trust
