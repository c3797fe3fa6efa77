// SPDX-License-Identifier: Apache-2.0
#include <safemodel/log.h>
#include <safemodel/sign.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "artifact.h"
#include "console.h"
#include "escape.h"
#include "json_writer.h"
#include "log_options.h"
#include "report.h"
#include "resign.h"
#include "signing_key.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  std::vector<std::string> files;
  SigningKeyOptions key;
  std::string not_after;
  bool detached = false;
  bool append = false;
  bool replace = false;
  SignOptions options;
  std::string log;
  std::string log_key;
  std::string ci_identity;
  ResignArguments resign;
  ArtifactArguments artifact;

  [[nodiscard]] const std::string& file() const { return files.front(); }
};

void PrintReport(const State& state, const SignReport& report, const LoggedStatement* logged) {
  WarnOfOutlasted(state.console, report);
  if (!state.console.json()) {
    PrintSigned(report);
    PrintEnvelope(report);
    if (logged != nullptr) {
      std::printf("logged     %s, entry %llu\n", EscapeForTerminal(logged->checkpoint.origin).c_str(),
                  static_cast<unsigned long long>(logged->index));
    }
    return;
  }
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  WriteSigned(json, report);
  if (logged != nullptr) {
    json.Key("log"), json.BeginObject();
    WriteEntry(json, logged->index, logged->entry);
    WriteCheckpoint(json, logged->checkpoint);
    json.EndObject();
  }
  json.EndObject();
  json.Finish();
}

std::string JobOf(const State& state) { return state.ci_identity.empty() ? CiIdentity() : state.ci_identity; }

SigningKeyOptions LogKeyOf(const State& state) { return {state.log_key, state.key.passphrase_file, {}}; }

Result<std::unique_ptr<Signer>> OpenLogKey(const State& state) {
  return OpenSigningKey(state.console, LogKeyOf(state));
}

int SignWithLog(const State& state, const Signer& key) {
  const auto log_key = OpenLogKey(state);
  if (!log_key.ok()) return state.console.Fail(log_key.error(), LogKeyOf(state).ShownKey());
  const LogOwner owner{state.log, log_key.value().get(), JobOf(state)};
  const auto report = SignAndLog(state.file(), key, state.options, owner);
  if (!report.ok()) return state.console.Fail(report.error(), state.file());
  PrintReport(state, report.value().signature, &report.value().logged);
  return kDone;
}

// SignAnew is sign --from-log and sign --manifest. With --log, the log's secret key says which public key it has.
int SignAnew(const State& state, const Signer& key) {
  if (!state.log.empty()) {
    const auto log_key = OpenLogKey(state);
    if (!log_key.ok()) return state.console.Fail(log_key.error(), LogKeyOf(state).ShownKey());
    const LogOwner owner{state.log, log_key.value().get(), JobOf(state)};
    return state.resign.Run(state.console, state.files, key, state.options, &log_key.value()->public_key(), &owner);
  }
  if (!state.resign.from_log())
    return state.resign.Run(state.console, state.files, key, state.options, nullptr, nullptr);
  const auto log_key = PublicKey::Parse(state.log_key);
  if (!log_key.ok()) return state.console.Fail(log_key.error(), LogKeyOf(state).ShownKey());
  return state.resign.Run(state.console, state.files, key, state.options, &log_key.value(), nullptr);
}

// CheckArguments is told whether what is to be signed is no container: that is decided once.
Status CheckArguments(const State& state, bool foreign) {
  if (state.detached && state.append) return BadArguments("--detached and --append exclude each other");
  if (state.replace && state.resign.given())
    return BadArguments("--replace goes with neither --from-log nor --manifest");
  if (!state.log.empty() && state.log_key.empty())
    return BadArguments("--log needs --log-key, the log's own secret key");
  if (!state.log_key.empty() && state.log.empty() && !state.resign.from_log())
    return BadArguments("--log-key goes with --log or --from-log");
  if (state.resign.from_log() && state.log_key.empty()) return BadArguments("--from-log needs --log-key");
  if (state.files.empty() && !foreign) return BadArguments("name what is to be signed");
  if (!foreign) {
    if (const Status there = state.artifact.CheckThere(state.files); !there.ok()) return there;
    if (const Status unused = state.artifact.CheckUnused(); !unused.ok()) return unused;
    if (state.files.size() > 1 && !state.resign.given())
      return BadArguments("sign takes one container; several only with --set, --from-log or --manifest");
  } else if (!state.log.empty()) {
    return BadArguments("only signatures of containers can be logged");
  }
  return state.resign.Check(state.options);
}

int RunSign(State& state) {
  const bool foreign = !state.resign.given() && state.artifact.TakesOver(state.files);
  const Status usable = CheckArguments(state, foreign);
  if (!usable.ok()) return state.console.Fail(usable.error());
  if (state.detached) state.options.placement = Placement::kDetached;
  if (state.append) state.options.placement = Placement::kAppended;
  if (state.replace) state.options.earlier = SignOptions::Earlier::kReplace;
  if (!state.not_after.empty()) {
    state.options.not_after = ParseTime(state.not_after);
    if (!state.options.not_after) {
      return state.console.Fail(Error{Stage::kUsage, "bad_time",
                                      "--not-after takes a real date: 2027-01-31, 2027-01-31T00:00:00Z or 90d",
                                      kNoOffset, state.not_after});
    }
  }
  auto key = OpenSigningKey(state.console, state.key);
  if (!key.ok()) return state.console.Fail(key.error(), state.key.ShownKey());
  if (state.resign.given()) return SignAnew(state, *key.value());
  if (foreign) return state.artifact.Run(state.console, state.files, *key.value(), state.options);
  if (!state.log.empty()) return SignWithLog(state, *key.value());
  auto report = Sign(state.file(), *key.value(), state.options);
  if (!report.ok()) return state.console.Fail(report.error(), state.file());
  PrintReport(state, report.value(), nullptr);
  return kDone;
}

}  // namespace

Verb AddSign(CLI::App& parent, Console& console) {
  CLI::App* verb =
      parent.add_subcommand("sign", "Add a signature to a container (reads no weights), or to any file, folder or set");
  auto state = std::make_shared<State>(State{console, {}, {}, {}, false, false, false, {}, {}, {}, {}, {}, {}});
  verb->add_option(
      "FILE", state->files,
      "The container, or any other file or folder; several containers with --set, --from-log or --manifest");
  state->artifact.AddOptions(*verb);
  verb->add_option("-k,--key", state->key.key, std::string("The signing key: ") + kKeyHelp)
      ->required()
      ->type_name("KEY");
  verb->add_option("--role", state->options.role, "The role to sign in")->capture_default_str();
  verb->add_option("--not-after", state->not_after, "When the signature ends: a time, a date, or days from now as 90d")
      ->type_name("TIME");
  verb->add_option("--requires", state->options.requires_roles,
                   "A role without which this signature must not be accepted; repeatable")
      ->type_name("ROLE")
      ->allow_extra_args(false);
  verb->add_flag("--detached", state->detached, "Leave the envelope in FILE.envelope");
  verb->add_flag("--append", state->append, "Put the envelope into the file, also if it lay beside it");
  verb->add_flag(
      "--replace", state->replace,
      "Take out earlier signatures by this key in this role, with their log proofs, so that only the new one "
      "counts");
  state->key.AddOptions(*verb);
  verb->add_option("--log-key", state->log_key, "The log's own secret key; for --from-log alone, its public key")
      ->type_name("KEY");
  auto* log =
      verb->add_option("--log", state->log, "Add an entry to this audit log and store the proof with the signature")
          ->type_name("DIR");
  verb->add_option("--ci-identity", state->ci_identity,
                   "What job this is, for the log; by default what GitHub or GitLab say")
      ->type_name("TEXT")
      ->needs(log);
  state->resign.AddOptions(*verb);
  console.AddOptions(*verb);
  return {verb, [state] { return RunSign(*state); }};
}

}  // namespace safemodel::cli
