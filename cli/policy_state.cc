// SPDX-License-Identifier: Apache-2.0
#include <safemodel/policy.h>
#include <safemodel/rollback_state.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>
#include <optional>

#include "escape.h"
#include "json_writer.h"
#include "policy.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  std::string policy;
  std::string model;
  std::uint64_t sequence = 0;
  std::string newest;
  bool force = false;
  bool add = false;
};

std::int64_t Now() { return static_cast<std::int64_t>(std::time(nullptr)); }

// PathOf returns the state file that the policy names.
Result<std::string> PathOf(const State& state) {
  const auto policy = Policy::FromFile(state.policy);
  if (!policy.ok()) return policy.error();
  if (!policy.value().parts().state_path.empty()) return policy.value().parts().state_path;
  return Error{Stage::kConfig, "no_state", "the policy names no state file; add: state = \"FILE\""};
}

void PrintState(const State& state, const std::string& path, const RollbackState& rollback) {
  if (!state.console.json()) {
    std::printf("newest     %s\n", HumanTime(rollback.newest).c_str());
    for (const auto& [name, seen] : rollback.models) {
      std::printf("%10llu %s %s\n", static_cast<unsigned long long>(seen.sequence),
                  seen.manifest ? HexOf(*seen.manifest).substr(0, 16).c_str() : "-               ",
                  EscapeForTerminal(name).c_str());
    }
    return;
  }
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  json.Member("state", path);
  json.Member("newest", HumanTime(rollback.newest));
  json.Key("models"), json.BeginArray();
  for (const auto& [name, seen] : rollback.models) {
    json.BeginObject();
    json.Member("name", name);
    json.Member("sequence", seen.sequence);
    if (seen.manifest) json.Hex("manifest_sha256", *seen.manifest);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  json.Finish();
}

// ShowAt shows the file as it is now.
int ShowAt(const State& state, const std::string& path) {
  const auto rollback = ReadRollbackState(path);
  if (!rollback.ok()) return state.console.Fail(rollback.error(), path);
  PrintState(state, path, rollback.value());
  return kDone;
}

int RunShow(const State& state) {
  const auto path = PathOf(state);
  if (!path.ok()) return state.console.Fail(path.error(), state.policy);
  return ShowAt(state, path.value());
}

int RunInit(const State& state) {
  const auto path = PathOf(state);
  if (!path.ok()) return state.console.Fail(path.error(), state.policy);
  const Status made = InitRollbackState(path.value(), Now(), state.force ? OldState::kReplace : OldState::kRefuse);
  if (!made.ok()) return state.console.Fail(made.error(), path.value());
  return ShowAt(state, path.value());
}

// CheckKnown refuses a model that was never seen: a name that is mistyped would leave the real one as it is.
Status CheckKnown(const std::string& path, const std::string& model) {
  const auto rollback = ReadRollbackState(path);
  if (!rollback.ok()) return rollback.error();
  const auto& models = rollback.value().models;
  if (models.contains(model)) return {};
  constexpr std::size_t kMostShown = 8;
  std::vector<std::string> names;
  for (const auto& [name, seen] : models) {
    if (names.size() == kMostShown) break;
    names.push_back(name);
  }
  std::string known = names.empty() ? "none" : Join(names);
  if (models.size() > kMostShown) known += " and " + std::to_string(models.size() - kMostShown) + " more";
  return Error{Stage::kUsage, "unknown_model",
               "the rollback state knows no such model; --add sets the lowest sequence of one that was never seen here",
               kNoOffset, model + "; known: " + known};
}

int RunSet(const State& state) {
  const auto path = PathOf(state);
  if (!path.ok()) return state.console.Fail(path.error(), state.policy);
  std::optional<std::int64_t> newest;
  if (!state.newest.empty()) {
    newest = state.newest == "now" ? Now() : ParseTime(state.newest);
    if (!newest)
      return state.console.Fail(
          Error{Stage::kUsage, "bad_time", "--newest takes now, or a real date", kNoOffset, state.newest});
  }
  if (!state.model.empty()) {
    if (const Status known = state.add ? Status() : CheckKnown(path.value(), state.model); !known.ok())
      return state.console.Fail(known.error(), path.value());
    const Status set = SetHighestSequence(path.value(), state.model, state.sequence);
    if (!set.ok()) return state.console.Fail(set.error(), path.value());
  }
  if (newest) {
    const Status set = SetNewestTime(path.value(), *newest);
    if (!set.ok()) return state.console.Fail(set.error(), path.value());
  }
  return ShowAt(state, path.value());
}

Verb AddOne(CLI::App& group, Console& console, const char* name, const char* text, int (*run)(const State&)) {
  CLI::App* verb = group.add_subcommand(name, text);
  auto state = std::make_shared<State>(State{console, {}, {}, 0, {}, false, false});
  verb->add_option("POLICY", state->policy, "The policy that names the state file")->required();
  if (run == RunSet) {
    CLI::Option* model = verb->add_option("MODEL", state->model, "The model whose sequence ran ahead");
    CLI::Option* sequence = verb->add_option("SEQUENCE", state->sequence, "The lowest sequence to accept from now on");
    model->needs(sequence);
    verb->add_flag("--add", state->add, "MODEL was never seen here: accept it from SEQUENCE on")->needs(model);
    CLI::Option* newest =
        verb->add_option("--newest", state->newest, "The latest time that was seen: now, or a time")->type_name("TIME");
    verb->callback([model, newest] {
      if (model->count() + newest->count() == 0) throw CLI::RequiredError("MODEL SEQUENCE, or --newest");
    });
  }
  if (run == RunInit) {
    verb->add_flag("--force", state->force,
                   "Make an old or damaged file anew. It forgets which releases were accepted: old ones, which a "
                   "newer one had replaced, are accepted again");
  }
  console.AddOptions(*verb);
  return {verb, [state, run] { return run(*state); }};
}

}  // namespace

Verb AddPolicyState(CLI::App& parent, Console& console) {
  CLI::App* group = parent.add_subcommand("state", "The releases that were accepted before, see: rollback");
  group->require_subcommand(1);
  const std::vector<Verb> verbs = {
      AddOne(*group, console, "show", "Show the state file", RunShow),
      AddOne(*group, console, "init", "Make the state file, once", RunInit),
      AddOne(*group, console, "set", "Repair a sequence or a time that ran ahead", RunSet)};
  return {group, [verbs] { return RunFirst(verbs); }};
}

}  // namespace safemodel::cli
