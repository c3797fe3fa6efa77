// SPDX-License-Identifier: Apache-2.0
#include "log_options.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "console.h"
#include "escape.h"
#include "input_file.h"

namespace safemodel::cli {
namespace {

Result<TrustedWitness> ParseWitness(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return BadArguments("--witness takes NAME=KEY", text);
  }
  auto key = PublicKey::Parse(text.substr(equals + 1));
  if (!key.ok()) return key.error();
  return TrustedWitness{text.substr(0, equals), key.value()};
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Result<ByteBuffer> ReadNote(const std::string& path) {
  const auto text = ReadInputFile(path, Limits().log_note_bytes);
  if (!text.ok()) return text.error();
  return ByteBuffer(text.value().begin(), text.value().end());
}

void LogOptions::AddOptions(CLI::App& verb, const std::string& what) {
  verb.add_option("--log-key", keys_, "The log's public key: a .pub file, or its base64 line; repeatable")
      ->required()
      ->type_name("KEY")
      ->allow_extra_args(false);
  verb.add_option("--origin", origin_, "The name of the log that is meant; without it, whatever this key has signed")
      ->type_name("NAME");
  verb.add_option("--witness", witnesses_, "A witness whose cosignatures count; repeatable")
      ->type_name("NAME=KEY")
      ->allow_extra_args(false);
  verb.add_option("--witnesses", threshold_, "How many witnesses must have cosigned")->type_name("N");
  verb.add_option("--checkpoint", checkpoint_, what)->type_name("FILE");
}

Result<std::vector<PublicKey>> ReadKeys(const std::vector<std::string>& texts) {
  std::vector<PublicKey> keys;
  for (const std::string& text : texts) {
    auto key = PublicKey::Parse(text);
    if (!key.ok()) return key.error();
    keys.push_back(key.value());
  }
  return keys;
}

Result<LogTrust> LogOptions::Trust(const std::string& folder) const {
  LogTrust trust;
  std::string origin = origin_;
  if (origin.empty()) {
    if (folder.empty()) {
      return BadArguments("without the log's folder, --origin must name the log");
    }
    const auto note = ReadNote(folder + "/checkpoint");
    if (!note.ok()) return note.error();
    const auto checkpoint = ParseCheckpoint(note.value());
    if (!checkpoint.ok()) return checkpoint.error();
    origin = checkpoint.value().origin;
  }
  auto keys = ReadKeys(keys_);
  if (!keys.ok()) return keys.error();
  for (const PublicKey& key : keys.value()) trust.logs.push_back({origin, key});
  for (const std::string& text : witnesses_) {
    auto witness = ParseWitness(text);
    if (!witness.ok()) return witness.error();
    trust.witnesses.push_back(std::move(witness).value());
  }
  trust.witness_threshold = threshold_;
  if (threshold_ > trust.witnesses.size()) {
    return BadArguments("--witnesses asks for more than there are");
  }
  return trust;
}

Result<std::optional<ByteBuffer>> LogOptions::Checkpoint() const {
  if (checkpoint_.empty()) return std::optional<ByteBuffer>();
  auto note = ReadNote(checkpoint_);
  if (!note.ok()) return note.error();
  return std::optional(std::move(note).value());
}

std::string CiIdentity() {
  const std::string workflow = Variable("GITHUB_WORKFLOW_REF");
  if (!workflow.empty()) {
    const std::string run = Variable("GITHUB_RUN_ID");
    return Variable("GITHUB_SERVER_URL") + "/" + workflow + (run.empty() ? "" : " run " + run);
  }
  return Variable("CI_JOB_URL");
}

void WriteCheckpoint(JsonWriter& json, const LogCheckpoint& checkpoint) {
  json.Key("checkpoint"), json.BeginObject();
  json.Member("origin", checkpoint.origin);
  json.Member("size", checkpoint.size);
  json.Hex("root", checkpoint.root);
  json.EndObject();
}

void WriteEntry(JsonWriter& json, std::uint64_t index, const LogEntry& entry) {
  json.Member("index", index);
  json.Member("role", entry.role);
  json.Member("key_id", entry.key_id);
  json.Member("name", entry.model);
  json.Member("version", entry.version);
  json.Member("sequence", entry.sequence);
  json.Hex("manifest_sha256", entry.manifest_digest);
  json.Hex("statement_sha256", entry.statement_digest);
  json.Member("ci_identity", entry.ci_identity);
  json.Member("time", HumanTime(entry.time));
}

void PrintEntry(std::uint64_t index, const LogEntry& entry) {
  std::printf("%6llu  %s  %s version %s (%llu)  %s  key %.16s%s%s\n", static_cast<unsigned long long>(index),
              HumanTime(entry.time).c_str(), EscapeForTerminal(entry.model).c_str(),
              EscapeForTerminal(entry.version).c_str(), static_cast<unsigned long long>(entry.sequence),
              EscapeForTerminal(entry.role).c_str(), EscapeForTerminal(entry.key_id).c_str(),
              entry.ci_identity.empty() ? "" : "  ", EscapeForTerminal(entry.ci_identity).c_str());
}

void PrintCheckpoint(const LogCheckpoint& checkpoint) {
  std::printf("log         %s, %llu entr%s\n", EscapeForTerminal(checkpoint.origin).c_str(),
              static_cast<unsigned long long>(checkpoint.size), checkpoint.size == 1 ? "y" : "ies");
  std::printf("root        sha256:%s\n", HexOf(checkpoint.root).c_str());
}

}  // namespace safemodel::cli
