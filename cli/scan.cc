// SPDX-License-Identifier: Apache-2.0
#include <safemodel/scan.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "allowed_note.h"
#include "console.h"
#include "scan_output.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  std::vector<std::string> inputs;
  std::vector<std::string> allow = {};
  bool sarif = false;
};

std::unique_ptr<ScanOutput> MakeOutput(const State& state, const AllowedClasses& allowed) {
  ScanBasis basis{SAFEMODEL_VERSION, ScanRuleSetVersion(), AllowListDigest(), allowed.files()};
  if (state.sarif) return MakeScanSarif(stdout, std::move(basis));
  if (state.console.json()) return MakeScanJson(stdout, std::move(basis));
  return MakeScanText(stdout, state.console.quiet() ? ScanTextDetail::kProblems : ScanTextDetail::kEverything);
}

int RunScan(const State& state) {
  auto allowed = AllowedClasses::FromFiles(state.allow);
  if (!allowed.ok()) return state.console.Fail(allowed.error());
  const auto output = MakeOutput(state, allowed.value());
  NoteAllowed(state.console, allowed.value());
  output->Begin();
  ScanOptions options;
  options.allowed = std::move(allowed).value();
  options.progress = state.console.MakeProgress("scanning", Console::Counts::kInputs);
  bool system_refused = false;
  const ScanSummary summary = Scan(state.inputs, options, [&](const ScanReport& report) {
    if (!report.status.ok()) {
      system_refused = true;
      if (state.sarif || state.console.json()) state.console.Explain(report.status.error(), report.path);
    }
    output->Add(report);
  });
  const int exit_code = ScanExitCode(summary, system_refused);
  output->End(summary, exit_code);
  return exit_code;
}

constexpr const char* kFooter =
    "Verdicts: clean, unknown (nobody vouches for something in it), unreadable (it could not be read to its end),\n"
    "dangerous (loading it would call something, it hides content, or its data breaks memory safety).\n"
    "Exit codes: 0 all clean, 1 something unknown or dangerous, 3 something unreadable or nothing to scan,\n"
    "4 input/output, 6 a wrong file of --allow. 1 outranks the others. Nothing is executed, imported or unpacked.";

}  // namespace

Verb AddScan(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("scan", "Say what loading files would do, without loading them");
  auto state = std::make_shared<State>(State{console, {}});
  verb->add_option("IN", state->inputs, "Files, and folders with all that is below them")->required();
  verb->add_option("--allow", state->allow, "Take the classes that this TOML file states for known; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  CLI::Option* sarif = verb->add_flag("--sarif", state->sarif, "Print a SARIF 2.1.0 log on standard output");
  console.AddOptions(*verb);
  sarif->excludes("--json");
  verb->footer(kFooter);
  return {verb, [state] { return RunScan(*state); }};
}

}  // namespace safemodel::cli
