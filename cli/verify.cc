// SPDX-License-Identifier: Apache-2.0
#include <safemodel/verify.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "artifact.h"
#include "console.h"
#include "encryption_options.h"
#include "escape.h"
#include "explain.h"
#include "json_writer.h"
#include "report.h"
#include "trust_options.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  IdentityOptions identities;
  std::vector<std::string> files = {};
  TrustOptions trust = {};
  bool manifest_only = false;
  bool content = false;
  bool explain = false;
  bool set = false;
};

VerifyScope ScopeOf(const State& state) {
  if (state.content) return VerifyScope::kContent;
  return state.manifest_only ? VerifyScope::kManifest : VerifyScope::kStored;
}

// IsHidden tells that the directory of an encrypted container was not looked at, or that of a set's member.
bool IsHidden(const AnyVerdict& verdict) {
  return verdict.directory == DirectoryState::kHidden ||
         std::any_of(verdict.members.begin(), verdict.members.end(),
                     [](const MemberVerdict& member) { return member.verdict.directory == DirectoryState::kHidden; });
}

// ScopeName says what was checked: "stored" is all stored bytes of an encrypted container whose directory is hidden,
// "full" all stored bytes and the directory.
const char* ScopeName(VerifyScope scope, const AnyVerdict& verdict) {
  switch (scope) {
    case VerifyScope::kManifest: return "manifest";
    case VerifyScope::kStored: return IsHidden(verdict) ? "stored" : "full";
    case VerifyScope::kContent: return "content";
  }
  return "manifest";
}

const char* ScopeText(VerifyScope scope, const AnyVerdict& verdict) {
  const char* name = ScopeName(scope, verdict);
  return std::string_view(name) == "stored" ? "scope: stored bytes" : name;
}

void PrintJson(JsonWriter& json, const State& state, const Policy& policy, const std::string& file,
               const AnyVerdict& verdict) {
  json.BeginObject();
  json.Key("ok"), json.Boolean(verdict.status.ok());
  json.Member("file", file);
  json.Member("scope", ScopeName(ScopeOf(state), verdict));
  json.Key("expected"), json.Boolean(state.trust.expects());
  if (!verdict.status.ok()) WriteError(json, verdict.status.error());
  if (verdict.info) {
    WriteIdentity(json, *verdict.info);
    json.Key("encrypted"), json.Boolean(verdict.info->encrypted);
  }
  json.Member("bytes_checked", verdict.bytes_checked);
  WriteExplanation(json, policy, verdict);
  WriteArtifact(json, verdict);
  json.EndObject();
}

void PrintDocument(const State& state, const Policy& policy, const std::vector<AnyVerdict>& verdicts, int exit_code) {
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("files"), json.BeginArray();
  for (std::size_t i = 0; i < verdicts.size(); ++i) PrintJson(json, state, policy, state.files[i], verdicts[i]);
  json.EndArray();
  json.Key("ok"), json.Boolean(exit_code == kDone);
  json.Key("exit"), json.Signed(exit_code);
  json.EndObject();
  json.Finish();
}

void PrintText(const State& state, const Policy& policy, const std::string& file, const AnyVerdict& verdict) {
  // The name comes first: without --expect, the reader is the one who must recognise it.
  if (verdict.status.ok()) {
    std::printf("%s version %s: verified (%s, %s checked)  %s\n", verdict.info->name.c_str(),
                verdict.info->version.c_str(), ScopeText(ScopeOf(state), verdict),
                HumanBytes(verdict.bytes_checked).c_str(), EscapeForTerminal(file).c_str());
  }
  if (verdict.status.ok() && IsHidden(verdict)) {
    state.console.Note("encrypted: names, shapes and values were not looked at; --identity lets verify read them");
  }
  PrintArtifact(verdict);
  if (state.explain) PrintExplanation(policy, verdict);
}

int RunVerify(const State& state) {
  if (const Status usable = state.identities.Check(); !usable.ok()) return state.console.Fail(usable.error());
  auto policy = state.trust.MakePolicy();
  if (!policy.ok()) return state.console.Fail(policy.error());
  int exit_code = kDone;
  OpenOptions options = state.trust.MakeOpenOptions(state.identities);
  std::vector<AnyVerdict> verdicts;  // for the document, which begins when all work is done
  for (const std::string& file : state.files) {
    const Wanted wanted = state.set ? Wanted::kSet : Wanted::kAny;
    AnyVerdict verdict = VerifyAny(file, wanted, policy.value(), state.trust.MakeExpectation(), ScopeOf(state), options,
                                   state.console.MakeProgress("verifying"));
    if (!verdict.status.ok()) {
      exit_code = Graver(exit_code, ExitCodeOf(verdict.status.error().stage));
      state.console.Explain(verdict.status.error(), file);
    }
    if (state.console.json()) {
      verdicts.push_back(std::move(verdict));
    } else {
      PrintText(state, policy.value(), file, verdict);
    }
  }
  if (state.console.json()) PrintDocument(state, policy.value(), verdicts, exit_code);
  return exit_code;
}

}  // namespace

Verb AddVerify(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("verify", "Check signatures, then every stored byte");
  auto state = std::make_shared<State>(State{console, IdentityOptions(console)});
  verb->add_option("FILE", state->files, "Containers, or other files and folders that were signed")->required();
  state->trust.AddOptions(*verb);
  state->identities.AddOptions(*verb);
  verb->add_flag("--manifest-only", state->manifest_only, "Check signatures and policy only; read no objects");
  verb->add_flag("--content", state->content, "Also decode everything and compare the tensors' own digests");
  verb->add_flag("--explain", state->explain, "Tell the rule, each signature's fate, and what is missing");
  verb->add_flag("--set", state->set, "The FILEs are signed sets: verify the set, then each container that it lists");
  console.AddOptions(*verb);
  return {verb, [state] { return RunVerify(*state); }};
}

}  // namespace safemodel::cli
