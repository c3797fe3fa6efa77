// SPDX-License-Identifier: Apache-2.0
#include <safemodel/keys.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "console.h"
#include "escape.h"
#include "json_writer.h"
#include "passphrase.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  std::string stem;
  std::string passphrase_file;
  std::string format = "minisign";
  bool no_passphrase = false;
  bool force = false;
};

KeyFormat FormatOf(const State& state) {
  if (state.format == "openssh") return KeyFormat::kOpenSsh;
  return state.format == "pem" ? KeyFormat::kPem : KeyFormat::kMinisign;
}

int RunKeygen(const State& state) {
  if (FormatOf(state) != KeyFormat::kMinisign && !state.no_passphrase) {
    return state.console.Fail(Error{Stage::kUsage, "unprotected_format",
                                    "OpenSSH and PEM keys are written without a passphrase only: say --no-passphrase, "
                                    "and add one with ssh-keygen -p or openssl pkey"});
  }
  Passphrase passphrase;
  if (!state.no_passphrase) {
    auto answer = AskPassphrase(state.passphrase_file, Confirm::kYes)();
    if (!answer.ok()) return state.console.Fail(answer.error());
    passphrase = std::move(answer).value();
    if (passphrase.empty()) {
      return state.console.Fail(Error{Stage::kUsage, "empty_passphrase",
                                      "an empty passphrase protects nothing; say --no-passphrase if that is meant"});
    }
  }
  auto key = SecretKey::Generate();
  if (!key.ok()) return state.console.Fail(key.error());
  const auto overwrite = state.force ? SecretKey::Overwrite::kReplace : SecretKey::Overwrite::kRefuse;
  if (Status status =
          key.value().WriteFiles(state.stem, state.no_passphrase ? nullptr : &passphrase, overwrite, FormatOf(state));
      !status.ok()) {
    return state.console.Fail(status.error());
  }
  const PublicKey& public_key = key.value().public_key();
  if (state.console.json()) {
    JsonWriter json(stdout);
    json.BeginObject();
    json.Key("ok"), json.Boolean(true);
    json.Member("secret_key", state.stem + ".key");
    json.Member("public_key", state.stem + ".pub");
    json.Member("key_id", public_key.KeyId());
    json.EndObject();
    json.Finish();
    return kDone;
  }
  const std::string stem = EscapeForTerminal(state.stem);
  std::printf("secret key  %s.key%s\n", stem.c_str(),
              state.no_passphrase ? " (not protected by a passphrase: guard the file)" : "");
  std::printf("public key  %s.pub\n", stem.c_str());
  std::printf("key id      %s\n", public_key.KeyId().c_str());
  state.console.Note(
      "use this key for safemodel releases only: some tools sign raw bytes, and such a signature could be mistaken for "
      "a release");
  return kDone;
}

}  // namespace

Verb AddKeygen(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("keygen", "Make a signing key: NAME.key (secret) and NAME.pub");
  auto state = std::make_shared<State>(State{console, {}, {}});
  verb->add_option("-o,--output", state->stem, "Where: writes NAME.key and NAME.pub")->required()->type_name("NAME");
  verb->add_option("--format", state->format, "Whose files to write: minisign, openssh or pem")
      ->check(CLI::IsMember({"minisign", "openssh", "pem"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  verb->add_flag("--no-passphrase", state->no_passphrase, "Leave the secret key unprotected, for automation");
  verb->add_option("--passphrase-file", state->passphrase_file, "Read the passphrase from this file")
      ->type_name("FILE");
  verb->add_flag("--force", state->force, "Replace existing key files");
  console.AddOptions(*verb);
  return {verb, [state] { return RunKeygen(*state); }};
}

}  // namespace safemodel::cli
