// SPDX-License-Identifier: Apache-2.0
#include <safemodel/digest.h>
#include <safemodel/inspect.h>
#include <safemodel/open_signer.h>
#include <safemodel/policy_file.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>

#include "console.h"
#include "encryption_options.h"
#include "escape.h"
#include "json_writer.h"
#include "policy.h"

namespace safemodel::cli {
namespace {

struct RevokeState {
  Console& console;
  std::string policy;
  std::string key;
  std::vector<std::string> before;
  std::vector<std::string> statements;
  std::string reason;
};

struct DenyState {
  Console& console;
  std::string policy;
  std::string container;
  std::string manifest;
  std::string content;
  std::string reason;
  IdentityOptions identities;
};

// CheckpointOf reads ORIGIN,SIZE,ROOT; an origin may have commas itself.
Result<LogCheckpoint> CheckpointOf(const std::string& text) {
  const Error refusal{Stage::kUsage, "bad_checkpoint", "--except-before takes ORIGIN,SIZE,ROOT", kNoOffset, text};
  const auto root = text.rfind(',');
  if (root == std::string::npos || root == 0) return refusal;
  const auto size = text.rfind(',', root - 1);
  if (size == std::string::npos) return refusal;
  LogCheckpoint checkpoint;
  checkpoint.origin = text.substr(0, size);
  const char* const end = text.data() + root;
  const auto number = std::from_chars(text.data() + size + 1, end, checkpoint.size);
  if (number.ec != std::errc() || number.ptr != end) return refusal;
  auto digest = ReadDigest(std::string_view(text).substr(root + 1));
  if (!digest.ok()) return digest.error();
  checkpoint.root = digest.value();
  return checkpoint;
}

// NoSuchKey names the keys that could have been meant, unless what was given is a secret.
Error NoSuchKey(const std::string& key, const Error& as_text, const std::vector<TrustedKey>& keys) {
  if (IsSecretKeyText(key)) return as_text;
  std::vector<std::string> names;
  for (const TrustedKey& known : keys) names.push_back(known.name);
  return {Stage::kUsage, "no_such_key", "the policy has no key of this name, and it is no key's file or text either",
          kNoOffset, key + "; the policy has " + Join(names)};
}

// KeyText returns what a policy can name: a key in a file as its text, unless that is the name of a key in the policy.
Result<std::string> KeyText(const std::string& key, const std::string& policy_path) {
  const auto policy = Policy::FromFile(policy_path);
  if (!policy.ok()) return policy.error();
  const auto& keys = policy.value().keys();
  if (std::any_of(keys.begin(), keys.end(), [&](const TrustedKey& known) { return known.name == key; })) return key;
  std::error_code unreadable;
  if (!std::filesystem::is_regular_file(key, unreadable)) {
    const auto text = PublicKey::FromText(key);
    return text.ok() ? Result<std::string>(key) : NoSuchKey(key, text.error(), keys);
  }
  const auto read = PublicKey::FromFile(key);
  if (!read.ok()) return read.error();
  std::string line = read.value().ToText(KeyFormat::kOpenSsh);
  if (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

Result<Revocation> RevocationOf(const RevokeState& state) {
  Revocation revocation;
  auto key = KeyText(state.key, state.policy);
  if (!key.ok()) return key.error();
  revocation.key = std::move(key).value();
  revocation.reason = state.reason;
  for (const std::string& text : state.before) {
    auto checkpoint = CheckpointOf(text);
    if (!checkpoint.ok()) return checkpoint.error();
    revocation.except_before.push_back(std::move(checkpoint).value());
  }
  for (const std::string& text : state.statements) {
    auto digest = ReadDigest(text);
    if (!digest.ok()) return digest.error();
    revocation.except_statements.push_back(digest.value());
  }
  return revocation;
}

void PrintDone(const Console& console, const char* what, const std::string& about, const std::string& policy) {
  if (!console.json()) {
    std::printf("%-10s %s, in %s\n", what, EscapeForTerminal(about).c_str(), EscapeForTerminal(policy).c_str());
    return;
  }
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  json.Member("policy", policy);
  json.Member(what, about);
  json.EndObject();
  json.Finish();
}

int RunRevoke(const RevokeState& state) {
  const auto revocation = RevocationOf(state);
  if (!revocation.ok()) return state.console.Fail(revocation.error());
  const Status done = RevokeKey(state.policy, revocation.value());
  if (!done.ok()) return state.console.Fail(done.error(), state.policy);
  PrintDone(state.console, "revoked", state.key, state.policy);
  return kDone;
}

// DenialOf takes digests as they were given. For a container the content digest is computed: one that is to be denied
// is not asked for its own word.
Result<Denial> DenialOf(const DenyState& state) {
  Denial denial;
  denial.reason = state.reason;
  if (!state.manifest.empty()) {
    auto digest = ReadDigest(state.manifest);
    if (!digest.ok()) return digest.error();
    denial.manifest = digest.value();
  }
  if (!state.content.empty()) {
    auto digest = ReadDigest(state.content);
    if (!digest.ok()) return digest.error();
    denial.content = digest.value();
  }
  if (state.container.empty()) return denial;
  OpenOptions options;
  options.identities = state.identities.source();
  const auto model = Inspect(state.container, options);
  if (!model.ok()) return model.error();
  const auto digests =
      ComputeDigests(state.container, 0, Limits{}, state.console.MakeProgress("reading"), options.identities);
  if (!digests.ok()) return digests.error();
  denial.manifest = model.value().info.manifest_digest;
  denial.content = digests.value().content_digest;
  return denial;
}

// Denies says whether a policy has all that is to be denied.
bool Denies(const Policy& policy, const Denial& denial) {
  const auto has = [](const std::vector<Digest>& digests, const std::optional<Digest>& digest) {
    return !digest || std::find(digests.begin(), digests.end(), *digest) != digests.end();
  };
  return has(policy.parts().denied_manifests, denial.manifest) && has(policy.parts().denied_contents, denial.content);
}

int RunDeny(const DenyState& state) {
  const bool digests = !state.manifest.empty() || !state.content.empty();
  if (digests == !state.container.empty()) {
    return state.console.Fail(BadArguments("give a container, or --manifest or --content with a digest, not both"));
  }
  if (const Status usable = state.identities.Check(); !usable.ok()) return state.console.Fail(usable.error());
  const auto denial = DenialOf(state);
  if (!denial.ok()) return state.console.Fail(denial.error(), state.container);
  const auto policy = Policy::FromFile(state.policy);
  if (!policy.ok()) return state.console.Fail(policy.error(), state.policy);
  if (Denies(policy.value(), denial.value())) {
    state.console.Note("the policy denies this already; nothing was changed");
  } else if (const Status done = Deny(state.policy, denial.value()); !done.ok()) {
    return state.console.Fail(done.error(), state.policy);
  }
  std::string about;
  if (denial.value().manifest) about += "manifest " + HexOf(*denial.value().manifest);
  if (denial.value().content) about += (about.empty() ? "content " : ", content ") + HexOf(*denial.value().content);
  PrintDone(state.console, "denied", about, state.policy);
  return kDone;
}

}  // namespace

Verb AddPolicyRevoke(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("revoke", "Void the signatures of a key, old ones too");
  auto state = std::make_shared<RevokeState>(RevokeState{console, {}, {}, {}, {}, {}});
  verb->add_option("POLICY", state->policy, "The policy file")->required();
  verb->add_option("-k,--key", state->key, "A key: its name in the policy, its file, or its text")
      ->required()
      ->type_name("KEY");
  verb->add_option("--except-before", state->before,
                   "Keep what a log had before this checkpoint; ROOT in hex; repeatable")
      ->type_name("ORIGIN,SIZE,ROOT")
      ->allow_extra_args(false);
  verb->add_option("--except-statement", state->statements,
                   "Keep the statement whose payload has this SHA-256; repeatable")
      ->type_name("SHA256")
      ->allow_extra_args(false);
  verb->add_option("--reason", state->reason, "A note for those who read the policy");
  console.AddOptions(*verb);
  return {verb, [state] { return RunRevoke(*state); }};
}

Verb AddPolicyDeny(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("deny", "Refuse a container, or a content in whatever container, for good");
  auto state = std::make_shared<DenyState>(DenyState{console, {}, {}, {}, {}, {}, IdentityOptions(console)});
  verb->add_option("POLICY", state->policy, "The policy file")->required();
  verb->add_option("CONTAINER", state->container, "Deny this container and its content");
  verb->add_option("--manifest", state->manifest, "Deny the container with this manifest")->type_name("SHA256");
  verb->add_option("--content", state->content, "Deny this content digest, see: safemodel digest")->type_name("DIGEST");
  state->identities.AddOptions(*verb);
  verb->add_option("--reason", state->reason, "A note for those who read the policy");
  console.AddOptions(*verb);
  return {verb, [state] { return RunDeny(*state); }};
}

}  // namespace safemodel::cli
