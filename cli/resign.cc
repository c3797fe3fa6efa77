// SPDX-License-Identifier: Apache-2.0
#include "resign.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <optional>

#include "escape.h"
#include "json_writer.h"
#include "log_options.h"
#include "report.h"

namespace safemodel::cli {
namespace {

struct Outcome {
  std::string file;
  std::optional<Error> refusal = {};
  ResignReport report = {};

  [[nodiscard]] const char* word() const {
    if (refusal.has_value()) return "skipped";
    return report.signed_roles.empty() ? "already_signed" : "signed";
  }
};

Error CannotList(const std::string& folder, const std::error_code& why) {
  return {Stage::kIo, "read_failed", "a folder cannot be listed to its end", kNoOffset, folder + ": " + why.message()};
}

// ContainersBelow finds the files named *.safemodel, in the order of their names. Links are not followed: what they
// lead to is signed where it lies.
Result<std::vector<std::string>> ContainersBelow(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> files;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code unknown;
    const auto status = entry->symlink_status(unknown);
    if (!unknown && fs::is_regular_file(status) && entry->path().extension() == ".safemodel")
      files.push_back(entry->path().string());
  }
  if (error) return CannotList(folder, error);
  if (files.empty())
    return Error{Stage::kUsage, "no_containers", "there is no file *.safemodel in this folder", kNoOffset, folder};
  std::sort(files.begin(), files.end());
  return files;
}

// Expand makes files of files and folders; a folder that cannot be listed, or has none, becomes an outcome of its own.
std::vector<Outcome> Expand(const std::vector<std::string>& inputs) {
  std::vector<Outcome> outcomes;
  for (const std::string& input : inputs) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(input, ignored)) {
      outcomes.push_back({input});
      continue;
    }
    auto files = ContainersBelow(input);
    if (!files.ok()) {
      outcomes.push_back({input, files.error()});
      continue;
    }
    for (std::string& file : files.value()) outcomes.push_back({std::move(file)});
  }
  return outcomes;
}

void PrintLine(const Outcome& outcome) {
  const ResignReport& report = outcome.report;
  const bool fresh = !report.signed_roles.empty();
  std::printf("%-10s %s version %s as %s  %s\n", fresh ? "signed" : "already",
              EscapeForTerminal(report.model_name).c_str(), EscapeForTerminal(report.model_version).c_str(),
              JoinForTerminal(fresh ? report.signed_roles : report.already_roles).c_str(),
              EscapeForTerminal(outcome.file).c_str());
}

void WriteOutcome(JsonWriter& json, const Outcome& outcome) {
  json.BeginObject();
  json.Key("ok"), json.Boolean(!outcome.refusal.has_value());
  json.Member("file", outcome.file);
  json.Member("outcome", outcome.word());
  if (outcome.refusal.has_value()) {
    WriteError(json, *outcome.refusal);
    json.EndObject();
    return;
  }
  const ResignReport& report = outcome.report;
  json.Member("name", report.model_name);
  json.Member("version", report.model_version);
  json.Member("sequence", report.sequence);
  json.Hex("manifest_sha256", report.manifest_digest);
  json.Texts("signed_roles", report.signed_roles);
  json.Texts("already_signed_roles", report.already_roles);
  json.Key("log"), json.BeginArray();
  for (const LoggedStatement& logged : report.logged) {
    json.BeginObject();
    WriteEntry(json, logged.index, logged.entry);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
}

std::uint64_t CountOf(const std::vector<Outcome>& outcomes, std::string_view word) {
  return static_cast<std::uint64_t>(
      std::count_if(outcomes.begin(), outcomes.end(), [word](const Outcome& one) { return one.word() == word; }));
}

void PrintDocument(const std::vector<Outcome>& outcomes, int exit_code) {
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(exit_code == kDone);
  json.Key("files"), json.BeginArray();
  for (const Outcome& outcome : outcomes) WriteOutcome(json, outcome);
  json.EndArray();
  for (const char* word : {"signed", "already_signed", "skipped"}) json.Member(word, CountOf(outcomes, word));
  json.Key("exit"), json.Signed(exit_code);
  json.EndObject();
  json.Finish();
}

}  // namespace

void ResignArguments::AddOptions(CLI::App& verb) {
  const char* group = "After a key has leaked";
  verb.add_option(
          "--from-log", folder_,
          "Sign anew what this log had by the key --signed-by before the checkpoint --before, in the same roles")
      ->type_name("DIR")
      ->group(group);
  verb.add_option("--before", before_, "A checkpoint of the log that was kept from before the leak")
      ->type_name("CHECKPOINT")
      ->group(group);
  verb.add_option("--signed-by", leaked_, "The public key that has leaked")->type_name("KEY")->group(group);
  verb.add_option("--manifest", manifests_,
                  "Without a log: sign only containers whose manifest has this SHA-256; repeatable")
      ->type_name("SHA256")
      ->group(group);
  verb.add_option("--policy", policy_, "Sign nothing that this policy denies")->type_name("FILE")->group(group);
}

Status ResignArguments::Check(const SignOptions& options) const {
  if (!given()) {
    if (before_.empty() && leaked_.empty() && policy_.empty()) return {};
    return BadArguments("--before, --signed-by and --policy go with --from-log or --manifest");
  }
  if (!from_log()) {
    if (before_.empty() && leaked_.empty()) return {};
    return BadArguments("--before and --signed-by go with --from-log");
  }
  if (!manifests_.empty()) return BadArguments("--from-log and --manifest exclude each other");
  if (before_.empty() || leaked_.empty()) return BadArguments("--from-log needs --before, --signed-by and --log-key");
  if (options.requires_roles.empty() && options.role == SignOptions{}.role) return {};
  return BadArguments("--from-log takes roles from the old statements: leave out --role and --requires");
}

Result<ResignBasis> ResignArguments::MakeBasis(const PublicKey* log_key) const {
  if (!from_log()) {
    std::vector<Digest> digests;
    for (const std::string& text : manifests_) {
      auto digest = ReadDigest(text);
      if (!digest.ok()) return digest.error();
      digests.push_back(digest.value());
    }
    return ResignBasis::FromManifests(std::move(digests));
  }
  const auto leaked = PublicKey::Parse(leaked_);
  if (!leaked.ok()) return leaked.error();
  const auto note = ReadNote(before_);
  if (!note.ok()) return note.error();
  const auto checkpoint = ParseCheckpoint(note.value());
  if (!checkpoint.ok()) return checkpoint.error();
  const LogTrust trust{{{checkpoint.value().origin, *log_key}}};
  return ResignBasis::FromLog(folder_, trust, note.value(), leaked.value());
}

int ResignArguments::Run(const Console& console, const std::vector<std::string>& inputs, const Signer& key,
                         const SignOptions& options, const PublicKey* log_key, const LogOwner* owner) const {
  std::optional<Policy> policy;
  if (!policy_.empty()) {
    auto read = Policy::FromFile(policy_);
    if (!read.ok()) return console.Fail(read.error(), policy_);
    policy = std::move(read).value();
  }
  const auto basis = MakeBasis(log_key);
  if (!basis.ok()) return console.Fail(basis.error(), folder_);
  const ResignOptions resign{options, policy.has_value() ? &*policy : nullptr, owner};
  int exit_code = kDone;
  std::vector<Outcome> outcomes = Expand(inputs);
  for (Outcome& outcome : outcomes) {
    if (!outcome.refusal.has_value()) {
      auto report = Resign(outcome.file, key, basis.value(), resign);
      if (report.ok()) {
        outcome.report = std::move(report).value();
        if (!console.json()) PrintLine(outcome);
        continue;
      }
      outcome.refusal = report.error();
    }
    exit_code = Graver(exit_code, ExitCodeOf(outcome.refusal->stage));
    console.Explain(*outcome.refusal, outcome.file);
  }
  if (console.json()) {
    PrintDocument(outcomes, exit_code);
  } else {
    std::printf("%llu signed, %llu already signed, %llu skipped\n",
                static_cast<unsigned long long>(CountOf(outcomes, "signed")),
                static_cast<unsigned long long>(CountOf(outcomes, "already_signed")),
                static_cast<unsigned long long>(CountOf(outcomes, "skipped")));
  }
  return exit_code;
}

}  // namespace safemodel::cli
