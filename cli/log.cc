// SPDX-License-Identifier: Apache-2.0
// The verb log: one subcommand for each thing that is done with an audit log.
#include <safemodel/log.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "console.h"
#include "escape.h"
#include "json_writer.h"
#include "log_options.h"
#include "report.h"
#include "signing_key.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  std::string folder;
  std::string file;
  std::string origin;
  SigningKeyOptions key;
  std::string ci_identity;
  std::vector<std::string> keys;
  std::string model;
  std::string since;
  std::optional<std::uint64_t> index;
  bool store = false;
  bool consistency = false;
  LogOptions log;
};

// Fail reports an error of the log that is meant.
int Fail(const State& state, const Error& error) {
  return state.console.Fail(error, state.folder.empty() ? state.file : state.folder);
}

void BeginAnswer(JsonWriter& json) {
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
}

void EndAnswer(JsonWriter& json) {
  json.EndObject();
  json.Finish();
}

int RunInit(const State& state) {
  auto key = OpenSigningKey(state.console, state.key);
  if (!key.ok()) return state.console.Fail(key.error(), state.key.ShownKey());
  const auto log = InitLog(state.folder, state.origin, *key.value());
  if (!log.ok()) return Fail(state, log.error());
  const std::string verifier = VerifierKey(log.value().origin, key.value()->public_key());
  if (state.console.json()) {
    JsonWriter json(stdout);
    BeginAnswer(json);
    WriteCheckpoint(json, log.value());
    json.Member("verifier_key", verifier);
    EndAnswer(json);
    return kDone;
  }
  PrintCheckpoint(log.value());
  std::printf("note key    %s\n", EscapeForTerminal(verifier).c_str());
  return kDone;
}

int RunAdd(const State& state) {
  auto key = OpenSigningKey(state.console, state.key);
  if (!key.ok()) return state.console.Fail(key.error(), state.key.ShownKey());
  const auto signers = ReadKeys(state.keys);
  if (!signers.ok()) return state.console.Fail(signers.error());
  const LogOwner owner{state.folder, key.value().get(), state.ci_identity.empty() ? CiIdentity() : state.ci_identity};
  const auto report = AddToLog(state.file, owner, signers.value());
  if (!report.ok()) return state.console.Fail(report.error(), state.file);
  if (state.console.json()) {
    JsonWriter json(stdout);
    BeginAnswer(json);
    json.Key("added"), json.BeginArray();
    for (const LoggedStatement& logged : report.value().added) {
      json.BeginObject();
      WriteEntry(json, logged.index, logged.entry);
      json.EndObject();
    }
    json.EndArray();
    json.Member("already", static_cast<std::uint64_t>(report.value().already));
    WriteCheckpoint(json, report.value().checkpoint);
    json.Member("envelope", report.value().envelope_path);
    EndAnswer(json);
    return kDone;
  }
  for (const LoggedStatement& logged : report.value().added) PrintEntry(logged.index, logged.entry);
  std::printf("added       %zu, %zu there already; proofs in %s\n", report.value().added.size(), report.value().already,
              EscapeForTerminal(report.value().envelope_path).c_str());
  PrintCheckpoint(report.value().checkpoint);
  return kDone;
}

// Trusted is what all verbs that read a log begin with.
struct Trusted {
  LogTrust trust;
  std::optional<ByteBuffer> checkpoint;
};

Result<Trusted> ReadTrust(const State& state) {
  auto trust = state.log.Trust(state.folder);
  if (!trust.ok()) return trust.error();
  auto checkpoint = state.log.Checkpoint();
  if (!checkpoint.ok()) return checkpoint.error();
  return Trusted{std::move(trust).value(), std::move(checkpoint).value()};
}

int RunVerify(const State& state) {
  const auto trusted = ReadTrust(state);
  if (!trusted.ok()) return Fail(state, trusted.error());
  const auto log = VerifyLog(state.folder, trusted.value().trust, trusted.value().checkpoint);
  if (!log.ok()) return Fail(state, log.error());
  if (state.console.json()) {
    JsonWriter json(stdout);
    BeginAnswer(json);
    WriteCheckpoint(json, log.value());
    json.Key("compared"), json.Boolean(state.log.has_checkpoint());
    EndAnswer(json);
    return kDone;
  }
  PrintCheckpoint(log.value());
  std::printf("verified    every entry, tile and signature%s\n",
              state.log.has_checkpoint() ? "; the log continues the earlier checkpoint" : "");
  if (!state.log.has_checkpoint()) {
    state.console.Note(
        "nothing earlier to compare with: keep the file 'checkpoint' somewhere else and give it with --checkpoint, or "
        "a log that was made anew by its owner looks the same");
  }
  return kDone;
}

int PrintConsistency(const State& state, const Trusted& trusted) {
  if (!trusted.checkpoint.has_value()) {
    return state.console.Fail(BadArguments("--consistency needs --checkpoint"));
  }
  const auto proof = ProveConsistency(state.folder, trusted.trust, *trusted.checkpoint);
  if (!proof.ok()) return Fail(state, proof.error());
  if (!state.console.json()) {
    std::printf("consistency %llu %llu\n", static_cast<unsigned long long>(proof.value().before.size),
                static_cast<unsigned long long>(proof.value().after.size));
    for (const Digest& hash : proof.value().hashes) std::printf("%s\n", HexOf(hash).c_str());
    return kDone;
  }
  JsonWriter json(stdout);
  BeginAnswer(json);
  json.Member("from", proof.value().before.size);
  json.Key("hashes"), json.BeginArray();
  for (const Digest& hash : proof.value().hashes) json.Text(HexOf(hash));
  json.EndArray();
  WriteCheckpoint(json, proof.value().after);
  EndAnswer(json);
  return kDone;
}

int RunProve(const State& state) {
  const auto trusted = ReadTrust(state);
  if (!trusted.ok()) return Fail(state, trusted.error());
  if (state.consistency) return PrintConsistency(state, trusted.value());
  if (state.index.has_value() != state.file.empty()) {
    return state.console.Fail(BadArguments(state.file.empty()
                                               ? "give --index or --container: what is to be proven"
                                               : "--index and --container exclude each other: give one of them"));
  }
  const auto& [trust, at] = trusted.value();
  std::vector<ByteBuffer> proofs;
  if (state.index.has_value()) {
    auto proof = ProveEntry(state.folder, *state.index, trust, at);
    if (!proof.ok()) return Fail(state, proof.error());
    proofs.push_back(std::move(proof).value());
  } else {
    auto proven =
        ProveContainer(state.folder, state.file, trust, at, state.store ? StoreProofs::kYes : StoreProofs::kNo);
    if (!proven.ok()) return state.console.Fail(proven.error(), state.file);
    proofs = std::move(proven).value();
  }
  if (!state.console.json()) {  // the proofs are the answer, one file after another as tools take them
    for (const ByteBuffer& proof : proofs) std::fwrite(proof.data(), 1, proof.size(), stdout);
    return kDone;
  }
  JsonWriter json(stdout);
  BeginAnswer(json);
  json.Key("proofs"), json.BeginArray();
  for (const ByteBuffer& proof : proofs) {
    json.Text(std::string_view(reinterpret_cast<const char*>(proof.data()), proof.size()));
  }
  json.EndArray();
  json.Key("stored"), json.Boolean(state.store);
  EndAnswer(json);
  return kDone;
}

struct Listed {
  std::uint64_t index;
  LogEntry entry;
};

void PrintEntries(const State& state, const std::vector<Listed>& entries, const LogCheckpoint& checkpoint) {
  if (!state.console.json()) {
    for (const auto& [index, entry] : entries) PrintEntry(index, entry);
    return;
  }
  JsonWriter json(stdout);
  BeginAnswer(json);
  json.Key("entries"), json.BeginArray();
  for (const auto& [index, entry] : entries) {
    json.BeginObject();
    WriteEntry(json, index, entry);
    json.EndObject();
  }
  json.EndArray();
  WriteCheckpoint(json, checkpoint);
  EndAnswer(json);
}

int RunQuery(const State& state) {
  const auto trusted = ReadTrust(state);
  if (!trusted.ok()) return Fail(state, trusted.error());
  const auto keys = ReadKeys(state.keys);
  if (!keys.ok()) return state.console.Fail(keys.error());
  std::optional<std::int64_t> since;
  if (!state.since.empty() && !(since = ParseTime(state.since)).has_value()) {
    return state.console.Fail(Error{Stage::kUsage, "bad_time",
                                    "--since takes a real date: 2027-01-31 or 2027-01-31T00:00:00Z", kNoOffset,
                                    state.since});
  }
  const auto wanted = [&](const LogEntry& entry) {
    bool by_key = keys.value().empty();
    for (const PublicKey& key : keys.value()) by_key = by_key || key.KeyId() == entry.key_id;
    return by_key && (state.model.empty() || state.model == entry.model) && (!since || entry.time >= *since);
  };
  std::vector<Listed> entries;
  const auto log = VerifyLog(state.folder, trusted.value().trust, trusted.value().checkpoint,
                             [&](std::uint64_t index, const LogEntry& entry) {
                               if (wanted(entry)) entries.push_back({index, entry});
                             });
  if (!log.ok()) return Fail(state, log.error());
  PrintEntries(state, entries, log.value());
  if (entries.empty() && !state.console.json()) state.console.Note("no entry matches");
  return kDone;
}

void PrintFinding(const LogFinding& finding) {
  std::printf("%s", finding.code.c_str());
  if (finding.earlier) std::printf(" (see entry %llu)", static_cast<unsigned long long>(*finding.earlier));
  std::printf("\n");
  PrintEntry(finding.index, finding.entry);
}

int RunAudit(const State& state) {
  const auto trusted = ReadTrust(state);
  if (!trusted.ok()) return Fail(state, trusted.error());
  const auto keys = ReadKeys(state.keys);
  if (!keys.ok()) return state.console.Fail(keys.error());
  const auto audit = AuditLog(state.folder, trusted.value().trust, keys.value(), trusted.value().checkpoint);
  if (!audit.ok()) return Fail(state, audit.error());
  const bool clean = audit.value().findings.empty();
  if (state.console.json()) {
    JsonWriter json(stdout);
    json.BeginObject();
    json.Key("ok"), json.Boolean(clean);
    json.Key("findings"), json.BeginArray();
    for (const LogFinding& finding : audit.value().findings) {
      json.BeginObject();
      json.Member("code", finding.code);
      if (finding.earlier) json.Member("earlier", *finding.earlier);
      WriteEntry(json, finding.index, finding.entry);
      json.EndObject();
    }
    json.EndArray();
    json.Member("models", audit.value().models);
    WriteCheckpoint(json, audit.value().checkpoint);
    json.Key("exit"), json.Signed(clean ? kDone : kRefused);
    EndAnswer(json);
    return clean ? kDone : kRefused;
  }
  for (const LogFinding& finding : audit.value().findings) PrintFinding(finding);
  PrintCheckpoint(audit.value().checkpoint);
  const auto models = static_cast<unsigned long long>(audit.value().models);
  const std::size_t findings = audit.value().findings.size();
  std::printf("audited     %llu model%s, %zu finding%s\n", models, models == 1 ? "" : "s", findings,
              findings == 1 ? "" : "s");
  return clean ? kDone : kRefused;
}

int RunCheck(const State& state) {
  const auto trusted = ReadTrust(state);
  if (!trusted.ok()) return Fail(state, trusted.error());
  const auto keys = ReadKeys(state.keys);
  if (!keys.ok()) return state.console.Fail(keys.error());
  std::optional<LogCheckpoint> before;
  if (trusted.value().checkpoint.has_value()) {
    auto parsed = ParseCheckpoint(*trusted.value().checkpoint);
    if (!parsed.ok()) return Fail(state, parsed.error());
    before = std::move(parsed).value();
  }
  const auto logged = CheckLogged(state.file, keys.value(), trusted.value().trust, before);
  if (!logged.ok()) return state.console.Fail(logged.error(), state.file);
  if (state.console.json()) {
    JsonWriter json(stdout);
    BeginAnswer(json);
    json.Key("logged"), json.BeginArray();
    for (const LoggedStatement& statement : logged.value()) {
      json.BeginObject();
      WriteEntry(json, statement.index, statement.entry);
      WriteCheckpoint(json, statement.checkpoint);
      json.EndObject();
    }
    json.EndArray();
    EndAnswer(json);
    return kDone;
  }
  for (const LoggedStatement& statement : logged.value()) {
    PrintEntry(statement.index, statement.entry);
    PrintCheckpoint(statement.checkpoint);
  }
  return kDone;
}

using Runner = int (*)(const State&);

CLI::App* AddPart(CLI::App& log, const std::shared_ptr<State>& state, const char* name, const char* text,
                  const char* example) {
  CLI::App* part = log.add_subcommand(name, text);
  part->footer(std::string("Example: safemodel log ") + example);
  if (std::string_view(name) != "check") part->add_option("DIR", state->folder, "The log's folder")->required();
  return part;
}

void AddOwnerOptions(CLI::App& part, State& state) {
  part.add_option("-k,--key", state.key.key, std::string("The log's own key, which signs nothing else: ") + kKeyHelp)
      ->required()
      ->type_name("KEY");
  state.key.AddOptions(part);
}

constexpr const char* kEarlier = "An earlier checkpoint of the log: refuse a log that does not continue it";

std::vector<std::pair<CLI::App*, Runner>> AddParts(CLI::App& log, const std::shared_ptr<State>& state) {
  CLI::App* init = AddPart(log, state, "init", "Begin a log in a new folder",
                           "init /srv/log --origin example.com/models -k log.key");
  init->add_option("--origin", state->origin, "The log's name, as a URL without scheme")->required()->type_name("NAME");
  AddOwnerOptions(*init, *state);

  CLI::App* add = AddPart(log, state, "add", "Log a container's statements and store the proofs in its envelope",
                          "add /srv/log model.safemodel -k log.key --signer release.pub");
  add->add_option("FILE", state->file, "The container")->required();
  AddOwnerOptions(*add, *state);
  add->add_option("--signer", state->keys, "Log only statements that this public key verifies; repeatable")
      ->type_name("KEY")
      ->allow_extra_args(false);
  add->add_option("--ci-identity", state->ci_identity, "What job this is; by default what GitHub or GitLab say")
      ->type_name("TEXT");

  CLI::App* verify = AddPart(log, state, "verify", "Recompute a log: every entry, every tile, the root, the signatures",
                             "verify /srv/log --log-key log.pub --checkpoint seen-last-week");
  state->log.AddOptions(*verify, kEarlier);

  CLI::App* prove = AddPart(log, state, "prove", "Print the proof that the log has an entry (C2SP tlog-proof)",
                            "prove /srv/log --log-key log.pub --container model.safemodel --store");
  state->log.AddOptions(*prove, "Prove it for this earlier state of the log");
  prove->add_option("--index", state->index, "The entry")->type_name("N");
  prove->add_option("--container", state->file, "The container whose statements are meant")->type_name("FILE");
  prove->add_flag("--store", state->store, "Put the proofs into the container's envelope too");
  prove->add_flag("--consistency", state->consistency, "Prove instead that the log continues --checkpoint");

  CLI::App* query = AddPart(log, state, "query", "List entries, after verifying the whole log",
                            "query /srv/log --log-key log.pub --key leaked.pub");
  state->log.AddOptions(*query, kEarlier);
  query->add_option("--key", state->keys, "Statements by this public key; repeatable")
      ->type_name("KEY")
      ->allow_extra_args(false);
  query->add_option("--model", state->model, "Statements about this model")->type_name("NAME");
  query->add_option("--since", state->since, "Entries logged at this time or later")->type_name("TIME");

  CLI::App* audit = AddPart(log, state, "audit", "Verify a log and report what somebody should look at",
                            "audit /srv/log --log-key log.pub --key release.pub");
  state->log.AddOptions(*audit, kEarlier);
  audit->add_option("--key", state->keys, "A public key that may sign; report others; repeatable")
      ->type_name("KEY")
      ->allow_extra_args(false);

  CLI::App* check = AddPart(log, state, "check", "Check the log proofs in a container's envelope, without the log",
                            "check model.safemodel --key release.pub --log-key log.pub --origin example.com/models");
  check->add_option("FILE", state->file, "The container")->required();
  check->add_option("--key", state->keys, "The signer's public key; repeatable")
      ->required()
      ->type_name("KEY")
      ->allow_extra_args(false);
  state->log.AddOptions(*check, "Accept only proofs in the tree of exactly this checkpoint");
  return {{init, RunInit},   {add, RunAdd},     {verify, RunVerify}, {prove, RunProve},
          {query, RunQuery}, {audit, RunAudit}, {check, RunCheck}};
}

}  // namespace

Verb AddLog(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("log", "The audit log: an append-only folder of who signed what");
  verb->require_subcommand(1);
  auto state = std::make_shared<State>(State{console, {}, {}, {}, {}, {}, {}, {}, {}, {}, false, false, {}});
  const auto parts = AddParts(*verb, state);
  for (const auto& part : parts) console.AddOptions(*part.first);
  return {verb, [state, parts] {
            for (const auto& [part, run] : parts) {
              if (part->parsed()) return run(*state);
            }
            return static_cast<int>(kUsage);
          }};
}

}  // namespace safemodel::cli
