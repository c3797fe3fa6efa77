// SPDX-License-Identifier: Apache-2.0
#include <safemodel/keys.h>
#include <safemodel/recipients.h>

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

// PrintJson prints the files, and by what others know the key.
void PrintJson(const State& state, const char* known_by, const std::string& value) {
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  json.Member("secret_key", state.stem + ".key");
  json.Member("public_key", state.stem + ".pub");
  json.Member(known_by, value);
  json.EndObject();
  json.Finish();
}

void PrintIdentity(const State& state, const std::string& recipient) {
  if (state.console.json()) return PrintJson(state, "recipient", recipient);
  const std::string stem = EscapeForTerminal(state.stem);
  std::printf("identity    %s.key (not protected by a passphrase: guard the file)\n", stem.c_str());
  std::printf("recipient   %s.pub\n", stem.c_str());
  std::printf("            %s\n", recipient.c_str());
  state.console.Note("give the recipient to those who encrypt (encrypt -r " + stem + ".pub, convert --encrypt-to " +
                     stem + ".pub); open what they send with --identity " + stem + ".key");
}

// MakeIdentity makes a key pair to encrypt with. Such a file has no passphrase, as with age-keygen.
int MakeIdentity(const State& state) {
  if (!state.passphrase_file.empty()) {
    return state.console.Fail(
        Error{Stage::kUsage, "unprotected_format", "an age identity is written without a passphrase"});
  }
  const Identity identity = Identity::Generate();
  const auto recipient = identity.ToRecipient();
  if (!recipient.ok()) return state.console.Fail(recipient.error());
  const auto overwrite = state.force ? Identity::Overwrite::kReplace : Identity::Overwrite::kRefuse;
  if (const Status written = identity.WriteFiles(state.stem, overwrite); !written.ok())
    return state.console.Fail(written.error());
  PrintIdentity(state, recipient.value().ToText());
  return kDone;
}

// WithoutTerminal names what this verb has for whoever cannot be asked.
Error WithoutTerminal(Error error) {
  if (std::string_view(error.code) == "no_terminal") {
    error.text =
        "a passphrase is needed and there is no terminal; name the file that holds it with --passphrase-file, "
        "or leave the key unprotected with --no-passphrase";
  }
  return error;
}

// CheckStem refuses names that the endings would make others of than were meant.
Status CheckStem(const std::string& stem) {
  if (stem.ends_with('/'))
    return BadArguments("this is a folder; say how the key is to be called in it", stem + "NAME");
  if (stem.ends_with(".key") || stem.ends_with(".pub")) {
    return BadArguments("give the name without its ending: NAME.key and NAME.pub are written",
                        stem.substr(0, stem.size() - 4));
  }
  return {};
}

int RunKeygen(const State& state) {
  if (const Status usable = CheckStem(state.stem); !usable.ok()) return state.console.Fail(usable.error());
  if (state.format == "age") return MakeIdentity(state);
  if (FormatOf(state) != KeyFormat::kMinisign && !state.no_passphrase) {
    return state.console.Fail(Error{Stage::kUsage, "unprotected_format",
                                    "OpenSSH and PEM keys are written without a passphrase only: say --no-passphrase, "
                                    "and add one with ssh-keygen -p or openssl pkey"});
  }
  Passphrase passphrase;
  if (!state.no_passphrase) {
    auto answer = AskPassphrase(state.passphrase_file, Confirm::kYes)();
    if (!answer.ok()) return state.console.Fail(WithoutTerminal(answer.error()));
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
    PrintJson(state, "key_id", public_key.KeyId());
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
  CLI::App* verb = parent.add_subcommand(
      "keygen", "Make a key to sign with, or one to encrypt for (--format age): NAME.key (secret) and NAME.pub");
  auto state = std::make_shared<State>(State{console, {}, {}});
  verb->add_option("-o,--output", state->stem, "Where: writes NAME.key and NAME.pub")->required()->type_name("NAME");
  verb->add_option("--format", state->format,
                   "Whose files to write: minisign, openssh or pem to sign with; age to encrypt for")
      ->check(CLI::IsMember({"minisign", "openssh", "pem", "age"}))
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
