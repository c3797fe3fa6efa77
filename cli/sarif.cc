// SPDX-License-Identifier: Apache-2.0
// A scan as a SARIF 2.1.0 log, which code hosts show beside other analyses.
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iterator>

#include "allowed_note.h"
#include "console.h"
#include "escape.h"
#include "scan_output.h"

namespace safemodel::cli {
namespace {

constexpr const char* kSchema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
constexpr const char* kAtlas = "MITRE ATLAS";
constexpr const char* kAtlasVersion = "5.6.0";

struct Technique {
  const char* id;
  const char* name;
};

constexpr Technique kTechniques[] = {
    {kSupplyChainTechnique, "AI Supply Chain Compromise: Model"},
    {"AML.T0011.000", "User Execution: Unsafe AI Artifacts"},
    {"AML.T0018.002", "Manipulate AI Model: Embed Malware"},
    {"AML.T0029", "Denial of AI Service"},
    {"AML.T0055", "Unsecured Credentials"},
    {"AML.T0074", "Masquerading"},
    {"AML.T0076", "Corrupt AI Model"},
    {"AML.T0107", "Exploitation for Defense Evasion"},
};

const char* LevelOf(ScanVerdict verdict) {
  switch (verdict) {
    case ScanVerdict::kClean: return "note";
    case ScanVerdict::kUnknown: return "warning";
    case ScanVerdict::kUnreadable:
    case ScanVerdict::kDangerous: return "error";
  }
  return "error";
}

// Code hosts sort by this number, from 0.1 to 10.
const char* SecuritySeverity(Severity severity) {
  switch (severity) {
    case Severity::kNote: return "1.0";
    case Severity::kMedium: return "5.5";
    case Severity::kHigh: return "8.0";
    case Severity::kCritical: return "9.5";
  }
  return "9.5";
}

// A message may have placeholders in braces and links in brackets. Text from a file must make neither.
std::string Inert(std::string_view escaped) {
  std::string text;
  for (const char c : escaped) {
    if (c == '{' || c == '}') text += c;
    if (c == '[' || c == ']') text += '\\';
    text += c;
  }
  return text;
}

// Escaped texts keep a log valid for readers that refuse lone surrogates, whatever bytes a file has for names.
std::string Escaped(std::string_view raw) { return EscapeForTerminal(raw, 1024); }

std::string InertText(std::string_view raw) { return Inert(EscapeForTerminal(raw, 300)); }

// UriOf returns a reference relative to where the scan ran, as code hosts need it, for what lies below that folder, and
// an absolute one for all else.
std::string UriOf(const std::string& path) {
  namespace fs = std::filesystem;
  fs::path normal = fs::path(path).lexically_normal();
  std::error_code error;
  if (!normal.is_absolute() && *normal.begin() == "..") {
    if (fs::path absolute = fs::absolute(normal, error); !error) normal = absolute.lexically_normal();
  }
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  std::string uri = normal.is_absolute() ? "file://" : "";
  for (const char c : normal.string()) {
    if (kPlain.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      uri += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return uri;
}

void WriteText(JsonWriter& json, std::string_view key, const std::string& text) {
  json.Key(key), json.BeginObject();
  json.Member("text", text);
  json.EndObject();
}

void WriteTechnique(JsonWriter& json, std::string_view id) {
  json.Member("id", id);
  json.Key("toolComponent"), json.BeginObject();
  json.Member("name", kAtlas);
  json.EndObject();
}

std::string Sentence(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text.empty() || text.back() == '.' ? text : text + ".";
}

std::string HelpUri(std::string_view id) {
  std::string anchor(id);
  for (char& c : anchor) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return "https://safemodel.dev/scan-rules#" + anchor;
}

// WriteRule describes one rule; its default level is that of the gravest verdict.
void WriteRule(JsonWriter& json, const ScanRule& rule) {
  json.BeginObject();
  json.Member("id", rule.id);
  WriteText(json, "shortDescription", Sentence(rule.title));
  WriteText(json, "fullDescription", Sentence(rule.title));
  WriteText(json, "help", rule.advice);
  json.Member("helpUri", HelpUri(rule.id));
  json.Key("defaultConfiguration"), json.BeginObject();
  json.Member("level", LevelOf(rule.gravest));
  json.EndObject();
  Finding of_rule;
  of_rule.error.code = rule.id;
  json.Key("relationships"), json.BeginArray();
  for (const std::string& id : AtlasOf(of_rule)) {
    json.BeginObject();
    json.Key("target"), json.BeginObject();
    WriteTechnique(json, id);
    json.EndObject();
    json.Key("kinds"), json.BeginArray(), json.Text("relevant"), json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.Key("properties"), json.BeginObject();
  json.Key("tags"), json.BeginArray(), json.Text("security"), json.EndArray();
  json.Member("security-severity", SecuritySeverity(rule.severity));
  json.EndObject();
  json.EndObject();
}

void WriteTaxonomy(JsonWriter& json) {
  json.Key("taxonomies"), json.BeginArray(), json.BeginObject();
  json.Member("name", kAtlas);
  json.Member("version", kAtlasVersion);
  json.Member("organization", "MITRE");
  json.Member("informationUri", "https://atlas.mitre.org/");
  json.Key("isComprehensive"), json.Boolean(false);
  json.Key("taxa"), json.BeginArray();
  for (const Technique& technique : kTechniques) {
    json.BeginObject();
    json.Member("id", technique.id);
    json.Member("name", technique.name);
    WriteText(json, "shortDescription", Sentence(technique.name));
    json.Member("helpUri", std::string("https://atlas.mitre.org/techniques/") + technique.id);
    json.EndObject();
  }
  json.EndArray(), json.EndObject(), json.EndArray();
}

std::string MessageOf(const Finding& finding) {
  std::string text = Inert(finding.error.text);
  if (!finding.error.subject.empty()) text += ": " + InertText(finding.error.subject);
  if (!finding.call.empty()) text += "; the call is " + InertText(finding.call);
  if (!finding.member.empty()) text += "; in " + InertText(finding.member);
  return Sentence(text);
}

// WriteRegion points into the file. An offset within a member is no offset of the file, so it is told with the member.
// Code hosts show no binary regions and want a line.
void WriteRegion(JsonWriter& json, const Finding& finding) {
  json.Key("region"), json.BeginObject();
  json.Key("startLine"), json.Signed(1);
  if (finding.member.empty() && finding.error.offset != kNoOffset) {
    json.Member("byteOffset", finding.error.offset);
    if (finding.length != 0) json.Member("byteLength", finding.length);
  }
  json.EndObject();
}

void WriteLogicalLocation(JsonWriter& json, const Finding& finding) {
  if (finding.member.empty()) return;
  const std::size_t inner = finding.member.find_last_of("!/");
  json.Key("logicalLocations"), json.BeginArray(), json.BeginObject();
  json.Member("name", Escaped(std::string_view(finding.member).substr(inner == std::string::npos ? 0 : inner + 1)));
  json.Member("fullyQualifiedName", Escaped(finding.member));
  json.Member("kind", "archive member");
  json.EndObject(), json.EndArray();
}

void WriteProperties(JsonWriter& json, const Finding& finding) {
  json.Key("properties"), json.BeginObject();
  json.Member("verdict", finding.verdict == ScanVerdict::kClean ? "note" : ScanVerdictName(finding.verdict));
  json.Member("severity", SeverityName(finding.severity));
  json.Member("member", Escaped(finding.member));
  if (finding.error.offset != kNoOffset) json.Member("offset", finding.error.offset);
  if (finding.length != 0) json.Member("length", finding.length);
  if (!finding.opcode.empty()) {
    json.Member("opcodeIndex", finding.opcode_index);
    json.Member("opcode", Escaped(finding.opcode));
  }
  if (!finding.error.subject.empty()) json.Member(SubjectKey(finding), Escaped(finding.error.subject));
  if (!finding.call.empty()) json.Member("call", Escaped(finding.call));
  if (!finding.tree_path.empty()) json.Member("treePath", Escaped(finding.tree_path));
  json.Key("callTree"), json.BeginArray();
  for (const std::string& call : finding.call_tree) json.Text(Escaped(call));
  json.EndArray();
  json.EndObject();
}

class ScanSarif : public ScanOutput {
 public:
  ScanSarif(std::FILE* out, ScanBasis basis) : json_(out), basis_(std::move(basis)) {}

  void Begin() override {
    json_.BeginObject();
    json_.Member("$schema", kSchema);
    json_.Member("version", "2.1.0");
    json_.Key("runs"), json_.BeginArray(), json_.BeginObject();
    WriteTool();
    WriteTaxonomy(json_);
    json_.Key("results"), json_.BeginArray();
  }

  void Add(const ScanReport& report) override {
    for (const Finding& finding : report.findings) WriteResult(report, finding);
    artifacts_.push_back({UriOf(report.path), report.size, report.verdict, report.layout, report.bytes_explained,
                          report.finding_count, report.opaque_count});
    if (!report.status.ok()) failures_.push_back({artifacts_.size() - 1, Describe(report.status.error(), report.path)});
  }

  void End(const ScanSummary& summary, int exit_code) override {
    json_.EndArray();
    WriteArtifacts();
    WriteInvocation(exit_code);
    json_.Key("properties"), json_.BeginObject();
    json_.Member("verdict", ScanVerdictName(summary.worst));
    json_.Member("files", summary.files);
    json_.Member("ruleSetVersion", basis_.rule_set_version);
    json_.Hex("allowListBlake3", basis_.allow_list);
    WriteAllowed(json_, "allowFiles", basis_.allow_files);
    json_.EndObject();
    json_.EndObject(), json_.EndArray(), json_.EndObject();
    json_.Finish();
  }

 private:
  struct Artifact {
    std::string uri;
    std::uint64_t size;
    ScanVerdict verdict;
    std::string layout;
    std::uint64_t bytes_explained;
    std::uint64_t finding_count;
    std::uint64_t opaque_count;
  };
  struct Failure {
    std::size_t artifact;
    std::string text;
  };

  void WriteTool() {
    json_.Key("tool"), json_.BeginObject(), json_.Key("driver"), json_.BeginObject();
    json_.Member("name", "safemodel");
    json_.Member("version", basis_.tool_version);
    json_.Member("semanticVersion", basis_.tool_version);
    json_.Member("informationUri", "https://safemodel.dev/");
    json_.Key("supportedTaxonomies"), json_.BeginArray(), json_.BeginObject();
    json_.Member("name", kAtlas);
    json_.EndObject(), json_.EndArray();
    json_.Key("rules"), json_.BeginArray();
    for (const ScanRule& rule : ScanRules()) WriteRule(json_, rule);
    json_.EndArray(), json_.EndObject(), json_.EndObject();
  }

  void WriteResult(const ScanReport& report, const Finding& finding) {
    json_.BeginObject();
    json_.Member("ruleId", finding.error.code);
    if (const ScanRule* rule = FindScanRule(finding.error.code); rule != nullptr) {
      json_.Key("ruleIndex"), json_.Signed(rule - ScanRules().data());
    }
    json_.Member("level", LevelOf(finding.verdict));
    WriteText(json_, "message", MessageOf(finding));
    json_.Key("locations"), json_.BeginArray(), json_.BeginObject();
    json_.Key("physicalLocation"), json_.BeginObject();
    WriteArtifactLocation(UriOf(report.path), artifacts_.size());
    WriteRegion(json_, finding);
    json_.EndObject();
    WriteLogicalLocation(json_, finding);
    json_.EndObject(), json_.EndArray();
    // The same finding keeps its fingerprint when the file moves or its offsets change.
    json_.Key("partialFingerprints"), json_.BeginObject();
    json_.Member("ruleMemberGlobal/v1", std::string(finding.error.code) + "|" + EscapeForTerminal(finding.member) +
                                            "|" + EscapeForTerminal(finding.error.subject));
    json_.EndObject();
    json_.Key("taxa"), json_.BeginArray();
    for (const std::string& id : AtlasOf(finding)) json_.BeginObject(), WriteTechnique(json_, id), json_.EndObject();
    json_.EndArray();
    WriteProperties(json_, finding);
    json_.EndObject();
  }

  void WriteArtifactLocation(const std::string& uri, std::size_t index) {
    json_.Key("artifactLocation"), json_.BeginObject();
    json_.Member("uri", uri);
    json_.Member("index", static_cast<std::uint64_t>(index));
    json_.EndObject();
  }

  void WriteArtifacts() {
    json_.Key("artifacts"), json_.BeginArray();
    for (const Artifact& artifact : artifacts_) {
      json_.BeginObject();
      json_.Key("location"), json_.BeginObject();
      json_.Member("uri", artifact.uri);
      json_.EndObject();
      json_.Member("length", artifact.size);
      json_.Key("properties"), json_.BeginObject();
      json_.Member("verdict", ScanVerdictName(artifact.verdict));
      json_.Member("layout", artifact.layout);
      json_.Member("bytesExplained", artifact.bytes_explained);
      json_.Member("findingCount", artifact.finding_count);
      json_.Member("opaqueCount", artifact.opaque_count);
      json_.EndObject();
      json_.EndObject();
    }
    json_.EndArray();
  }

  // A file that the system did not give was not analysed; a log without results must not look like a clean one.
  void WriteInvocation(int exit_code) {
    json_.Key("invocations"), json_.BeginArray(), json_.BeginObject();
    json_.Key("executionSuccessful"), json_.Boolean(failures_.empty());
    json_.Key("exitCode"), json_.Signed(exit_code);
    json_.Key("toolExecutionNotifications"), json_.BeginArray();
    for (const Failure& failure : failures_) {
      json_.BeginObject();
      json_.Member("level", "error");
      WriteText(json_, "message", Inert(failure.text));
      json_.Key("locations"), json_.BeginArray(), json_.BeginObject();
      json_.Key("physicalLocation"), json_.BeginObject();
      WriteArtifactLocation(artifacts_[failure.artifact].uri, failure.artifact);
      json_.EndObject(), json_.EndObject(), json_.EndArray();
      json_.EndObject();
    }
    json_.EndArray(), json_.EndObject(), json_.EndArray();
  }

  JsonWriter json_;
  ScanBasis basis_;
  std::vector<Artifact> artifacts_;
  std::vector<Failure> failures_;
};

}  // namespace

std::unique_ptr<ScanOutput> MakeScanSarif(std::FILE* out, ScanBasis basis) {
  return std::make_unique<ScanSarif>(out, std::move(basis));
}

}  // namespace safemodel::cli
