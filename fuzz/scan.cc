// SPDX-License-Identifier: Apache-2.0
// Scanning of arbitrary bytes. It answers twice alike, and it never contradicts a conversion: what converts by the
// strict rules is not dangerous, and what is clean was read to its end.
#include <string>
#include <string_view>

#include "fuzz/property.h"
#include "pickle/scan.h"

namespace {

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

ScanReport Scanned(const SharedSource& source) {
  Findings findings;
  const auto claim = ScanSource(source, {}, findings);
  SAFEMODEL_PROPERTY(claim.ok());  // memory cannot fail to be read
  ScanReport report;
  std::move(findings).MoveTo(report);
  report.layout = claim.value().layout;
  report.bytes_explained = claim.value().explained;
  return report;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const SharedSource source = MakeMemorySource(ByteBuffer(data, data + size));
  const ScanReport report = Scanned(source);
  for (const Finding& finding : report.findings) {
    SAFEMODEL_PROPERTY(finding.error.stage != Stage::kInternal);
    SAFEMODEL_PROPERTY(FindScanRule(finding.error.code) != nullptr);
    SAFEMODEL_PROPERTY(finding.verdict <= report.verdict);
  }
  SAFEMODEL_PROPERTY(report.bytes_explained <= size);
  const ScanReport again = Scanned(source);
  SAFEMODEL_PROPERTY(again.verdict == report.verdict && again.finding_count == report.finding_count);
  const auto model = ImportPickleFamily(source, {});
  if (model.ok()) SAFEMODEL_PROPERTY(report.verdict != ScanVerdict::kDangerous && !report.layout.empty());
  return 0;
}
