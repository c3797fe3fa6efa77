// SPDX-License-Identifier: Apache-2.0
// The JSON document of a scan. Scripts depend on it: members are added, never renamed or removed.
#include <algorithm>
#include <string_view>

#include "allowed_note.h"
#include "report.h"
#include "scan_output.h"

namespace safemodel::cli {

std::vector<std::string> AtlasOf(const Finding& finding) {
  std::vector<std::string> ids;
  const ScanRule* rule = FindScanRule(finding.error.code);
  std::string_view rest = rule == nullptr ? "" : rule->atlas;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    ids.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (finding.verdict == ScanVerdict::kDangerous) ids.emplace_back(kSupplyChainTechnique);
  return ids;
}

const char* SubjectKey(const Finding& finding) {
  constexpr std::string_view kOfImports[] = {"GLOBAL-", "CALL-", "NEW-", "CODE-"};
  const std::string_view code = finding.error.code;
  const bool imported = std::any_of(std::begin(kOfImports), std::end(kOfImports),
                                    [&](std::string_view family) { return code.starts_with(family); });
  return imported ? "global" : "subject";
}

int ScanExitCode(const ScanSummary& summary, bool system_refused) {
  const auto count = [&](ScanVerdict verdict) { return summary.by_verdict[static_cast<std::size_t>(verdict)]; };
  if (count(ScanVerdict::kUnknown) != 0 || count(ScanVerdict::kDangerous) != 0) return 1;
  if (system_refused) return 4;
  const bool all_clean = summary.files != 0 && summary.worst == ScanVerdict::kClean;
  return all_clean && count(ScanVerdict::kUnreadable) == 0 ? 0 : 3;
}

namespace {

void WriteFinding(JsonWriter& json, const Finding& finding) {
  json.BeginObject();
  json.Member("rule", finding.error.code);
  json.Member("verdict", finding.verdict == ScanVerdict::kClean ? "note" : ScanVerdictName(finding.verdict));
  json.Member("severity", SeverityName(finding.severity));
  json.Texts("atlas", AtlasOf(finding));
  json.Member("message", finding.error.text);
  json.Member("member", finding.member);
  if (finding.error.offset != kNoOffset) json.Member("offset", finding.error.offset);
  if (finding.length != 0) json.Member("length", finding.length);
  if (!finding.opcode.empty()) {
    json.Member("opcode_index", finding.opcode_index);
    json.Member("opcode", finding.opcode);
  }
  if (!finding.error.subject.empty()) json.Member(SubjectKey(finding), finding.error.subject);
  if (!finding.call.empty()) json.Member("call", finding.call);
  if (!finding.tree_path.empty()) json.Member("tree_path", finding.tree_path);
  if (!finding.call_tree.empty()) json.Texts("call_tree", finding.call_tree);
  json.EndObject();
}

void WriteStreams(JsonWriter& json, const ScanReport& report) {
  json.Member("stream_count", report.stream_count);
  json.Key("streams"), json.BeginArray();
  for (const ScannedStream& stream : report.streams) {
    json.BeginObject();
    json.Member("member", stream.member);
    json.Member("offset", stream.offset);
    json.Member("length", stream.length);
    json.Member("protocol", static_cast<std::uint64_t>(stream.protocol));
    json.Member("opcodes", stream.opcodes);
    json.EndObject();
  }
  json.EndArray();
}

void WriteGlobals(JsonWriter& json, const ScanReport& report) {
  json.Key("globals"), json.BeginArray();
  for (const ScannedGlobal& global : report.globals) {
    json.BeginObject();
    json.Member("module", global.module);
    json.Member("name", global.name);
    json.Member("count", global.count);
    json.Member("first_offset", global.first_offset);
    json.Key("listed"), json.Boolean(global.listed == ScannedGlobal::Listed::kYes);
    json.EndObject();
  }
  json.EndArray();
}

class ScanJson : public ScanOutput {
 public:
  ScanJson(std::FILE* out, ScanBasis basis) : json_(out), basis_(std::move(basis)) {}

  void Begin() override {
    json_.BeginObject();
    json_.Member("schema", "https://safemodel.dev/scan-report/v1");
    json_.Member("tool_version", basis_.tool_version);
    json_.Member("rule_set_version", basis_.rule_set_version);
    json_.Hex("allow_list_blake3", basis_.allow_list);
    WriteAllowed(json_, "allow_files", basis_.allow_files);
    json_.Key("inputs"), json_.BeginArray();
  }

  void Add(const ScanReport& report) override {
    json_.BeginObject();
    json_.Member("path", report.path);
    json_.Member("verdict", ScanVerdictName(report.verdict));
    json_.Member("layout", report.layout);
    json_.Member("size", report.size);
    json_.Member("bytes_explained", report.bytes_explained);
    if (!report.status.ok()) {
      json_.Key("error"), json_.BeginObject();
      WriteError(json_, report.status.error());
      json_.EndObject();
    }
    json_.Member("finding_count", report.finding_count);
    json_.Key("findings"), json_.BeginArray();
    for (const Finding& finding : report.findings) WriteFinding(json_, finding);
    json_.EndArray();
    WriteStreams(json_, report);
    WriteGlobals(json_, report);
    json_.Member("opaque_count", report.opaque_count);
    json_.Texts("opaque", report.opaque);
    json_.EndObject();
  }

  void End(const ScanSummary& summary, int exit_code) override {
    json_.EndArray();
    json_.Member("files", summary.files);
    json_.Key("by_verdict"), json_.BeginObject();
    for (std::size_t i = 0; i < std::size(summary.by_verdict); ++i) {
      json_.Member(ScanVerdictName(static_cast<ScanVerdict>(i)), summary.by_verdict[i]);
    }
    json_.EndObject();
    json_.Member("verdict", ScanVerdictName(summary.worst));
    json_.Key("ok"), json_.Boolean(exit_code == 0);
    json_.Key("exit"), json_.Signed(exit_code);
    json_.EndObject();
    json_.Finish();
  }

 private:
  JsonWriter json_;
  ScanBasis basis_;
};

}  // namespace

std::unique_ptr<ScanOutput> MakeScanJson(std::FILE* out, ScanBasis basis) {
  return std::make_unique<ScanJson>(out, std::move(basis));
}

}  // namespace safemodel::cli
