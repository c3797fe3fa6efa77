// SPDX-License-Identifier: Apache-2.0
// recipients add, remove and list: who can read an encrypted container.
#include <safemodel/encrypt.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "console.h"
#include "encryption_options.h"
#include "escape.h"
#include "report.h"

namespace safemodel::cli {
namespace {

constexpr const char* kOnlyEnvelope =
    "Only the envelope changes: content and signatures stay as they are, and no weights are read. Like sign, this\n"
    "does not ask whether somebody vouches for the container. --identity and --passphrase-file open it.";

struct State {
  Console& console;
  IdentityOptions identities;
  std::string file = {};
  RecipientOptions recipients = {};
  std::vector<std::size_t> numbers = {};
  bool detached = false;
  bool append = false;
};

RecipientsOptions OptionsOf(const State& state) {
  RecipientsOptions options;
  if (state.detached) options.placement = Placement::kDetached;
  if (state.append) options.placement = Placement::kAppended;
  return options;
}

int PrintReport(const State& state, const RecipientsReport& report) {
  if (!state.console.json()) {
    if (report.added > 0) std::printf("added      %zu\n", report.added);
    if (report.removed > 0) std::printf("removed    %zu\n", report.removed);
    if (report.envelope_path.empty()) std::printf("unchanged  they are recipients already\n");
    PrintWraps(report.wraps);
    if (report.removed > 0) {
      state.console.Note(
          "who was removed may have kept the data key, and copies of the file: reencrypt makes a new key for what "
          "comes next");
    }
    return kDone;
  }
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  json.Member("file", state.file);
  json.Member("added", static_cast<std::uint64_t>(report.added));
  json.Member("removed", static_cast<std::uint64_t>(report.removed));
  json.Member("envelope", report.envelope_path);
  WriteWraps(json, report.wraps);
  json.EndObject();
  json.Finish();
  return kDone;
}

int RunList(const State& state) {
  const auto wraps = ListRecipients(state.file, state.identities.source(), OptionsOf(state));
  if (!wraps.ok()) return state.console.Fail(wraps.error(), state.file);
  if (state.console.json()) {
    JsonWriter json(stdout);
    json.BeginObject();
    json.Key("ok"), json.Boolean(true);
    json.Member("file", state.file);
    WriteWraps(json, wraps.value());
    json.EndObject();
    json.Finish();
    return kDone;
  }
  PrintWraps(wraps.value());
  if (!state.identities.given())
    state.console.Note("who they are is told to recipients only: give --identity or --passphrase-file");
  return kDone;
}

int RunAdd(const State& state) {
  const auto recipients = state.recipients.Read();
  if (!recipients.ok()) return state.console.Fail(recipients.error());
  const auto report =
      safemodel::AddRecipients(state.file, recipients.value(), state.identities.source(), OptionsOf(state));
  if (!report.ok()) return state.console.Fail(report.error(), state.file);
  return PrintReport(state, report.value());
}

int RunRemove(const State& state) {
  if (!state.recipients.given() && state.numbers.empty()) {
    return state.console.Fail(BadArguments("say who: -r with a recipient, or --number as in recipients list"));
  }
  const auto recipients = state.recipients.ReadKnown();
  if (!recipients.ok()) return state.console.Fail(recipients.error());
  const auto report =
      RemoveRecipients(state.file, recipients.value(), state.numbers, state.identities.source(), OptionsOf(state));
  if (!report.ok()) return state.console.Fail(report.error(), state.file);
  return PrintReport(state, report.value());
}

int RunChecked(const State& state, int (*run)(const State&)) {
  if (const Status usable = state.identities.Check(); !usable.ok()) return state.console.Fail(usable.error());
  if (state.detached && state.append) {
    return state.console.Fail(BadArguments("--detached and --append exclude each other"));
  }
  return run(state);
}

struct Part {
  CLI::App* app;
  std::shared_ptr<State> state;
};

Part AddPart(CLI::App& parent, Console& console, const char* name, const char* text) {
  CLI::App* part = parent.add_subcommand(name, text);
  auto state = std::make_shared<State>(State{console, IdentityOptions(console)});
  part->add_option("FILE", state->file, "The container")->required();
  state->identities.AddOptions(*part);
  console.AddOptions(*part);
  return {part, state};
}

void AddPlacement(const Part& part) {
  part.app->add_flag("--detached", part.state->detached, "Leave the envelope in FILE.envelope");
  part.app->add_flag("--append", part.state->append, "Put the envelope into the file, also if it lay beside it");
}

Verb AddList(CLI::App& parent, Console& console) {
  const Part part = AddPart(parent, console, "list", "List the key wraps; with an identity, for whom they are");
  return {part.app, [state = part.state] { return RunChecked(*state, RunList); }};
}

Verb AddAdd(CLI::App& parent, Console& console) {
  const Part part = AddPart(parent, console, "add", "Let others read a container, too");
  part.app->footer(std::string(kOnlyEnvelope) +
                   "\nA new passphrase is -r passphrase, asked on the terminal, or -r passphrase:FILE.");
  part.state->recipients.AddOption(*part.app, "-r,--recipient", "Who can read it from now on")->required();
  AddPlacement(part);
  return {part.app, [state = part.state] { return RunChecked(*state, RunAdd); }};
}

Verb AddRemove(CLI::App& parent, Console& console) {
  const Part part = AddPart(parent, console, "remove", "Remove key wraps");
  part.app->footer(std::string(kOnlyEnvelope) + "\nWho could read it once may have kept the key: see reencrypt.");
  part.state->recipients.AddOption(*part.app, "-r,--recipient", "Whose key wraps go, which an identity tells",
                                   kKnownRecipientHelp);
  part.app->add_option("--number", part.state->numbers, "Which key wraps go, by their numbers in the list; repeatable")
      ->type_name("N")
      ->allow_extra_args(false);
  AddPlacement(part);
  return {part.app, [state = part.state] { return RunChecked(*state, RunRemove); }};
}

}  // namespace

Verb AddRecipients(CLI::App& parent, Console& console) {
  CLI::App* group = parent.add_subcommand("recipients", "Say who can read an encrypted container, or change it");
  group->require_subcommand(1);
  const std::vector<Verb> verbs = {AddAdd(*group, console), AddRemove(*group, console), AddList(*group, console)};
  return {group, [verbs] { return RunFirst(verbs); }};
}

}  // namespace safemodel::cli
