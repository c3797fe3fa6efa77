// SPDX-License-Identifier: Apache-2.0
#include <safemodel/inspect.h>
#include <safemodel/verify.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "console.h"
#include "encryption_options.h"
#include "escape.h"
#include "report.h"
#include "trust_options.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  IdentityOptions identities;
  std::string file = {};
  TrustOptions trust = {};
  bool tensors = false;
  bool tree = false;
};

constexpr std::size_t kTreeLines = 200;

bool IsHidden(const UnverifiedModel& model) {
  return model.encryption && model.encryption->directory == UnverifiedModel::Encryption::Directory::kHidden;
}

// Authenticity says whether a given key vouches for what is shown. Without keys nobody does; with keys, a refusal says
// why none does.
struct Authenticity {
  bool checked = false;
  std::optional<Error> refusal;
  std::vector<SignatureReport> signatures;

  [[nodiscard]] bool trusted() const { return checked && !refusal; }
  // A check that was asked for and failed is a failure, whatever else could be shown.
  [[nodiscard]] int exit_code() const { return refusal ? ExitCodeOf(refusal->stage) : kDone; }
};

Result<Authenticity> Check(const State& state, const UnverifiedModel& model) {
  if (!state.trust.trusts()) {
    if (!state.trust.expects()) return Authenticity{};
    return Error{Stage::kUsage, "expect_needs_key",
                 "--expect is about signed names: give a policy with --policy, or the signer's key with --key"};
  }
  auto policy = state.trust.MakePolicy();
  if (!policy.ok()) return policy.error();
  Verdict verdict = Verify(state.file, policy.value(), state.trust.MakeExpectation(), VerifyScope::kManifest,
                           state.trust.MakeOpenOptions(state.identities));
  Authenticity authenticity{true, std::nullopt, std::move(verdict.signatures)};
  if (!verdict.status.ok()) {
    authenticity.refusal = verdict.status.error();
  } else if (!verdict.info || verdict.info->manifest_digest != model.info.manifest_digest) {
    // The file was opened twice: a verdict on another manifest says nothing about what is shown.
    authenticity.refusal = Error{Stage::kIo, "changed", "the container was replaced while it was read; try again"};
  }
  return authenticity;
}

void WriteObjects(JsonWriter& json, const std::vector<UnverifiedObject>& objects) {
  json.Key("objects"), json.BeginArray();
  for (const UnverifiedObject& object : objects) {
    json.BeginObject();
    json.Member("kind", object.kind);
    json.Member("form", object.form);
    json.Member("plain_bytes", object.plain_bytes);
    json.Member("stored_bytes", object.stored_bytes);
    json.Member("offset", object.offset);
    json.Key("codecs"), json.BeginObject();
    for (const auto& [codec, chunks] : object.codecs) json.Member(codec, static_cast<std::uint64_t>(chunks));
    json.EndObject();
    json.EndObject();
  }
  json.EndArray();
}

void WriteEncryption(JsonWriter& json, const UnverifiedModel& model) {
  json.Key("encrypted"), json.Boolean(model.encryption.has_value());
  if (!model.encryption) return;
  json.Key("encryption"), json.BeginObject();
  json.Member("algorithm", model.encryption->algorithm);
  json.Member("bucket_bytes", static_cast<std::uint64_t>(model.encryption->bucket_bytes));
  json.Member("directory", IsHidden(model) ? "hidden" : "read");
  WriteWraps(json, model.encryption->wraps);
  json.EndObject();
}

// WriteContents writes what the directory tells. What is hidden is left out: empty lists would be lies.
void WriteContents(JsonWriter& json, const State& state, const UnverifiedModel& model) {
  json.Hex("tensor_digest", model.info.tensor_digest);
  json.Hex("content_digest", model.info.content_digest);
  json.Key("private_metadata"), json.BeginObject();
  for (const auto& [key, value] : model.info.private_metadata) json.Member(key, value);
  json.EndObject();
  json.Key("files"), json.BeginArray();
  for (const PackedFile& file : model.files) {
    json.BeginObject();
    json.Member("path", file.path);
    json.Member("media_type", file.media_type);
    json.Member("bytes", file.bytes);
    json.EndObject();
  }
  json.EndArray();
  WriteTensors(json, model.tensors, model.element_types);
  if (state.tree) WriteTree(json, model.tree);
}

void PrintJson(const State& state, const UnverifiedModel& model, const Authenticity& authenticity) {
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(!authenticity.refusal);
  json.Member("file", state.file);
  if (authenticity.refusal) WriteError(json, *authenticity.refusal);
  json.Key("exit"), json.Signed(authenticity.exit_code());
  json.Key("authenticated"), json.Boolean(authenticity.trusted());
  json.Member("format", std::to_string(model.major) + "." + std::to_string(model.minor));
  json.Member("file_bytes", model.file_bytes);
  json.Member("core_bytes", model.core_bytes);
  json.Member("chunk_bytes", static_cast<std::uint64_t>(model.chunk_bytes));
  json.Member("envelope", model.envelope);
  WriteIdentity(json, model.info);
  WriteSignatures(json, authenticity.checked ? authenticity.signatures : model.signatures);
  WriteObjects(json, model.objects);
  WriteEncryption(json, model);
  if (!IsHidden(model)) WriteContents(json, state, model);
  json.EndObject();
  json.Finish();
}

void PrintTrust(const UnverifiedModel& model, const Authenticity& authenticity) {
  if (authenticity.trusted()) {
    std::printf(
        "trust      the manifest and all that follows%s is signed by a key you gave; verify checks the stored bytes\n",
        model.encryption ? ", but not the recipients," : "");
  } else if (model.signatures.empty()) {
    std::printf("trust      NOT SIGNED: nothing below is authenticated\n");
  } else if (authenticity.checked) {
    std::printf("trust      NOT TRUSTED: none of your keys accounts for it; nothing below is authenticated\n");
  } else {
    std::printf("trust      NOT CHECKED: give --key to check the signatures\n");
  }
  PrintSignatures(authenticity.checked ? authenticity.signatures : model.signatures);
}

void PrintSize(const UnverifiedModel& model) {
  std::uint64_t plain = 0;
  std::uint64_t stored = 0;
  for (const UnverifiedObject& object : model.objects) {
    plain += object.plain_bytes;
    stored += object.stored_bytes;
  }
  std::printf("size       %s in the file, %zu objects: %s plain, %s stored; envelope %s\n",
              HumanBytes(model.file_bytes).c_str(), model.objects.size(), HumanBytes(plain).c_str(),
              HumanBytes(stored).c_str(), model.envelope.c_str());
}

void PrintEncryption(const UnverifiedModel& model) {
  const auto& encryption = *model.encryption;
  std::printf("encrypted  %s, stored lengths in multiples of %s, %zu recipient%s\n", encryption.algorithm.c_str(),
              HumanBytes(encryption.bucket_bytes).c_str(), encryption.wraps.size(),
              encryption.wraps.size() == 1 ? "" : "s");
  PrintWraps(encryption.wraps);
}

// PrintObjects lists what is left to see of an encrypted container.
void PrintObjects(const std::vector<UnverifiedObject>& objects) {
  for (const UnverifiedObject& object : objects) {
    std::printf("object     %-10s %-6s %10s plain, %10s stored, %u chunk%s\n", object.kind.c_str(), object.form.c_str(),
                HumanBytes(object.plain_bytes).c_str(), HumanBytes(object.stored_bytes).c_str(), object.chunks,
                object.chunks == 1 ? "" : "s");
  }
}

void PrintContents(const State& state, const UnverifiedModel& model) {
  std::printf("contents   %zu tensors, %zu files, %zu values\n", model.tensors.size(), model.files.size(),
              model.tree.size());
  for (const PackedFile& file : model.files) {
    std::printf("  file %s, %s\n", EscapeForTerminal(file.path).c_str(), HumanBytes(file.bytes).c_str());
  }
  if (state.tensors) PrintTensors(model.tensors, model.element_types);
  if (state.tree) PrintTree(model.tree, model.tensors, kTreeLines);
}

void PrintText(const State& state, const UnverifiedModel& model, const Authenticity& authenticity) {
  PrintTrust(model, authenticity);
  std::printf("model      %s version %s, sequence %llu\n", EscapeForTerminal(model.info.name).c_str(),
              EscapeForTerminal(model.info.version).c_str(), static_cast<unsigned long long>(model.info.sequence));
  std::printf("created    %s\n", HumanTime(model.info.created).c_str());
  std::printf("manifest   sha256:%s\n", HexOf(model.info.manifest_digest).c_str());
  if (!IsHidden(model)) {
    std::printf("tensors    digest %s\n", HexOf(model.info.tensor_digest).c_str());
    std::printf("content    digest %s\n", HexOf(model.info.content_digest).c_str());
  }
  PrintSize(model);
  for (const auto& [key, value] : model.info.metadata) {
    std::printf("  %s = %s\n", EscapeForTerminal(key).c_str(), EscapeForTerminal(value).c_str());
  }
  if (model.encryption) PrintEncryption(model);
  if (!IsHidden(model)) return PrintContents(state, model);
  PrintObjects(model.objects);
  std::printf(
      "hidden     names, shapes and values of tensors, files, their digests and private metadata: give --identity or\n"
      "           --passphrase-file to see them\n");
}

int RunInspect(const State& state) {
  if (const Status usable = state.identities.Check(); !usable.ok()) return state.console.Fail(usable.error());
  auto model = Inspect(state.file, state.trust.MakeOpenOptions(state.identities));
  if (!model.ok()) return state.console.Fail(model.error(), state.file);
  const auto authenticity = Check(state, model.value());
  if (!authenticity.ok()) return state.console.Fail(authenticity.error());
  if (state.console.json()) {
    PrintJson(state, model.value(), authenticity.value());
  } else {
    PrintText(state, model.value(), authenticity.value());
  }
  if (authenticity.value().refusal) {
    std::fflush(stdout);  // on a terminal the reason comes after what it is about
    state.console.Explain(*authenticity.value().refusal, state.file);
  }
  return authenticity.value().exit_code();
}

}  // namespace

Verb AddInspect(CLI::App& parent, Console& console) {
  CLI::App* verb =
      parent.add_subcommand("inspect", "Show what is inside a container, and whether anybody vouches for it");
  auto state = std::make_shared<State>(State{console, IdentityOptions(console)});
  verb->footer(
      "Without --policy or --key no signature is checked, and exit code 0 says only that the container could be read.\n"
      "With one, 0 says that it accepts what is shown; otherwise it is shown all the same, with the exit code of the\n"
      "refusal (1 for signatures). Stored bytes are checked by verify.");
  verb->add_option("FILE", state->file, "The container")->required();
  state->trust.AddOptions(*verb);
  state->identities.AddOptions(*verb);
  verb->add_flag("--tensors", state->tensors, "List the tensors");
  verb->add_flag("--tree", state->tree, "Show the value tree");
  console.AddOptions(*verb);
  return {verb, [state] { return RunInspect(*state); }};
}

}  // namespace safemodel::cli
