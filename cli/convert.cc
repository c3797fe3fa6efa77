// SPDX-License-Identifier: Apache-2.0
#include <safemodel/convert.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "allowed_note.h"
#include "console.h"
#include "encryption_options.h"
#include "escape.h"
#include "json_writer.h"
#include "signing_key.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  std::vector<std::string> inputs;
  std::string output;
  ConvertOptions options;
  std::vector<std::string> metadata;
  std::string codec = "auto";
  SigningKeyOptions sign_with;
  RecipientOptions encrypt_to = {};
  std::vector<std::string> allow = {};
  std::vector<Recipient> recipients = {};
  bool allow_unknown = false;
  bool include_executable = false;
  bool reproducible = false;
  bool source_sha256 = false;
  bool force = false;
};

// Reason is what a word of the report means.
std::string Reason(const std::string& word) {
  if (word == "unknown_pickle") return "a pickle of classes that nobody vouches for";
  if (word == "unlisted_call") return "a pickle that calls what nobody vouches for";
  if (word == "unreadable_pickle") return "a pickle that cannot be judged";
  if (word == "unreadable_archive") return "an archive that cannot be judged";
  if (word == "other_weights") return "weights that were not chosen";
  if (word == "container") return "a safemodel container or envelope";
  if (word == "git") return "git's own folder, whose hooks would run";
  if (word == "download_notes") return "notes of the download tool";
  if (word == "archive") return "an archive, in which anything may be";
  if (word == "keras") return "a Keras file, whose layers may be code";
  return "a " + word + ", which can run";
}

void WriteFolderReport(JsonWriter& json, const ConvertReport& report) {
  json.Texts("weights", report.weights);
  json.Texts("unmapped", report.unmapped);
  json.Key("files"), json.BeginArray();
  for (const ConvertedFile& file : report.files) {
    json.BeginObject();
    json.Member("path", file.path);
    json.Member("bytes", file.bytes);
    if (!file.executable.empty()) json.Member("executable", file.executable);
    json.EndObject();
  }
  json.EndArray();
  json.Key("left_out"), json.BeginArray();
  for (const LeftOutFile& file : report.left_out) {
    json.BeginObject();
    json.Member("path", file.path);
    json.Member("reason", file.reason);
    json.EndObject();
  }
  json.EndArray();
}

void PrintFolderReport(const ConvertReport& report) {
  for (const std::string& name : report.weights) std::printf("weights    %s\n", EscapeForTerminal(name).c_str());
  for (const std::string& name : report.unmapped) {
    std::printf("unmapped   %s: in a shard, but not in the index\n", EscapeForTerminal(name).c_str());
  }
  for (const ConvertedFile& file : report.files) {
    std::printf("file       %s, %s%s\n", EscapeForTerminal(file.path).c_str(), HumanBytes(file.bytes).c_str(),
                file.executable.empty() ? "" : ("; " + Reason(file.executable)).c_str());
  }
  for (const LeftOutFile& file : report.left_out) {
    std::printf("left out   %s: %s\n", EscapeForTerminal(file.path).c_str(), Reason(file.reason).c_str());
  }
}

void WriteRecipients(JsonWriter& json, const std::vector<Recipient>& recipients) {
  json.Key("recipients"), json.BeginArray();
  for (const Recipient& recipient : recipients) json.Text(recipient.ToText());
  json.EndArray();
}

void PrintJson(const State& state, const ConvertReport& report) {
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  json.Member("output", state.output);
  json.Member("layout", report.layout);
  json.Member("verdict", report.verdict);
  json.Member("name", report.name);
  json.Member("version", report.version);
  json.Member("sequence", report.sequence);
  json.Member("tensors", static_cast<std::uint64_t>(report.tensors));
  json.Member("source_bytes", report.source_bytes);
  json.Member("tensor_bytes", report.tensor_bytes);
  json.Member("container_bytes", report.container_bytes);
  json.Hex("source_blake3", report.source_digest);
  json.Hex("tensor_digest", report.tensor_digest);
  json.Hex("content_digest", report.content_digest);
  json.Hex("manifest_sha256", report.manifest_digest);
  WriteAllowed(json, "allow_files", state.options.allowed.files());
  json.Key("encrypted"), json.Boolean(!state.recipients.empty());
  WriteRecipients(json, state.recipients);
  json.Key("signed"), json.Boolean(!state.sign_with.key.empty());
  json.Key("inert"), json.BeginArray();
  for (const UnlistedName& unlisted : report.inert) {
    json.BeginObject();
    json.Member("global", unlisted.name);
    json.Member("offset", unlisted.offset);
    json.EndObject();
  }
  json.EndArray();
  WriteFolderReport(json, report);
  if (report.shard.count > 0) {
    json.Key("shard"), json.BeginObject();
    json.Member("number", static_cast<std::uint64_t>(report.shard.number));
    json.Member("of", static_cast<std::uint64_t>(report.shard.count));
    json.EndObject();
  }
  json.EndObject();
  json.Finish();
}

void PrintText(const State& state, const ConvertReport& report) {
  std::printf("converted  %s\n", EscapeForTerminal(state.output).c_str());
  std::printf("model      %s version %s\n", report.name.c_str(), report.version.c_str());
  std::printf("source     %s, %s; nothing in it was run\n", report.layout.c_str(),
              HumanBytes(report.source_bytes).c_str());
  std::printf("tensors    %zu, %s; container %s\n", report.tensors, HumanBytes(report.tensor_bytes).c_str(),
              HumanBytes(report.container_bytes).c_str());
  std::printf("digest     %s\n", HexOf(report.tensor_digest).c_str());
  for (const Recipient& recipient : state.recipients)
    std::printf("encrypted  for %s\n", EscapeForTerminal(recipient.ToText()).c_str());
  PrintFolderReport(report);
  for (const UnlistedName& unlisted : report.inert) {
    std::printf("inert      %s, imported at byte %llu: kept as data, no loader builds it\n",
                EscapeForTerminal(unlisted.name).c_str(), static_cast<unsigned long long>(unlisted.offset));
  }
  if (report.shard.count > 0) {
    std::printf(
        "shard      %u of %u, by its name: not the whole model; for that, name its index, all shards, or the folder\n",
        report.shard.number, report.shard.count);
  }
  if (state.sign_with.key.empty())
    state.console.Note("not signed yet; next: safemodel sign " + EscapeForTerminal(state.output) + " -k KEY");
}

// Splits the KEY=VALUE arguments of --metadata.
Status TakeMetadata(State& state) {
  for (const std::string& pair : state.metadata) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{Stage::kUsage, "bad_metadata", "--metadata takes KEY=VALUE", kNoOffset, pair};
    }
    state.options.metadata.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return {};
}

// PathInFolder returns the path below the folder for one that begins with the folder, as shells complete it.
std::string PathInFolder(const std::string& folder, const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code failure;
  if (path.empty() || (path.front() != '/' && fs::exists(fs::path(folder) / path, failure))) return path;
  const fs::path below = fs::path(path).lexically_normal().lexically_relative(fs::path(folder).lexically_normal());
  return below.empty() || *below.begin() == ".." ? path : below.string();
}

int RunConvert(State& state) {
  const std::string& input = state.inputs.front();
  if (Status status = TakeMetadata(state); !status.ok()) return state.console.Fail(status.error());
  std::unique_ptr<Signer> key;
  if (!state.sign_with.key.empty()) {
    auto loaded = OpenSigningKey(state.console, state.sign_with);
    if (!loaded.ok()) return state.console.Fail(loaded.error(), state.sign_with.ShownKey());
    key = std::move(loaded).value();
    state.options.sign_with = key.get();
  }
  auto recipients = state.encrypt_to.Read();
  if (!recipients.ok()) return state.console.Fail(recipients.error());
  state.recipients = std::move(recipients).value();
  ConvertOptions& options = state.options;
  options.encrypt_to = state.recipients;
  options.weights = PathInFolder(input, options.weights);
  auto allowed = AllowedClasses::FromFiles(state.allow);
  if (!allowed.ok()) return state.console.Fail(allowed.error());
  options.allowed = std::move(allowed).value();
  NoteAllowed(state.console, options.allowed);
  if (state.codec == "raw") options.codec = CodecChoice::kRaw;
  if (state.codec == "zstd") options.codec = CodecChoice::kZstd;
  if (state.allow_unknown) options.unknown = ConvertOptions::Unknown::kKeepInert;
  if (state.include_executable) options.executables = ConvertOptions::Executables::kInclude;
  if (state.reproducible) options.reproducible = ConvertOptions::Reproducible::kYes;
  if (state.source_sha256) options.source_sha256 = ConvertOptions::SourceSha256::kYes;
  if (state.force) options.overwrite = ConvertOptions::Overwrite::kReplace;
  options.progress = state.console.MakeProgress("converting");
  auto report = Convert(state.inputs, state.output, options);
  options.progress = {};  // the bar disappears before anything else is printed
  if (!report.ok()) return state.console.Fail(report.error(), input);
  if (state.console.json()) {
    PrintJson(state, report.value());
  } else {
    PrintText(state, report.value());
  }
  return kDone;
}

}  // namespace

Verb AddConvert(CLI::App& parent, Console& console) {
  CLI::App* verb =
      parent.add_subcommand("convert", "Read a legacy or foreign model without running it, write a container");
  auto state = std::make_shared<State>(State{console, {}, {}, {}, {}, "auto", {}});
  verb->footer(
      "Reads torch.save files and joblib of all versions, pickles of numpy, scikit-learn, scipy, pandas and boosters, "
      ".npy\n"
      "and .npz, alone or inside zlib, gzip, bzip2, xz, LZMA or LZ4; and .safetensors. All are recognised by content.\n"
      "Anything that is not on the allow-list is refused by name, and nothing is written.\n"
      "IN is a file; a sharded model, by its index or by all its shards; or a folder. Of a folder, configuration, "
      "tokenizer\n"
      "and all other files are packed too; what can run is left out, and everything left out is listed.");
  verb->add_option("IN", state->inputs, "The model to read: a file, an index, the shards of one model, or a folder")
      ->required();
  verb->add_option("-o,--output", state->output, "The container to write")->required()->type_name("OUT.safemodel");
  verb->add_option("--name", state->options.name, "Model name; default: the input's name without its suffix");
  verb->add_option("--version", state->options.version, "Model version")->capture_default_str();
  verb->add_option("--sequence", state->options.sequence, "Release sequence number; 0 is unsequenced")
      ->capture_default_str();
  verb->add_option("--metadata", state->metadata, "Signed public metadata; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  verb->add_option("--codec", state->codec, "How chunks are stored: auto, raw or zstd")
      ->check(CLI::IsMember({"auto", "raw", "zstd"}))
      ->type_name("CODEC")
      ->capture_default_str();
  verb->add_option("--level", state->options.level, "zstd level")->check(CLI::Range(1, 19))->capture_default_str();
  AddThreads(*verb, state->options.threads);
  verb->add_option("--sign-with", state->sign_with.key, std::string("Sign in role builder with ") + kKeyHelp)
      ->type_name("KEY");
  state->sign_with.AddOptions(*verb);
  auto* encrypt_to =
      state->encrypt_to.AddOption(*verb, "--encrypt-to", "Encrypt, so that nothing plain touches the disk");
  AddBucketOption(*verb, state->options.bucket_bytes)->needs(encrypt_to);
  verb->add_option("--allow", state->allow, "Take the classes that this TOML file states for known; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  verb->add_flag("--allow-unknown", state->allow_unknown,
                 "Keep unknown classes as inert data; they are still never run");
  verb->add_flag("--include-executable", state->include_executable,
                 "Pack the files of a folder that can run too: scripts, programs, archives, pickles that were judged");
  verb->add_option("--weights", state->options.weights, "Which weights to take when a folder has several models")
      ->type_name("PATH");
  verb->add_flag("--source-sha256", state->source_sha256, "Record the source's SHA-256 beside its BLAKE3");
  verb->add_flag("--reproducible", state->reproducible,
                 "Same input, same bytes: file id from the content, time from SOURCE_DATE_EPOCH");
  verb->add_flag("--force", state->force, "Replace an existing output");
  console.AddOptions(*verb);
  return {verb, [state] { return RunConvert(*state); }};
}

}  // namespace safemodel::cli
