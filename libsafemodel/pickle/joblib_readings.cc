// SPDX-License-Identifier: Apache-2.0
#include "pickle/joblib_readings.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "pickle/allow_list.h"
#include "pickle/findings.h"
#include "pickle/global_name.h"
#include "pickle/machine.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint64_t kNowhere = std::numeric_limits<std::uint64_t>::max();

template <std::size_t kCount>
bool IsOneOf(std::string_view text, const std::string_view (&list)[kCount]) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

// CallsItsArguments names what is on the allow-list for certain arguments only, because it gives or calls what others
// name.
bool CallsItsArguments(std::string_view name) {
  constexpr std::string_view kNames[] = {"getattr", "partial", "_rebuild_from_type_v2", "_rebuild_wrapper_subclass"};
  return IsOneOf(name.substr(name.rfind('.') + 1), kNames);
}

// Reading judges what one run of another reader did.
class Reading {
 public:
  Reading(const Graph& graph, const JoblibLayout& layout, const JoblibReading& joblib);

  // died says that every reader of Python stopped in front of STOP.
  [[nodiscard]] bool died() const { return dead_ != kNowhere; }
  // FirstAct returns the first thing that this reader does and joblib does not.
  [[nodiscard]] std::optional<Error> FirstAct(const ScanReport& report) const;

 private:
  [[nodiscard]] bool NeverCallable(NodeIndex callee) const;
  [[nodiscard]] bool CallsListed(NodeIndex node) const;
  [[nodiscard]] bool NoArguments(NodeIndex args) const;
  [[nodiscard]] bool Dies(NodeIndex node) const;
  [[nodiscard]] bool IsAct(const Finding& finding) const;
  [[nodiscard]] const JoblibReading::Site* SiteAt(std::uint64_t offset) const;
  [[nodiscard]] bool IsFamiliar(const std::string& name, std::uint64_t offset) const;
  [[nodiscard]] bool IsCallAct(const Finding& finding) const;
  [[nodiscard]] std::optional<Error> FirstStrangeObject() const;

  const Graph& graph_;
  const JoblibLayout& layout_;
  const JoblibReading& joblib_;
  std::uint64_t dead_ = kNowhere;   // where this reader does what no reader of Python can do
  std::set<std::uint64_t> listed_;  // where it calls objects that the allow-list knows
  NameSet made_up_;                 // unlisted names of known parts
  NameSet moved_;                   // names that joblib imports, from modules of which nothing is known
};

Reading::Reading(const Graph& graph, const JoblibLayout& layout, const JoblibReading& joblib)
    : graph_(graph), layout_(layout), joblib_(joblib) {
  for (NodeIndex node = 0; node < graph.size(); ++node) {
    if (Dies(node)) dead_ = std::min(dead_, graph.offset(node));
  }
  for (const GlobalName& global : graph.globals()) {
    if (global.danger == Danger::kListed) continue;
    const bool known = joblib.parts.contains(std::string(global.module));
    if (known && joblib.parts.contains(std::string(global.name))) made_up_.insert(FullName(global));
  }
  for (NodeIndex node = 0; node < graph.size(); ++node) {
    if (graph.kind(node) != Kind::kGlobal || graph.GlobalOf(node).danger != Danger::kUnlisted) continue;
    const GlobalName& global = graph.GlobalOf(node);
    const JoblibReading::Site* site = SiteAt(graph.offset(node));
    const bool moved = site != nullptr && site->name != nullptr && *site->name == global.name;
    if (moved && !joblib.parts.contains(std::string(global.module))) moved_.insert(FullName(global));
  }
  for (NodeIndex node = 0; node < graph.size(); ++node) {
    if (graph.kind(node) == Kind::kCall && CallsListed(node)) listed_.insert(graph.offset(node));
  }
}

// Dies says that every reader of Python stops where a node was made. Numbers of an array that are read as instructions
// do such things now and then. Nothing resolves persistent ids in files of joblib.
bool Reading::Dies(NodeIndex node) const {
  if (graph_.kind(node) == Kind::kPersistent) return true;
  if (graph_.kind(node) != Kind::kCall) return false;
  const Call& call = graph_.CallOf(node);
  if (NeverCallable(call.callee) || NoArguments(call.args)) return true;
  if (graph_.kind(call.callee) != Kind::kGlobal) return false;
  const GlobalName& global = graph_.GlobalOf(call.callee);
  return !IsIdentifierPath(global.module) || !IsIdentifierPath(global.name);
}

// NeverCallable says that nobody can call this: data, an array, its wrapper or its type.
bool Reading::NeverCallable(NodeIndex callee) const {
  if (graph_.tainted(callee)) return false;
  switch (graph_.kind(callee)) {
    case Kind::kGlobal:
    case Kind::kPersistent: return false;
    case Kind::kRawArray: return !layout_.changed();
    case Kind::kCall: break;
    default: return true;
  }
  const AllowEntry* entry = graph_.CallOf(callee).entry;
  const std::string_view rule = entry != nullptr && entry->rule != nullptr ? entry->rule->name : std::string_view();
  return !layout_.changed() && (rule == "numpy_dtype" || rule.starts_with("joblib_"));
}

// CallsListed says that a call is of an object that came of a call on the allow-list, or of one that joblib makes too,
// with other arguments. If that can be called at all, it is a function of its own class that runs. Bytes of an array
// and wrong numbers in the memo give such calls now and then.
bool Reading::CallsListed(NodeIndex node) const {
  const NodeIndex callee = graph_.CallOf(node).callee;
  if (graph_.kind(callee) != Kind::kCall) return false;
  const Call& made = graph_.CallOf(callee);
  if (graph_.kind(made.callee) != Kind::kGlobal) return false;
  if (made.entry != nullptr && !graph_.tainted(callee)) return !CallsItsArguments(made.entry->name);
  return SiteAt(graph_.offset(node)) != nullptr &&
         IsFamiliar(FullName(graph_.GlobalOf(made.callee)), graph_.offset(callee));
}

// NoArguments says that nobody can pass this for arguments. For pickle.load, what stands for an array is its wrapper.
bool Reading::NoArguments(NodeIndex args) const {
  if (graph_.tainted(args)) return false;
  switch (graph_.kind(args)) {
    case Kind::kNone:
    case Kind::kFalse:
    case Kind::kTrue:
    case Kind::kInt:
    case Kind::kLong:
    case Kind::kFloat: return true;
    case Kind::kRawArray: return layout_.reader() == JoblibLayout::Reader::kPlain && !layout_.changed();
    default: return false;
  }
}

// SiteAt returns what joblib imports or calls at a place, or nothing.
const JoblibReading::Site* Reading::SiteAt(std::uint64_t offset) const {
  const auto site = std::lower_bound(joblib_.sites.begin(), joblib_.sites.end(), offset,
                                     [](const JoblibReading::Site& one, std::uint64_t at) { return one.offset < at; });
  return site == joblib_.sites.end() || site->offset != offset ? nullptr : &*site;
}

// IsFamiliar says that a name is one that joblib imports too, and that joblib imports or calls at this place. The
// pickles in an array of objects have numbers in the memo of their own: who reads them with that of the file, or the
// rest of the file with an empty one, takes one object for another, and makes up names of the parts of others, or of a
// text for the module and the right name in it.
bool Reading::IsFamiliar(const std::string& name, std::uint64_t offset) const {
  if (SiteAt(offset) == nullptr || CallsItsArguments(name)) return false;
  return joblib_.imports.contains(name) || made_up_.contains(name) || moved_.contains(name);
}

// IsCallAct: the elements of an array, passed to what joblib calls too, are numbers and nothing else.
bool Reading::IsCallAct(const Finding& finding) const {
  const Error& error = finding.error;
  constexpr std::string_view kCalls[] = {"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"};
  if (!IsOneOf(finding.opcode, kCalls) || IsFamiliar(error.subject, error.offset)) return false;
  if (error.code == std::string_view("CALL-NOT-GLOBAL")) return !listed_.contains(error.offset);
  const bool numbers = error.code == std::string_view("PKL-DIFFERENTIAL") && layout_.Follows(error.offset);
  return !numbers || CallsItsArguments(error.subject) || !joblib_.imports.contains(error.subject);
}

bool Reading::IsAct(const Finding& finding) const {
  const Error& error = finding.error;
  if (finding.verdict != ScanVerdict::kDangerous || error.offset >= dead_) return false;
  const std::string_view code = error.code;
  // Nobody imports what is no identifier. A computed name that takes the place of a plain one is an act when it is
  // called.
  if (code == "GLOBAL-NAME") {
    return finding.opcode == "STACK_GLOBAL" && error.subject.empty() && SiteAt(error.offset) == nullptr;
  }
  if (code == "GLOBAL-DOTTED" || code == "GLOBAL-VALUE") return !IsFamiliar(error.subject, error.offset);
  // An array is the state of nothing.
  if (code == "STATE-TARGET") return !error.subject.empty() && !layout_.Follows(error.offset);
  if (code == "STATE-SCHEMA" || code == "ITEMS-TARGET") {
    return !error.subject.empty() && (CallsItsArguments(error.subject) || !joblib_.imports.contains(error.subject));
  }
  constexpr std::string_view kActs[] = {"GLOBAL-DANGEROUS", "CODE-OBJECT", "STATE-RESERVED"};
  if (IsOneOf(code, kActs) || code.starts_with("MEM-")) return true;
  return (code.starts_with("CALL-") || code.starts_with("NEW-") || code == "PKL-DIFFERENTIAL") && IsCallAct(finding);
}

// FirstStrangeObject: classes that nobody vouched for are no danger to those who see that they are in the file.
std::optional<Error> Reading::FirstStrangeObject() const {
  for (NodeIndex node = 0; node < graph_.size(); ++node) {
    if (graph_.kind(node) != Kind::kCall || graph_.offset(node) >= dead_) continue;
    const Call& call = graph_.CallOf(node);
    if (graph_.kind(call.callee) != Kind::kGlobal || graph_.GlobalOf(call.callee).entry != nullptr) continue;
    const std::string name = FullName(graph_.GlobalOf(call.callee));
    if (joblib_.imports.contains(name) || IsFamiliar(name, graph_.offset(node))) continue;
    return Error{Stage::kUnsafe, "NEW-UNLISTED",
                 "the pickle makes an object of something that the allow-list knows as no class", graph_.offset(node),
                 name};
  }
  return std::nullopt;
}

std::optional<Error> Reading::FirstAct(const ScanReport& report) const {
  const auto act = std::find_if(report.findings.begin(), report.findings.end(),
                                [&](const Finding& finding) { return IsAct(finding); });
  if (act != report.findings.end()) return act->error;
  if (auto strange = FirstStrangeObject()) return strange;
  // The first of each rule is listed always, and tells for the others where all of a rule are alike.
  const auto hides = std::find_if(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
    constexpr std::string_view kAlike[] = {"EXT-CODE", "PKL-DIFFERENTIAL", "PKL-FRAME"};
    return finding.verdict == ScanVerdict::kDangerous && finding.error.offset < dead_ &&
           !IsOneOf(finding.error.code, kAlike);
  });
  if (report.finding_count > report.findings.size() && hides != report.findings.end()) return hides->error;
  return std::nullopt;
}

Status CheckReading(const SharedSource& source, std::uint64_t begin, const ImportOptions& options,
                    const JoblibReading& joblib, JoblibLayout::Reader reader, StreamBudget& budget) {
  for (std::uint64_t at = begin; at < source->size(); --budget.streams) {
    if (budget.streams == 0 || budget.beyond == 0) {
      return Error{Stage::kLimit, "LIMIT-COUNT", "arrays that other readers take for instructions come to their limit",
                   at};
    }
    Findings findings;
    JoblibLayout layout(source, options, reader);
    Graph graph(layout.stream());
    ImportTables tables;
    RuleContext context{graph, tables, options.limits, findings, options.user};
    MachineResult reached;
    const auto run = RunMachine(context, at,
                                {.unknown = ConvertOptions::Unknown::kKeepInert,
                                 .layout = &layout,
                                 .end = source->size(),
                                 .proofs = MachineOptions::Proofs::kLater,
                                 .reached = &reached});
    if (!run.ok() && run.error().stage == Stage::kIo) return run.error();
    ScanReport report;
    std::move(findings).MoveTo(report);
    const Reading reading(graph, layout, joblib);
    if (auto act = reading.FirstAct(report)) return *act;
    // Streams may follow one another that each run on through all the others.
    budget.beyond -= std::min(budget.beyond, reached.end - std::min(reached.end, joblib.end));
    if (reached.ending == MachineResult::Ending::kGaveUp && !reading.died() && !run.ok())
      return report.findings.empty() ? run.error() : report.findings.back().error;
    // What stands behind the end for joblib is judged by whoever called.
    if (reading.died() || reached.root == kNoNode || reached.end >= joblib.end) return {};
    at = reached.end;
  }
  return {};
}

}  // namespace

JoblibReading ReadingOf(const Graph& graph, const JoblibLayout& layout, std::uint64_t end) {
  JoblibReading reading;
  reading.aligned = layout.aligned();
  reading.end = end;
  std::unordered_map<const GlobalName*, const std::string*> names;
  for (const GlobalName& global : graph.globals()) {
    reading.imports.insert(FullName(global));
    reading.parts.emplace(global.module);
    names.emplace(&global, &*reading.parts.emplace(global.name).first);
  }
  for (NodeIndex node = 0; node < graph.size(); ++node) {
    const Kind kind = graph.kind(node);
    if (kind != Kind::kCall && kind != Kind::kGlobal) continue;
    const NodeIndex callee = kind == Kind::kCall ? graph.CallOf(node).callee : node;
    const bool named = graph.kind(callee) == Kind::kGlobal;
    reading.sites.push_back({graph.offset(node), named ? names.at(&graph.GlobalOf(callee)) : nullptr});
  }
  std::stable_sort(reading.sites.begin(), reading.sites.end(),
                   [](const auto& one, const auto& other) { return one.offset < other.offset; });
  return reading;
}

Status CheckOtherReadings(const SharedSource& source, std::uint64_t begin, const ImportOptions& options,
                          const JoblibReading& joblib, StreamBudget& budget) {
  const Status plain = CheckReading(source, begin, options, joblib, JoblibLayout::Reader::kPlain, budget);
  if (!plain.ok() || !joblib.aligned) return plain;
  return CheckReading(source, begin, options, joblib, JoblibLayout::Reader::kBeforeAlignment, budget);
}

}  // namespace safemodel::pickle
