// SPDX-License-Identifier: Apache-2.0
// What a scan says to people: the verdict first, then why, grouped by rule, and what to do.
#include <algorithm>
#include <utility>

#include "console.h"
#include "escape.h"
#include "scan_output.h"

namespace safemodel::cli {
namespace {

// More than this nobody reads on a terminal; --json has it all.
constexpr std::size_t kMostRules = 12;
constexpr std::size_t kMostPlaces = 5;

struct Group {
  const char* code;
  ScanVerdict verdict;
  Severity severity;
  std::vector<const Finding*> findings;
};

// Groups findings by rule, the gravest first, otherwise in the order found.
std::vector<Group> GroupByRule(const std::vector<Finding>& findings) {
  std::vector<Group> groups;
  for (const Finding& finding : findings) {
    const std::string_view code = finding.error.code;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& other) { return other.code == code; });
    if (group == groups.end()) {
      groups.push_back({finding.error.code, finding.verdict, finding.severity, {}});
      group = groups.end() - 1;
    }
    group->verdict = std::max(group->verdict, finding.verdict);
    group->severity = std::max(group->severity, finding.severity);
    group->findings.push_back(&finding);
  }
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return std::pair(a.verdict, a.severity) > std::pair(b.verdict, b.severity);
  });
  return groups;
}

std::string PlaceText(const Finding& finding) {
  std::string text = finding.member.empty() ? "" : "in " + EscapeForTerminal(finding.member);
  if (finding.error.offset != kNoOffset) text += " at byte " + std::to_string(finding.error.offset);
  if (!finding.opcode.empty()) {
    text += " (" + EscapeForTerminal(finding.opcode) + ", instruction " + std::to_string(finding.opcode_index) + ")";
  }
  if (!finding.tree_path.empty()) text += (text.empty() ? "as " : ", as ") + EscapeForTerminal(finding.tree_path);
  return text.starts_with(' ') ? text.substr(1) : text;
}

class ScanText : public ScanOutput {
 public:
  ScanText(std::FILE* out, ScanTextDetail detail) : out_(out), detail_(detail) {}

  void Begin() override {}

  void Add(const ScanReport& report) override {
    const bool clean = report.verdict == ScanVerdict::kClean;
    if (clean && detail_ == ScanTextDetail::kProblems) return;
    PrintVerdict(report);
    if (!report.status.ok()) Print("    " + Describe(report.status.error(), {}));
    std::vector<Group> groups = GroupByRule(report.findings);
    const auto notes = std::find_if(groups.begin(), groups.end(),
                                    [](const Group& group) { return group.verdict == ScanVerdict::kClean; });
    const auto problems = static_cast<std::size_t>(notes - groups.begin());
    for (std::size_t i = 0; i < std::min(problems, kMostRules); ++i) PrintGroup(groups[i]);
    if (problems > kMostRules) Print("  ... and " + std::to_string(problems - kMostRules) + " more rules; see --json");
    PrintNotes(groups, problems);
    if (report.finding_count > report.findings.size()) {
      Print("  " + std::to_string(report.finding_count) + " findings in all; " +
            std::to_string(report.findings.size()) + " of them were kept");
    }
  }

  void End(const ScanSummary& summary, int exit_code) override {
    if (detail_ == ScanTextDetail::kProblems) return;
    std::string line = std::to_string(summary.files) + (summary.files == 1 ? " file" : " files");
    for (std::size_t i = std::size(summary.by_verdict); i-- > 0;) {
      if (summary.by_verdict[i] == 0) continue;
      line += ", " + std::to_string(summary.by_verdict[i]) + " " + ScanVerdictName(static_cast<ScanVerdict>(i));
    }
    Print(line + (exit_code == 0 ? "" : "; not clean"));
  }

 private:
  void Print(const std::string& line) { std::fprintf(out_, "%s\n", line.c_str()); }

  void PrintVerdict(const ScanReport& report) {
    std::string facts = EscapeForTerminal(report.layout);
    if (report.size != 0) facts += (facts.empty() ? "" : ", ") + HumanBytes(report.size);
    if (report.bytes_explained < report.size && report.status.ok()) {
      facts += ", " + std::to_string(report.size - report.bytes_explained) + " bytes not explained";
    }
    std::fprintf(out_, "%-10s  %s%s\n", ScanVerdictName(report.verdict), EscapeForTerminal(report.path, 4096).c_str(),
                 facts.empty() ? "" : ("  (" + facts + ")").c_str());
  }

  void PrintGroup(const Group& group) {
    const ScanRule* rule = FindScanRule(group.code);
    Print("  " + std::string(group.code) + " (" + SeverityName(group.severity) +
          "): " + (rule == nullptr ? "" : rule->title));
    for (std::size_t i = 0; i < std::min(group.findings.size(), kMostPlaces); ++i) PrintFinding(*group.findings[i]);
    if (group.findings.size() > kMostPlaces) {
      Print("    ... and " + std::to_string(group.findings.size() - kMostPlaces) + " more of these");
    }
    if (rule != nullptr) Print("    What to do: " + std::string(rule->advice));
  }

  void PrintFinding(const Finding& finding) {
    std::string line = finding.error.text;
    if (!finding.error.subject.empty()) line += " [" + EscapeForTerminal(finding.error.subject) + "]";
    Print("    " + line);
    if (!finding.call.empty()) Print("      " + EscapeForTerminal(finding.call, 300));
    const std::string place = PlaceText(finding);
    if (!place.empty()) Print("      " + place);
    if (finding.call_tree.empty()) return;
    std::string around;
    for (const std::string& call : finding.call_tree) around += (around.empty() ? "" : " > ") + EscapeForTerminal(call);
    Print("      inside " + around);
  }

  void PrintNotes(const std::vector<Group>& groups, std::size_t first) {
    std::string line;
    for (std::size_t i = first; i < groups.size(); ++i) {
      line +=
          (line.empty() ? "" : ", ") + std::string(groups[i].code) + " " + std::to_string(groups[i].findings.size());
    }
    if (!line.empty()) Print("  notes: " + line);
  }

  std::FILE* out_;
  ScanTextDetail detail_;
};

}  // namespace

std::unique_ptr<ScanOutput> MakeScanText(std::FILE* out, ScanTextDetail detail) {
  return std::make_unique<ScanText>(out, detail);
}

}  // namespace safemodel::cli
