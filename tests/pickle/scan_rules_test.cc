// SPDX-License-Identifier: Apache-2.0
#include "pickle/scan_rules.h"

#include <doctest/doctest.h>

#include <string>

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

TEST_CASE("scan rules: each is found by its id, and nothing else is") {
  for (const ScanRule& rule : ScanRules()) CHECK(FindScanRule(rule.id) == &rule);
  for (const char* id : {"", "AAA", "CALL", "CALL-ARGS ", "call-args", "ZZZ", "ZIP-VERSION2"})
    CHECK(FindScanRule(id) == nullptr);
}

TEST_CASE("scan rules: severity follows the verdict") {
  struct Row {
    const char* id;
    ScanVerdict verdict;
    Severity severity;
  };
  const Row rows[] = {
      {"CALL-UNLISTED", ScanVerdict::kDangerous, Severity::kCritical},
      {"GLOBAL-DANGEROUS", ScanVerdict::kDangerous, Severity::kHigh},
      {"CALL-ARGS", ScanVerdict::kDangerous, Severity::kCritical},
      {"CALL-ARGS", ScanVerdict::kUnknown, Severity::kMedium},
      {"ZIP-FLAGS", ScanVerdict::kUnreadable, Severity::kHigh},
      {"PKL-MALFORMED", ScanVerdict::kUnreadable, Severity::kHigh},
      {"GLOBAL-UNLISTED", ScanVerdict::kUnknown, Severity::kMedium},
      {"FILE-OPAQUE", ScanVerdict::kClean, Severity::kNote},
      {"MEM-VIEW", ScanVerdict::kDangerous, Severity::kCritical},
      {"SECRET-TOKEN", ScanVerdict::kUnknown, Severity::kHigh},
  };
  for (const Row& row : rows) {
    const ScanRule* rule = FindScanRule(row.id);
    REQUIRE(rule != nullptr);
    CHECK(std::string(SeverityName(SeverityOf(*rule, row.verdict))) == SeverityName(row.severity));
    CHECK(CanGive(*rule, row.verdict));
  }
}

TEST_CASE("scan rules: a rule gives the verdicts that the page states, and no others") {
  const ScanRule* args = FindScanRule("CALL-ARGS");
  REQUIRE(args != nullptr);
  CHECK_FALSE(CanGive(*args, ScanVerdict::kUnreadable));
  CHECK_FALSE(CanGive(*args, ScanVerdict::kClean));
  for (const ScanRule& rule : ScanRules()) {
    CHECK(CanGive(rule, rule.gravest));
    // No rule gives a graver verdict than it states.
    for (const ScanVerdict verdict : {ScanVerdict::kUnknown, ScanVerdict::kUnreadable, ScanVerdict::kDangerous}) {
      if (verdict > rule.gravest) CHECK_FALSE(CanGive(rule, verdict));
    }
    CHECK((rule.severity == Severity::kNote) == (rule.gravest == ScanVerdict::kClean));
  }
}
