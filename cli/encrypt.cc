// SPDX-License-Identifier: Apache-2.0
// encrypt, decrypt and reencrypt: a new container of the same content, for other readers.
#include <safemodel/encrypt.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "console.h"
#include "escape.h"
#include "input_options.h"
#include "json_writer.h"
#include "signing_key.h"

namespace safemodel::cli {
namespace {

enum class Work { kEncrypt, kDecrypt, kReencrypt };

struct State {
  Console& console;
  Work work;
  InputOptions input;
  std::string output = {};
  RecipientOptions recipients = {};
  std::optional<std::uint64_t> sequence = {};
  std::uint32_t bucket_bytes = kDefaultBucketBytes;
  SigningKeyOptions sign_with = {};
  bool force = false;
};

const char* Done(Work work) {
  if (work == Work::kEncrypt) return "encrypted  ";
  return work == Work::kDecrypt ? "decrypted  " : "reencrypted";
}

const char* Doing(Work work) {
  if (work == Work::kEncrypt) return "encrypting";
  return work == Work::kDecrypt ? "decrypting" : "reencrypting";
}

void PrintJson(const State& state, const RepackReport& report) {
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  json.Member("output", state.output);
  json.Member("name", report.name);
  json.Member("version", report.version);
  json.Member("sequence", report.sequence);
  json.Member("plain_bytes", report.plain_bytes);
  json.Member("container_bytes", report.container_bytes);
  json.Hex("content_digest", report.content_digest);
  json.Hex("manifest_sha256", report.manifest_digest);
  json.Key("encrypted"), json.Boolean(state.work != Work::kDecrypt);
  json.Member("recipients", static_cast<std::uint64_t>(report.recipients));
  json.Key("verified"), json.Boolean(state.input.verified());
  json.Key("signed"), json.Boolean(!state.sign_with.key.empty());
  json.EndObject();
  json.Finish();
}

void PrintText(const State& state, const RepackReport& report) {
  const std::string output = EscapeForTerminal(state.output);
  std::printf("%s  %s\n", Done(state.work), output.c_str());
  std::printf("model        %s version %s, sequence %llu\n", EscapeForTerminal(report.name).c_str(),
              EscapeForTerminal(report.version).c_str(), static_cast<unsigned long long>(report.sequence));
  std::printf("size         %s plain; container %s\n", HumanBytes(report.plain_bytes).c_str(),
              HumanBytes(report.container_bytes).c_str());
  std::printf("content      digest %s\n", HexOf(report.content_digest).c_str());
  if (state.work == Work::kDecrypt) {
    std::printf("recipients   everybody who gets the file\n");
  } else {
    std::printf("recipients   %zu; safemodel recipients list %s\n", report.recipients, output.c_str());
  }
  if (state.sign_with.key.empty())
    state.console.Note("not signed yet: no signature is carried over; next: safemodel sign " + output + " -k KEY");
}

Result<RepackReport> Repack(const State& state, const VerifiedModel& model, const std::vector<Recipient>& recipients,
                            const Signer* key) {
  RepackOptions options;
  options.sequence = state.sequence;
  options.bucket_bytes = state.bucket_bytes;
  options.threads = state.input.threads();
  if (state.force) options.overwrite = RepackOptions::Overwrite::kReplace;
  options.sign_with = key;
  options.progress = state.console.MakeProgress(Doing(state.work));
  switch (state.work) {
    case Work::kEncrypt: return Encrypt(model, state.output, recipients, options);
    case Work::kDecrypt: return Decrypt(model, state.output, options);
    case Work::kReencrypt: break;
  }
  return Reencrypt(model, state.output, recipients, options);
}

// Open opens the input. What encrypt cannot open without an identity is encrypted already.
Result<VerifiedModel> Open(const State& state) {
  auto model = state.input.Open();
  if (model.ok() || state.work != Work::kEncrypt || model.error().code != std::string_view("identity_needed"))
    return model;
  return Error{Stage::kUsage, "already_encrypted",
               "this container is encrypted already: recipients add lets others read it, reencrypt makes a new key"};
}

int RunRepack(const State& state) {
  if (const Status usable = state.input.Check(state.output); !usable.ok())
    return state.console.Fail(usable.error(), state.input.file());
  const auto recipients = state.recipients.Read();
  if (!recipients.ok()) return state.console.Fail(recipients.error());
  std::unique_ptr<Signer> key;
  if (!state.sign_with.key.empty()) {
    auto opened = OpenSigningKey(state.console, state.sign_with);
    if (!opened.ok()) return state.console.Fail(opened.error(), state.sign_with.ShownKey());
    key = std::move(opened).value();
  }
  const auto model = Open(state);
  if (!model.ok()) return state.console.Fail(model.error(), state.input.file());
  const auto report = Repack(state, model.value(), recipients.value(), key.get());
  if (!report.ok()) return state.console.Fail(report.error(), state.input.file());
  if (state.console.json()) {
    PrintJson(state, report.value());
  } else {
    PrintText(state, report.value());
  }
  return kDone;
}

// AddCommon adds what the three share, and returns the state.
std::shared_ptr<State> AddCommon(CLI::App& verb, Console& console, Work work) {
  auto state = std::make_shared<State>(State{console, work, InputOptions(console)});
  state->input.AddOptions(verb);
  verb.add_option("-o,--output", state->output, "The new container")->required()->type_name("OUT");
  verb.add_option("--sequence", state->sequence,
                  "Release sequence number; default: one more than that of FILE; 0 stays 0");
  verb.add_option("--sign-with", state->sign_with.key, std::string("Sign in role builder with ") + kKeyHelp)
      ->type_name("KEY");
  state->sign_with.AddOptions(verb, kKeyPassphraseFile);
  verb.add_flag("--force", state->force, "Replace an existing output");
  console.AddOptions(verb);
  return state;
}

}  // namespace

Verb AddEncrypt(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("encrypt", "Write a container anew, so that only its recipients can read it");
  auto state = AddCommon(*verb, console, Work::kEncrypt);
  verb->footer(
      "FILE is verified first and stays as it is. convert --encrypt-to does both steps in one, so that nothing plain\n"
      "touches the disk. Anybody can verify the new container without a key; see recipients for who can read it.\n"
      "Example: safemodel encrypt FILE -k signer.pub -o OUT -r alice.pub -r \"ssh-ed25519 AAAA...\" --sign-with KEY");
  state->recipients.AddOption(*verb, "-r,--recipient", "Who can read the new container")->required();
  state->recipients.AddPassphraseFile(*verb);
  AddBucketOption(*verb, state->bucket_bytes);
  return {verb, [state] { return RunRepack(*state); }};
}

Verb AddDecrypt(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("decrypt", "Write an encrypted container anew, so that everybody can read it");
  auto state = AddCommon(*verb, console, Work::kDecrypt);
  verb->footer("Example: safemodel decrypt FILE -k signer.pub --identity alice.key -o OUT");
  state->input.AddIdentities(*verb);
  return {verb, [state] { return RunRepack(*state); }};
}

Verb AddReencrypt(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand(
      "reencrypt", "Write an encrypted container anew under a new data key, which old recipients never had");
  auto state = AddCommon(*verb, console, Work::kReencrypt);
  verb->footer(
      "Without -r the recipients stay who they are. Old copies of FILE stay readable for those who could read them.\n"
      "--identity and --passphrase-file open the old container; a new passphrase is -r passphrase, asked on the\n"
      "terminal, or -r passphrase:FILE.\n"
      "Example: safemodel reencrypt FILE -k signer.pub --identity alice.key -o OUT -r alice.pub");
  state->input.AddIdentities(*verb);
  state->recipients.AddOption(*verb, "-r,--recipient", "Who can read the new container");
  AddBucketOption(*verb, state->bucket_bytes);
  return {verb, [state] { return RunRepack(*state); }};
}

}  // namespace safemodel::cli
