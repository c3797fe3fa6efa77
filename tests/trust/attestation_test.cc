// SPDX-License-Identifier: Apache-2.0
#include "trust/attestation.h"

#include <doctest/doctest.h>
#include <safemodel/artifact.h>
#include <safemodel/attest.h>

#include <string>

#include "base/cursor.h"
#include "fixture.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

std::string Text(const std::string& type, const std::string& predicate,
                 const std::string& digest = std::string(64, 'a')) {
  return R"({"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"acme/m@1","digest":{"sha256":")" + digest +
         R"("}}],"predicateType":")" + type + R"(","predicate":)" + predicate + "}";
}

Result<Attestation> Parse(const std::string& text) { return ParseAttestation(AsBytes(text), {}); }

}  // namespace

TEST_CASE("attestation: subject, type and the time at the place of the type") {
  struct Row {
    const char* type;
    const char* predicate;
    const char* time;  // empty: none
  };
  const Row rows[] = {
      {"https://slsa.dev/provenance/v1", R"({"runDetails":{"metadata":{"finishedOn":"2026-01-02T03:04:05Z"}}})",
       "2026-01-02T03:04:05Z"},
      {"https://slsa.dev/provenance/v1", R"({"timestamp":"2026-01-02T03:04:05Z"})", ""},
      {"https://slsa.dev/verification_summary/v1", R"({"timeVerified":"2026-01-02T03:04:05Z"})",
       "2026-01-02T03:04:05Z"},
      {"https://cyclonedx.org/bom", R"({"metadata":{"timestamp":"2026-01-02T04:04:05.123+01:00"}})",
       "2026-01-02T03:04:05Z"},
      {"https://cyclonedx.org/bom/v1.6", R"({"metadata":{"timestamp":"2026-01-01T22:04:05-05:00"}})",
       "2026-01-02T03:04:05Z"},
      {"https://cyclonedx.org/bomb", R"({"timestamp":"2026-01-02T03:04:05Z"})", "2026-01-02T03:04:05Z"},
      {"https://safemodel.dev/scan/v1", R"({"scannedAt":"2026-01-02T03:04:05Z"})", "2026-01-02T03:04:05Z"},
      {"https://example.com/tested", R"({"timestamp":"2026-01-02T03:04:05Z"})", "2026-01-02T03:04:05Z"},
      {"https://example.com/tested", R"({"timestamp":1})", ""},
      {"https://example.com/tested", R"({"timestamp":"yesterday"})", ""},
      {"https://example.com/tested", "{}", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.type);
    CAPTURE(row.predicate);
    const auto parsed = Parse(Text(row.type, row.predicate));
    REQUIRE(parsed.ok());
    CHECK(parsed.value().predicate_type == row.type);
    CHECK(parsed.value().subject_name == "acme/m@1");
    CHECK(parsed.value().manifest_digest[31] == 0xAA);
    CHECK((parsed.value().time.has_value() ? FormatTimestamp(*parsed.value().time) : "") == row.time);
  }
}

TEST_CASE("attestation: what is none") {
  const auto stage = [](const std::string& text) {
    const auto parsed = Parse(text);
    REQUIRE_FALSE(parsed.ok());
    return parsed.error().stage;
  };
  CHECK(stage(Text("https://safemodel.dev/release/v1", "{}")) == Stage::kUntrusted);
  CHECK(stage(Text("", "{}")) == Stage::kMalformed);
  CHECK(stage(Text(std::string(256, 'x'), "{}")) == Stage::kMalformed);
  CHECK(stage(Text("https://example.com/t", "[]")) == Stage::kMalformed);
  CHECK(stage(Text("https://example.com/t", "{}", std::string(63, 'a'))) == Stage::kMalformed);
  CHECK(stage("{}") == Stage::kMalformed);
  CHECK(stage("[]") == Stage::kMalformed);
}

TEST_CASE("attestation: a scan result counts only when its verdict is clean") {
  const auto code = [](const std::string& type, const std::string& predicate) -> std::string {
    const auto parsed = Parse(Text(type, predicate));
    REQUIRE(parsed.ok());
    const Status status = CheckScan(parsed.value());
    return status.ok() ? "ok" : status.error().code;
  };
  const std::string scan(kScanType);
  CHECK(code(scan, R"({"verdict":"clean"})") == "ok");
  for (const char* predicate : {R"({"verdict":"dangerous"})", R"({"verdict":"unknown"})", R"({"verdict":"unreadable"})",
                                R"({"verdict":"Clean"})", R"({"verdict":""})", R"({"verdict":["clean"]})",
                                R"({"scanner":{"verdict":"clean"}})", "{}"}) {
    CAPTURE(predicate);
    CHECK(code(scan, predicate) == "scan_not_clean");
  }
  CHECK(code("https://example.com/scan", R"({"verdict":"dangerous"})") == "ok");
}

TEST_CASE("attestation: what a scan of a source found is told of a container alone") {
  const TestFolder folder;
  const SecretKey key = NewKey();
  const std::string file = folder / "m.bin";
  WriteFileBytes(file, AsBytes("x"));
  REQUIRE(SignArtifact(file, key, At(kNow), {}).ok());
  const ByteBuffer before = ReadFileBytes(file + ".envelope");
  AttestOptions options;
  options.predicate_type = kScanPredicate;
  options.subject = AttestOptions::Subject::kArtifact;
  const auto refused = Attest(file, AsBytes(R"({"verdict":"clean"})"), key, options);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().stage == Stage::kUsage);
  CHECK(ReadFileBytes(file + ".envelope") == before);
  options.scanned = AttestOptions::Scanned::kRelease;
  const auto itself = Attest(file, AsBytes(R"({"verdict":"clean"})"), key, options);
  REQUIRE(itself.ok());
  CHECK(itself.value().verdict == "clean");
  options.predicate_type = kSlsaPredicate;
  options.scanned = AttestOptions::Scanned::kSource;
  const auto other = Attest(file, AsBytes(R"({"verdict":"clean"})"), key, options);
  REQUIRE(other.ok());
  CHECK(other.value().verdict.empty());
}

TEST_CASE("timestamp: what other tools write") {
  for (const char* text : {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.123456789Z",
                           "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00-00:00", "2026-01-01T14:00:00.1+14:00"}) {
    CAPTURE(text);
    const auto time = ParseForeignTimestamp(text);
    REQUIRE(time.ok());
    CHECK(time.value() == 1767225600);
  }
  for (const char* text : {"", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z",
                           "2026-01-01T00:00:00z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+24:00",
                           "2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00+0000", "2026-02-30T00:00:00Z",
                           "2026-01-01 00:00:00Z", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00.5"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseForeignTimestamp(text).ok());
  }
}

}  // namespace safemodel::trust
