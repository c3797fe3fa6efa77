// SPDX-License-Identifier: Apache-2.0
#include "policy.h"

#include <safemodel/policy.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <map>
#include <memory>

#include "escape.h"
#include "json_writer.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  std::string file;
};

const char* EncryptionName(Rule::Encryption encryption) {
  switch (encryption) {
    case Rule::Encryption::kAny: return "any";
    case Rule::Encryption::kRequired: return "required";
    case Rule::Encryption::kForbidden: return "forbidden";
  }
  return "any";
}

const char* ModeName(Rule::Mode mode) {
  switch (mode) {
    case Rule::Mode::kStrict: return "strict";
    case Rule::Mode::kWarn: return "warn";
    case Rule::Mode::kOff: return "off";
  }
  return "strict";
}

const char* CheckedName(Checked checked) {
  switch (checked) {
    case Checked::kNone: return "none";
    case Checked::kManifest: return "manifest";
    case Checked::kStored: return "stored";
    case Checked::kFull: return "full";
  }
  return "none";
}

// Holders names for each role who can sign in it. Policies are long: every key is looked at once, not for every rule.
using Holders = std::map<std::string, std::vector<std::string>>;

Holders HoldersAt(const Policy& policy, std::int64_t now) {
  Holders holders;
  for (const TrustedKey& key : policy.keys()) {
    if (!policy.CanSign(key, now)) continue;
    for (const std::string& role : key.roles) holders[role].push_back(key.name);
  }
  return holders;
}

std::string HoldersText(const Holders& holders, const std::string& role) {
  const auto found = holders.find(role);
  return found == holders.end() ? "nobody who still can" : JoinForTerminal(found->second);
}

std::vector<std::string> LogsOf(const Policy& policy, const RequiredLog& required) {
  if (!required.origin.empty()) return {required.origin};
  std::vector<std::string> origins;
  for (const TrustedLog& log : policy.parts().logs) origins.push_back(log.origin);
  return origins;
}

void PrintLogged(const Policy& policy, const RequiredLog& required) {
  const std::uint32_t witnesses = policy.parts().witness_threshold;
  std::printf("  each signature must be in a log: %s", JoinForTerminal(LogsOf(policy, required)).c_str());
  if (witnesses != 0) std::printf(", with cosignatures of %u witness%s", witnesses, witnesses == 1 ? "" : "es");
  std::printf("\n");
}

void PrintRule(const Policy& policy, const Holders& holders, const Rule& rule) {
  std::printf("models %s\n", EscapeForTerminal(rule.models).c_str());
  for (const RoleThreshold& threshold : rule.required) {
    std::printf("  %u signature%s in role %s by: %s", threshold.count, threshold.count == 1 ? "" : "s",
                EscapeForTerminal(threshold.role).c_str(), HoldersText(holders, threshold.role).c_str());
    if (threshold.minimum != Checked::kNone)
      std::printf(", whose tool had checked at least: %s", CheckedName(threshold.minimum));
    std::printf("\n");
  }
  if (rule.roles_may_overlap == Rule::Overlap::kAllowed) std::printf("  one key may fill several roles\n");
  for (const RequiredAttestation& required : rule.attestations) {
    std::printf("  an attestation %s", EscapeForTerminal(required.predicate_type).c_str());
    if (required.maximum_age)
      std::printf(", at most %lld days old", static_cast<long long>(*required.maximum_age / 86400));
    std::printf("\n");
  }
  if (rule.logged) PrintLogged(policy, *rule.logged);
  if (rule.minimum_sequence)
    std::printf("  release sequence %llu or higher\n", static_cast<unsigned long long>(*rule.minimum_sequence));
  if (rule.encryption != Rule::Encryption::kAny) std::printf("  encryption %s\n", EncryptionName(rule.encryption));
  if (rule.expectation == Rule::Expected::kDemanded) std::printf("  the caller must name the model (--expect)\n");
  if (rule.memory_mapping == Rule::Mapping::kForbidden) std::printf("  no views of the mapped file\n");
  if (rule.mode != Rule::Mode::kStrict)
    std::printf("  mode %s: code that asks for it loads refused models too; verify never does\n", ModeName(rule.mode));
}

void PrintText(const Policy& policy, const Holders& holders, const std::vector<PolicyWarning>& warnings) {
  const PolicyParts& parts = policy.parts();
  for (const Rule& rule : parts.rules) PrintRule(policy, holders, rule);
  for (const RevokedKey& revoked : parts.revoked) {
    std::printf("revoked    key %.16s, %zu checkpoints and %zu statements excepted\n", revoked.key.KeyId().c_str(),
                revoked.except_before.size(), revoked.except_statements.size());
  }
  if (!parts.denied_manifests.empty() || !parts.denied_contents.empty())
    std::printf("denied     %zu manifests, %zu contents\n", parts.denied_manifests.size(),
                parts.denied_contents.size());
  for (const TrustedLog& log : parts.logs) std::printf("log        %s\n", EscapeForTerminal(log.origin).c_str());
  if (parts.state_path.empty()) {
    std::printf("state      none: older releases are accepted again\n");
  } else {
    std::printf("state      %s\n", EscapeForTerminal(parts.state_path).c_str());
  }
  for (const PolicyWarning& warning : warnings) {
    std::printf("warning    %s: %s (%s)\n", EscapeForTerminal(warning.subject).c_str(), warning.text, warning.code);
  }
}

void WriteLogged(JsonWriter& json, const Policy& policy, const RequiredLog& required) {
  json.Key("logged"), json.BeginObject();
  json.Texts("logs", LogsOf(policy, required));
  json.Member("witnesses", static_cast<std::uint64_t>(policy.parts().witness_threshold));
  json.EndObject();
}

void WriteRule(JsonWriter& json, const Policy& policy, const Rule& rule) {
  json.BeginObject();
  json.Member("models", rule.models);
  json.Key("roles"), json.BeginArray();
  for (const RoleThreshold& threshold : rule.required) {
    json.BeginObject();
    json.Member("role", threshold.role);
    json.Member("threshold", static_cast<std::uint64_t>(threshold.count));
    json.Member("verified", CheckedName(threshold.minimum));
    json.EndObject();
  }
  json.EndArray();
  json.Key("roles_may_overlap"), json.Boolean(rule.roles_may_overlap == Rule::Overlap::kAllowed);
  json.Key("attestations"), json.BeginArray();
  for (const RequiredAttestation& required : rule.attestations) {
    json.BeginObject();
    json.Member("type", required.predicate_type);
    if (required.maximum_age) json.Member("max_age_days", static_cast<std::uint64_t>(*required.maximum_age / 86400));
    json.EndObject();
  }
  json.EndArray();
  if (rule.minimum_sequence) json.Member("minimum_sequence", *rule.minimum_sequence);
  json.Member("encryption", EncryptionName(rule.encryption));
  json.Member("expectation", rule.expectation == Rule::Expected::kDemanded ? "required" : "optional");
  json.Member("memory_mapping", rule.memory_mapping == Rule::Mapping::kForbidden ? "forbidden" : "allowed");
  json.Member("mode", ModeName(rule.mode));
  if (rule.logged) WriteLogged(json, policy, *rule.logged);
  json.EndObject();
}

void WriteKey(JsonWriter& json, const TrustedKey& key) {
  json.BeginObject();
  json.Member("name", key.name);
  json.Member("key_id", key.key.KeyId());
  json.Texts("roles", key.roles);
  json.Texts("attests", key.attests);
  json.EndObject();
}

void PrintJson(const Policy& policy, const std::vector<PolicyWarning>& warnings) {
  const PolicyParts& parts = policy.parts();
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  json.Key("keys"), json.BeginArray();
  for (const TrustedKey& key : parts.keys) WriteKey(json, key);
  json.EndArray();
  json.Key("rules"), json.BeginArray();
  for (const Rule& rule : parts.rules) WriteRule(json, policy, rule);
  json.EndArray();
  json.Key("revoked"), json.BeginArray();
  for (const RevokedKey& revoked : parts.revoked) json.Text(revoked.key.KeyId());
  json.EndArray();
  json.Key("denied_manifests"), json.BeginArray();
  for (const Digest& digest : parts.denied_manifests) json.Text(HexOf(digest));
  json.EndArray();
  json.Key("denied_contents"), json.BeginArray();
  for (const Digest& digest : parts.denied_contents) json.Text(HexOf(digest));
  json.EndArray();
  json.Member("state", parts.state_path);
  json.Key("warnings"), json.BeginArray();
  for (const PolicyWarning& warning : warnings) {
    json.BeginObject();
    json.Member("code", warning.code);
    json.Member("message", warning.text);
    json.Member("subject", warning.subject);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  json.Finish();
}

int RunCheck(const State& state) {
  const auto policy = Policy::FromFile(state.file);
  if (!policy.ok()) return state.console.Fail(policy.error(), state.file);
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  const auto warnings = policy.value().Warnings(now);
  if (state.console.json()) {
    PrintJson(policy.value(), warnings);
  } else {
    PrintText(policy.value(), HoldersAt(policy.value(), now), warnings);
  }
  return kDone;
}

}  // namespace

Verb AddPolicyCheck(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("check", "Say in words what a policy accepts, and what looks like a mistake");
  auto state = std::make_shared<State>(State{console, {}});
  verb->add_option("POLICY", state->file, "The policy file")->required();
  console.AddOptions(*verb);
  return {verb, [state] { return RunCheck(*state); }};
}

Verb AddPolicy(CLI::App& parent, Console& console) {
  CLI::App* group = parent.add_subcommand("policy", "Check a policy file, or change it in an incident");
  group->require_subcommand(1);
  const std::vector<Verb> verbs = {AddPolicyCheck(*group, console), AddPolicyRevoke(*group, console),
                                   AddPolicyDeny(*group, console), AddPolicyState(*group, console)};
  return {group, [verbs] { return RunFirst(verbs); }};
}

}  // namespace safemodel::cli
