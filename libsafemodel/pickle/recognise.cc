// SPDX-License-Identifier: Apache-2.0
#include "pickle/recognise.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/cursor.h"
#include "base/try.h"
#include "pickle/findings.h"
#include "pickle/global_name.h"
#include "pickle/machine.h"
#include "pickle/tar.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint64_t kHeadBytes = 512;  // the first header of a tar
constexpr std::uint64_t kWindow = 64u << 10;

// Signature is how files of a format that is not read here begin.
struct Signature {
  std::size_t offset;
  std::string_view bytes;
  const char* format;
};

constexpr Signature kForeign[] = {
    {0, "GGUF", "GGUF"},
    {0, std::string_view("\x89HDF\r\n\x1a\n", 8), "HDF5 (Keras)"},
    {4, "TFL3", "TensorFlow Lite"},
    {0, std::string_view("7z\xBC\xAF\x27\x1C", 6), "7-Zip archive"},
    {0, "Rar!\x1A\x07", "RAR archive"},
    {0, std::string_view("\x28\xB5\x2F\xFD", 4), "zstd"},
    {0, std::string_view("\x08\x07\x12", 3), "ONNX"},  // ir_version 7, then the producer's name
    {0, std::string_view("\x08\x08\x12", 3), "ONNX"},
    {0, std::string_view("\x08\x09\x12", 3), "ONNX"},
    {0, std::string_view("\x08\x0A\x12", 3), "ONNX"},
};

// IsChance says of a dangerous finding that numbers of an array may give it when they are read as instructions, and
// that it says nothing about what follows.
bool IsChance(const Finding& finding) {
  constexpr std::string_view kNumbers[] = {"INT", "LONG", "FLOAT", "PUT", "GET", "BINSTRING"};
  return finding.error.code == std::string_view("PKL-DIFFERENTIAL") &&
         std::find(std::begin(kNumbers), std::end(kNumbers), finding.opcode) != std::end(kNumbers);
}

bool IsCall(const Error& error) {
  const std::string_view code = error.code;
  return code == "GLOBAL-DANGEROUS" || code == "GLOBAL-DOTTED" || code.starts_with("CALL-") || code.starts_with("NEW-");
}

// StrangeNames are those that are not made of what joblib's reading imports. The pickles in an array of objects take
// each other's memo for their own when they are read as one, and so make up names of a module and of a name that are
// there, but belong to others.
NameSet StrangeNames(const ScanReport& report, const NameSet& parts) {
  NameSet names;
  for (const ScannedGlobal& global : report.globals) {
    const bool made_up = parts.contains(global.module) && parts.contains(global.name);
    if (global.listed == ScannedGlobal::Listed::kNo && !made_up)
      names.insert(ShortName(global.module) + "." + ShortName(global.name));
  }
  return names;
}

// IsAct says that a finding is about something dangerous, or about a strange name that is called or computed: chance
// makes none of these.
bool IsAct(const Finding& finding, const NameSet& strange) {
  if (finding.verdict != ScanVerdict::kDangerous) return false;
  const std::string_view code = finding.error.code;
  if (code == "GLOBAL-NAME") return finding.opcode == "STACK_GLOBAL" && !strange.empty();
  return IsCall(finding.error) && (code.starts_with("GLOBAL-") || strange.contains(finding.error.subject));
}

}  // namespace

const char* ForeignFormat(ByteView head) {
  for (const Signature& signature : kForeign) {
    if (AsText(head).substr(std::min(signature.offset, head.size())).starts_with(signature.bytes)) {
      return signature.format;
    }
  }
  return nullptr;
}

Result<ByteBuffer> HeadOf(const ByteSource& source) {
  return ReadRange(source, 0, std::min(kHeadBytes, source.size()), kHeadBytes);
}

Status CheckPolyglot(ByteView head) {
  const bool bzip2 =
      head.size() >= 4 && head[0] == 'B' && head[1] == 'Z' && head[2] == 'h' && head[3] >= '1' && head[3] <= '9';
  if (!bzip2 && !LooksLikeTar(head)) return {};
  return Error{Stage::kUnsafe, "FILE-POLYGLOT", "the file is an archive too, whose content other readers load", 0};
}

NameSet PartsOf(const Graph& graph) {
  NameSet parts;
  for (const GlobalName& global : graph.globals()) {
    parts.emplace(global.module);
    parts.emplace(global.name);
  }
  return parts;
}

Status CheckPlainReading(const SharedSource& source, const ImportOptions& options, const NameSet& parts) {
  Findings findings;
  Graph graph(source);
  ImportTables tables;
  RuleContext context{graph, tables, options.limits, findings, options.user};
  const auto plain = RunMachine(context, 0, {.unknown = options.unknown});
  if (plain.ok() || plain.error().stage != Stage::kUnsafe) return {};
  ScanReport report;
  std::move(findings).MoveTo(report);
  const NameSet strange = StrangeNames(report, parts);
  // Findings by chance may stand in front of an act, and an attacker may put them there.
  const auto act = std::find_if(report.findings.begin(), report.findings.end(),
                                [&](const Finding& finding) { return IsAct(finding, strange); });
  if (act != report.findings.end()) return act->error;
  const auto first = std::find_if(report.findings.begin(), report.findings.end(), [](const Finding& finding) {
    return finding.verdict == ScanVerdict::kDangerous && !IsChance(finding);
  });
  const Error& error = first == report.findings.end() ? plain.error() : first->error;
  const bool unseen = report.finding_count > report.findings.size();
  if (unseen || IsCall(error)) return error;
  return {};
}

Result<std::uint64_t> SkipZeros(const ByteSource& source, std::uint64_t begin) {
  for (std::uint64_t at = begin; at < source.size(); at += kWindow) {
    SAFEMODEL_ASSIGN(const ByteBuffer window, ReadRange(source, at, std::min(kWindow, source.size() - at), kWindow));
    const auto found = std::find_if(window.begin(), window.end(), [](std::uint8_t byte) { return byte != 0; });
    if (found != window.end()) return at + static_cast<std::uint64_t>(found - window.begin());
  }
  return source.size();
}

}  // namespace safemodel::pickle
