// SPDX-License-Identifier: Apache-2.0
#include "pickle/findings.h"

#include <algorithm>

#include "pickle/node_text.h"
#include "pickle/opcode.h"
#include "pickle/scan_rules.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kMostListed = 1000;  // of findings, streams and opaque members

std::size_t IndexOf(ScanVerdict verdict) { return static_cast<std::size_t>(verdict); }

Severity SeverityFor(const char* rule, ScanVerdict verdict) {
  const ScanRule* known = FindScanRule(rule);
  if (known != nullptr) return SeverityOf(*known, verdict);
  return verdict == ScanVerdict::kClean ? Severity::kNote : Severity::kHigh;
}

// InCatalogue returns an error under a rule of the catalogue. Readers that others use too have codes of their own,
// which become the subject when nothing else is.
Error InCatalogue(Error error) {
  if (FindScanRule(error.code) != nullptr) return error;
  if (error.subject.empty()) error.subject = error.code;
  error.code = "FILE-MALFORMED";
  if (error.stage == Stage::kLimit) error.code = "LIMIT-BYTES";
  if (error.stage == Stage::kUnsupported) error.code = "FILE-UNSUPPORTED";
  return error;
}

}  // namespace

ScanVerdict VerdictOf(const Error& error) {
  return error.stage == Stage::kUnsafe ? ScanVerdict::kDangerous : ScanVerdict::kUnreadable;
}

void Findings::Record(Error error, ScanVerdict verdict, std::string call, NodeIndex node) {
  ++count_;
  worst_ = std::max(worst_, verdict);
  if (std::optional<Error>& first = first_[IndexOf(verdict)]; !first) first = error;
  error = InCatalogue(std::move(error));
  const bool first_of_rule = rules_.insert(error.code).second;
  if (listed_.size() >= kMostListed && !first_of_rule) return;
  Finding finding;
  finding.verdict = verdict;
  finding.severity = SeverityFor(error.code, verdict);
  finding.member = member_;
  finding.call = std::move(call);
  if (at_ != nullptr) {
    finding.opcode_index = at_->index;
    finding.opcode = OpcodeName(at_->opcode);
    if (error.offset == kNoOffset) error.offset = at_->offset;
  }
  finding.error = std::move(error);
  if (node != kNoNode) unresolved_.push_back({listed_.size(), node});
  listed_.push_back(std::move(finding));
}

void Findings::AddAbout(const Graph& graph, NodeIndex node, Error error, ScanVerdict verdict) {
  std::string call = graph.kind(node) == Kind::kCall ? CallText(graph, node) : std::string();
  Record(std::move(error), verdict, std::move(call), node);
}

void Findings::ResolvePaths(const Graph& graph, NodeIndex root) {
  const std::vector<Unresolved> wanted = std::exchange(unresolved_, {});
  if (wanted.empty() || root == kNoNode) return;
  std::vector<NodeIndex> nodes;
  for (const Unresolved& one : wanted) nodes.push_back(one.node);
  std::vector<NodePlace> places = FindPlaces(graph, root, nodes);
  for (std::size_t i = 0; i < places.size(); ++i) {
    Finding& finding = listed_[wanted[i].finding];
    finding.tree_path = std::move(places[i].path);
    finding.call_tree = std::move(places[i].calls);
  }
}

void Findings::AddStream(ScannedStream stream) {
  stream.member = member_;
  if (stream_count_++ < kMostListed) streams_.push_back(std::move(stream));
}

void Findings::AddGlobals(Graph& graph) {
  for (std::uint32_t number = 0; number < graph.globals().size(); ++number) {
    GlobalName& global = graph.NameOf(number);
    if (global.imports == 0) continue;
    GlobalCount& entry = globals_[{std::string(global.module), std::string(global.name)}];
    if (entry.count == 0) entry.first_offset = global.offset;
    entry.count += std::exchange(global.imports, 0);
    entry.listed = global.danger == Danger::kListed;
  }
}

void Findings::AddOpaque() {
  if (opaque_count_++ < kMostListed) opaque_.push_back(member_);
}

void Findings::MoveTo(ScanReport& report) && {
  report.verdict = worst_;
  report.findings = std::move(listed_);
  report.finding_count = count_;
  report.streams = std::move(streams_);
  report.stream_count = stream_count_;
  report.opaque = std::move(opaque_);
  report.opaque_count = opaque_count_;
  for (const auto& [name, global] : globals_) {
    report.globals.push_back({name.first, name.second, global.count, global.first_offset,
                              global.listed ? ScannedGlobal::Listed::kYes : ScannedGlobal::Listed::kNo});
  }
}

Findings::MemberScope::MemberScope(Findings& findings, std::string_view name)
    : findings_(findings), outer_(findings.member_.size()) {
  if (outer_ > 0) findings.member_ += '!';
  findings.member_ += name;
}

bool Findings::JustSaid(const Error& error) const {
  return !listed_.empty() && std::string_view(listed_.back().error.code) == InCatalogue(error).code &&
         listed_.back().error.stage == error.stage;
}

Findings::Part::Part(Findings& findings)
    : findings_(findings),
      outer_(std::exchange(findings.first_, {})),
      outer_unresolved_(std::exchange(findings.unresolved_, {})) {}

Findings::Part::~Part() {
  for (std::size_t i = 0; i < outer_.size(); ++i) {
    if (outer_[i]) findings_.first_[i] = std::move(outer_[i]);
  }
  findings_.unresolved_ = std::move(outer_unresolved_);
}

bool Findings::Part::Holds(const Error& error) const {
  return std::any_of(findings_.first_.begin(), findings_.first_.end(), [&](const std::optional<Error>& first) {
    return first && std::string_view(first->code) == error.code && first->stage == error.stage &&
           first->offset == error.offset;
  });
}

std::optional<Error> Findings::Part::Refusal(ConvertOptions::Unknown unknown) const {
  const auto& first = findings_.first_;
  for (const ScanVerdict verdict : {ScanVerdict::kDangerous, ScanVerdict::kUnreadable, ScanVerdict::kUnknown}) {
    const bool kept = verdict == ScanVerdict::kUnknown && unknown == ConvertOptions::Unknown::kKeepInert;
    if (!kept && first[IndexOf(verdict)]) return first[IndexOf(verdict)];
  }
  return std::nullopt;
}

}  // namespace safemodel::pickle
