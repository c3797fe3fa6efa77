// SPDX-License-Identifier: Apache-2.0
// Writes made up reports through the writers of the command line: scan_documents FORM SCENARIO. It prints the document
// and ends with the exit code that `safemodel scan` would end with.
#include <cstdio>
#include <cstring>
#include <string>

#include "scan_output.h"

using namespace safemodel;       // NOLINT(google-build-using-namespace)
using namespace safemodel::cli;  // NOLINT(google-build-using-namespace)

namespace {

// Everything that could harm a terminal, a log viewer, JSON, a code host or a format string.
const std::string kHostile =
    std::string(
        "a\x1b[31m\x07\r\n::set-env name=X::1\n##vso[x]</script>\"'\\{0}%s%n[click](https://evil.example)\xc2\x9b") +
    "\xe2\x80\xae\xf3\xa0\x81\x81\xff\xed\xa0\x80 ../../x" + std::string(1, '\0') + "end";

Finding MakeFinding(const char* rule, ScanVerdict verdict, Severity severity) {
  Finding finding;
  finding.verdict = verdict;
  finding.severity = severity;
  finding.error = {Stage::kUnsafe, rule, "the pickle calls a function that is on no list", 37, "posix.system"};
  finding.member = "archive/data.pkl";
  finding.length = 1;
  finding.opcode_index = 12;
  finding.opcode = "REDUCE";
  finding.call = "os.system('echo hello')";
  finding.tree_path = "root[\"model\"].hooks[0]";
  finding.call_tree = {"torch._utils._rebuild_tensor_v2", "collections.OrderedDict"};
  return finding;
}

ScanReport MakeReport(const std::string& path, ScanVerdict verdict) {
  ScanReport report;
  report.path = path;
  report.size = 1234;
  report.verdict = verdict;
  report.layout = "torch-zip";
  report.bytes_explained = verdict == ScanVerdict::kClean ? 1234 : 1200;
  report.streams = {{"archive/data.pkl", 0, 99, 2, 41}};
  report.stream_count = 1;
  report.globals = {{"posix", "system", 1, 20, ScannedGlobal::Listed::kNo},
                    {"torch._utils", "_rebuild_tensor_v2", 7, 64, ScannedGlobal::Listed::kYes}};
  return report;
}

ScanReport Dangerous() {
  ScanReport report = MakeReport("models/evil model.pt", ScanVerdict::kDangerous);
  report.findings.push_back(MakeFinding("FILE-OPAQUE", ScanVerdict::kClean, Severity::kNote));
  report.findings.push_back(MakeFinding("GLOBAL-UNLISTED", ScanVerdict::kUnknown, Severity::kMedium));
  report.findings.push_back(MakeFinding("CALL-UNLISTED", ScanVerdict::kDangerous, Severity::kCritical));
  Finding whole = MakeFinding("ZIP-OUTSIDE", ScanVerdict::kDangerous, Severity::kCritical);
  whole.member.clear(), whole.opcode.clear(), whole.call.clear(), whole.tree_path.clear(), whole.call_tree.clear();
  whole.length = 512;
  report.findings.push_back(whole);
  report.finding_count = report.findings.size();
  report.opaque = {"archive/README.md"};
  report.opaque_count = 1;
  return report;
}

ScanReport Hostile() {
  ScanReport report = MakeReport("../" + kHostile, ScanVerdict::kDangerous);
  Finding finding = MakeFinding("CALL-UNLISTED", ScanVerdict::kDangerous, Severity::kCritical);
  finding.error.subject = kHostile;
  finding.member = "outer.zip!" + kHostile;
  finding.call = kHostile + "(" + std::string(1u << 20, 'x') + ")";
  finding.tree_path = kHostile;
  finding.call_tree = {kHostile, kHostile};
  report.findings = {finding};
  report.finding_count = 1;
  report.opaque = {kHostile};
  report.opaque_count = 1;
  report.globals = {{kHostile, kHostile, 1, 0, ScannedGlobal::Listed::kNo}};
  return report;
}

ScanReport Many() {
  ScanReport report = MakeReport("many.pkl", ScanVerdict::kDangerous);
  for (const ScanRule& rule : ScanRules()) {
    for (int i = 0; i < 7; ++i) report.findings.push_back(MakeFinding(rule.id, rule.gravest, rule.severity));
  }
  report.finding_count = 100000;
  return report;
}

ScanReport Refused() {
  ScanReport report = MakeReport("no_right.pt", ScanVerdict::kUnreadable);
  report.size = report.bytes_explained = 0;
  report.layout.clear();
  report.status = Error{Stage::kIo, "open_failed", "the file cannot be opened: permission denied"};
  return report;
}

ScanReport Leaked() {
  ScanReport report = MakeReport("secret.pt", ScanVerdict::kUnknown);
  report.findings.push_back(MakeFinding("SECRET-TOKEN", ScanVerdict::kUnknown, Severity::kHigh));
  report.finding_count = 1;
  return report;
}

std::vector<ScanReport> ReportsOf(std::string_view scenario) {
  if (scenario == "clean") return {MakeReport("a.pt", ScanVerdict::kClean), MakeReport("b:c.pt", ScanVerdict::kClean)};
  if (scenario == "dangerous") return {MakeReport("a.pt", ScanVerdict::kClean), Dangerous()};
  if (scenario == "hostile") return {Hostile()};
  if (scenario == "many") return {Many()};
  if (scenario == "refused") return {MakeReport("a.pt", ScanVerdict::kClean), Refused()};
  if (scenario == "refused_and_unknown") return {Refused(), Leaked()};
  if (scenario == "unreadable") return {MakeReport("/tmp/cut.pkl", ScanVerdict::kUnreadable)};
  return {};  // "nothing"
}

std::unique_ptr<ScanOutput> MakeOutput(std::string_view form) {
  ScanBasis basis{"0.1.0", ScanRuleSetVersion(), {}};
  basis.allow_list.fill(0xAB);
  if (form == "json") return MakeScanJson(stdout, basis);
  if (form == "sarif") return MakeScanSarif(stdout, basis);
  return MakeScanText(stdout, form == "quiet" ? ScanTextDetail::kProblems : ScanTextDetail::kEverything);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto output = MakeOutput(argv[1]);
  output->Begin();
  ScanSummary summary;
  bool system_refused = false;
  for (const ScanReport& report : ReportsOf(argv[2])) {
    if (summary.files++ == 0 || report.verdict > summary.worst) summary.worst = report.verdict;
    ++summary.by_verdict[static_cast<std::size_t>(report.verdict)];
    system_refused = system_refused || !report.status.ok();
    output->Add(report);
  }
  const int exit_code = ScanExitCode(summary, system_refused);
  output->End(summary, exit_code);
  return std::fflush(stdout) == 0 ? exit_code : 4;
}
