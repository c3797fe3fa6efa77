// SPDX-License-Identifier: Apache-2.0
#include <safemodel/digest.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "console.h"
#include "encryption_options.h"
#include "escape.h"
#include "report.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  IdentityOptions identities;
  std::vector<std::string> files = {};
  unsigned threads = 0;
};

void WriteResult(JsonWriter& json, const std::string& file, const Result<DigestReport>& report) {
  json.BeginObject();
  json.Key("ok"), json.Boolean(report.ok());
  json.Member("file", file);
  if (report.ok()) {
    json.Member("layout", report.value().layout);
    json.Member("tensors", static_cast<std::uint64_t>(report.value().tensors));
    json.Hex("tensor_digest", report.value().tensor_digest);
    json.Hex("content_digest", report.value().content_digest);
  } else {
    WriteError(json, report.error());
  }
  json.EndObject();
}

void PrintDocument(const State& state, const std::vector<Result<DigestReport>>& reports, int exit_code) {
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("files"), json.BeginArray();
  for (std::size_t i = 0; i < reports.size(); ++i) WriteResult(json, state.files[i], reports[i]);
  json.EndArray();
  json.Key("ok"), json.Boolean(exit_code == kDone);
  json.Key("exit"), json.Signed(exit_code);
  json.EndObject();
  json.Finish();
}

int RunDigest(const State& state) {
  if (const Status usable = state.identities.Check(); !usable.ok()) return state.console.Fail(usable.error());
  int exit_code = kDone;
  std::vector<Result<DigestReport>> reports;  // for the document, which begins when all work is done
  for (const std::string& file : state.files) {
    auto report =
        ComputeDigests(file, state.threads, Limits{}, state.console.MakeProgress("hashing"), state.identities.source());
    if (!report.ok()) {
      exit_code = Graver(exit_code, ExitCodeOf(report.error().stage));
      state.console.Explain(report.error(), file);
    }
    if (state.console.json()) {
      reports.push_back(std::move(report));
    } else if (report.ok()) {
      std::printf("%s  %s  %s\n", HexOf(report.value().tensor_digest).c_str(),
                  HexOf(report.value().content_digest).c_str(), EscapeForTerminal(file, 4096).c_str());
    }
  }
  if (state.console.json()) PrintDocument(state, reports, exit_code);
  return exit_code;
}

}  // namespace

Verb AddDigest(CLI::App& parent, Console& console) {
  CLI::App* verb =
      parent.add_subcommand("digest", "Print the tensor digest and the content digest of any supported format");
  auto state = std::make_shared<State>(State{console, IdentityOptions(console)});
  verb->footer(
      "The tensor digest covers names, dtypes, shapes and values: it is the same for a state dict in .pt, .safetensors "
      "and\n"
      ".safemodel. Nothing is verified: a digest identifies, it does not vouch.");
  verb->add_option("FILE", state->files, "Models in any supported format")->required();
  AddThreads(*verb, state->threads);
  state->identities.AddOptions(*verb);
  console.AddOptions(*verb);
  return {verb, [state] { return RunDigest(*state); }};
}

}  // namespace safemodel::cli
