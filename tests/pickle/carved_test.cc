// SPDX-License-Identifier: Apache-2.0
// Archives that readers would see differently: every member is judged, whoever would find it.
#include <string>

#include <doctest/doctest.h>

#include "pickle/assemble.h"
#include "pickle/scan.h"
#include "pickle/zip_builder.h"

namespace safemodel::pickle {

TEST_CASE("carved: a finding names its member once") {
  const std::string call = Program(2).Global("posix", "system").Ops("(").Str("id").Ops("tR").Stop();
  const auto other_crc = [](testing::ZipField& field) { field.crc ^= 1; };
  const std::vector<testing::ZipMember> members = {
      {"a/first.txt", "text", testing::ZipMember::Pack::kStored, other_crc}, {"a/second.pkl", call}};
  Findings findings;
  REQUIRE(ScanSource(MakeMemorySource(testing::BuildZip(members)), {}, findings).ok());
  CHECK(findings.worst() == ScanVerdict::kDangerous);
  ScanReport report;
  std::move(findings).MoveTo(report);
  bool named = false;
  for (const auto& finding : report.findings) {
    CHECK(finding.member.find('!') == std::string::npos);
    named = named || (finding.member == "a/second.pkl" && std::string_view(finding.error.code) == "GLOBAL-DANGEROUS");
  }
  CHECK(named);
}

}  // namespace safemodel::pickle
