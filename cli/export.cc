// SPDX-License-Identifier: Apache-2.0
#include <safemodel/export.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "console.h"
#include "escape.h"
#include "input_options.h"
#include "json_writer.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  InputOptions input;
  std::string output = {};
  bool include_executable = false;
  bool force = false;
};

bool EndsWith(const std::string& text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

Result<ExportFormat> FormatOf(const std::string& output) {
  if (EndsWith(output, ".safetensors")) return ExportFormat::kSafetensors;
  if (EndsWith(output, ".npz")) return ExportFormat::kNpz;
  const std::string name = std::filesystem::path(output).filename().string();
  if (name.empty() || name.find('.') == std::string::npos) return ExportFormat::kFolder;
  return Error{Stage::kUsage, "unknown_format",
               "the output's suffix must be .safetensors or .npz; for a folder, end its name with a slash", kNoOffset,
               output};
}

void PrintReport(const State& state, const ExportReport& report) {
  if (!state.console.json()) {
    std::printf("exported   %zu tensors, %s to %s\n", report.tensors, HumanBytes(report.bytes).c_str(),
                EscapeForTerminal(state.output).c_str());
    if (report.files > 0) std::printf("files      %zu beside them\n", report.files);
    if (report.files_left_out > 0) {
      state.console.Note("the container has " + std::to_string(report.files_left_out) +
                         " packed files, which this format has no place for; export to a folder to get them");
    }
    for (const auto& group : report.broken_aliases) {
      std::printf("unshared   %s: shared memory in the model, separate copies in the output\n",
                  JoinForTerminal(group).c_str());
    }
    return;
  }
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  json.Member("output", state.output);
  json.Member("tensors", static_cast<std::uint64_t>(report.tensors));
  json.Member("bytes", report.bytes);
  json.Member("files", static_cast<std::uint64_t>(report.files));
  json.Member("files_left_out", static_cast<std::uint64_t>(report.files_left_out));
  json.Key("verified"), json.Boolean(state.input.verified());
  json.Key("broken_aliases"), json.BeginArray();
  for (const auto& group : report.broken_aliases) {
    json.BeginArray();
    for (const std::string& name : group) json.Text(name);
    json.EndArray();
  }
  json.EndArray();
  json.EndObject();
  json.Finish();
}

int RunExport(const State& state) {
  if (const Status usable = state.input.Check(state.output); !usable.ok())
    return state.console.Fail(usable.error(), state.input.file());
  auto format = FormatOf(state.output);
  if (!format.ok()) return state.console.Fail(format.error());
  auto model = state.input.Open();
  if (!model.ok()) return state.console.Fail(model.error(), state.input.file());
  ExportOptions options;
  options.overwrite = state.force ? ExportOptions::Overwrite::kReplace : ExportOptions::Overwrite::kRefuse;
  if (state.include_executable) options.executables = ExportOptions::Executables::kWrite;
  options.progress = state.console.MakeProgress("exporting");
  auto report = Export(model.value(), state.output, format.value(), options);
  options.progress = {};
  if (!report.ok()) return state.console.Fail(report.error(), state.input.file());
  PrintReport(state, report.value());
  return kDone;
}

}  // namespace

Verb AddExport(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("export", "Write a verified container as .safetensors, .npz or a folder");
  auto state = std::make_shared<State>(State{console, InputOptions(console)});
  state->input.AddOptions(*verb);
  verb->add_option(
          "-o,--output", state->output,
          "What to write: a .safetensors or .npz file, or a new folder when the name has no suffix or ends with /")
      ->required()
      ->type_name("OUT");
  state->input.AddIdentities(*verb);
  verb->add_flag("--include-executable", state->include_executable,
                 "Write packed files that can run too; dangerous pickles are refused anyway");
  verb->add_flag("--force", state->force, "Replace an existing output");
  console.AddOptions(*verb);
  return {verb, [state] { return RunExport(*state); }};
}

}  // namespace safemodel::cli
