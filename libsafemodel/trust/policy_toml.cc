// SPDX-License-Identifier: Apache-2.0
// Policy files. Spec: section 11.5.
#include <safemodel/policy.h>

#include <array>
#include <utility>

#include "base/cursor.h"
#include "base/file.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "toml/read_file.h"
#include "toml/toml.h"
#include "trust/policy_text.h"
#include "trust/statement.h"
#include "trust/timestamp.h"

namespace safemodel {
namespace {

using toml::Table;

constexpr std::int64_t kDaySeconds = 86400;

template <typename T, std::size_t N>
using Words = std::array<std::pair<std::string_view, T>, N>;

constexpr Words<Rule::Encryption, 3> kEncryption = {{{"any", Rule::Encryption::kAny},
                                                     {"required", Rule::Encryption::kRequired},
                                                     {"forbidden", Rule::Encryption::kForbidden}}};
constexpr Words<Rule::Mapping, 2> kMapping = {
    {{"allowed", Rule::Mapping::kAllowed}, {"forbidden", Rule::Mapping::kForbidden}}};
constexpr Words<Rule::Expected, 2> kExpected = {
    {{"optional", Rule::Expected::kOptional}, {"required", Rule::Expected::kDemanded}}};
constexpr Words<Rule::Mode, 3> kMode = {
    {{"strict", Rule::Mode::kStrict}, {"warn", Rule::Mode::kWarn}, {"off", Rule::Mode::kOff}}};

// ReadWord reads one of a few words; absent, `value` stays as it is.
template <typename T, std::size_t N>
Status ReadWord(Table& table, std::string_view key, const Words<T, N>& words, T& value) {
  SAFEMODEL_ASSIGN(const std::optional<std::string> text, table.OptionalString(key));
  if (!text.has_value()) return {};
  for (const auto& [word, meaning] : words) {
    if (word != *text) continue;
    value = meaning;
    return {};
  }
  return table.Refuse(key, "unknown_word", "this is none of the words that may stand here");
}

Result<PublicKey> ReadKey(Table& table, std::string_view field) {
  SAFEMODEL_ASSIGN(const std::string text, table.RequiredString(field));
  auto key = PublicKey::FromText(text);
  if (!key.ok()) return table.Refuse(field, "bad_key", "this is not the text of a usable public key");
  return key;
}

Status ReadTime(Table& table, std::string_view field, std::optional<std::int64_t>& time) {
  SAFEMODEL_ASSIGN(const std::optional<std::string> text, table.OptionalString(field));
  if (!text.has_value()) return {};
  const auto parsed = trust::ParseTimestamp(*text);
  if (!parsed.ok()) return table.Refuse(field, "bad_time", "a time is not of the form \"2026-01-01T00:00:00Z\"");
  time = parsed.value();
  return {};
}

Result<Digest> ReadDigest(const Table& table, std::string_view field, const std::string& text) {
  const auto digest = crypto::DigestOfHex(text);
  if (!digest.has_value()) return table.Refuse(field, "bad_digest", "a digest is 64 lower-case hex digits");
  return *digest;
}

Result<TrustedKey> ReadTrustedKey(Table table) {
  SAFEMODEL_ASSIGN(const std::string name, table.RequiredString("name"));
  if (name.empty()) return table.Refuse("name", "empty_name", "a key needs a name");
  SAFEMODEL_ASSIGN(PublicKey key, ReadKey(table, "public"));
  TrustedKey trusted{std::move(key), {}, {}, {}, name, {}};
  SAFEMODEL_ASSIGN(auto roles, table.OptionalStrings("roles"));
  SAFEMODEL_ASSIGN(auto attests, table.OptionalStrings("attests"));
  trusted.roles = std::move(roles).value_or(std::vector<std::string>{});
  trusted.attests = std::move(attests).value_or(std::vector<std::string>{});
  SAFEMODEL_TRY(ReadTime(table, "valid_from", trusted.not_before));
  SAFEMODEL_TRY(ReadTime(table, "valid_until", trusted.not_after));
  SAFEMODEL_TRY(table.Finish());
  return trusted;
}

Status ReadRoles(Table& table, Rule& rule) {
  SAFEMODEL_ASSIGN(Table roles, table.RequiredTable("roles"));
  for (const std::string& role : roles.Keys()) {
    SAFEMODEL_ASSIGN(const std::uint64_t count, roles.RequiredInteger(role, {0, trust::kMostPolicyEntries}));
    rule.required.push_back({role, static_cast<std::uint32_t>(count)});
  }
  SAFEMODEL_TRY(roles.Finish());
  SAFEMODEL_ASSIGN(std::optional<Table> verified, table.OptionalTable("verified"));
  if (!verified.has_value()) return {};
  for (RoleThreshold& threshold : rule.required) {
    SAFEMODEL_ASSIGN(const std::optional<std::string> word, verified->OptionalString(threshold.role));
    if (!word.has_value()) continue;
    const auto minimum = trust::CheckedFrom(*word);
    if (!minimum.has_value())
      return verified->Refuse(threshold.role, "unknown_word", "this is none of none, manifest, stored and full");
    threshold.minimum = *minimum;
  }
  return verified->Finish();  // a role that the rule does not ask for is an unknown field
}

Status ReadAttestations(Table& table, Rule& rule) {
  SAFEMODEL_ASSIGN(auto tables, table.Tables("attestations"));
  for (Table& entry : tables) {
    RequiredAttestation required;
    SAFEMODEL_ASSIGN(required.predicate_type, entry.RequiredString("type"));
    constexpr std::uint64_t kMostDays = 36525;  // a hundred years; no sum of it with a time overflows
    SAFEMODEL_ASSIGN(const auto days, entry.OptionalInteger("max_age_days", {1, kMostDays}));
    if (days.has_value()) required.maximum_age = static_cast<std::int64_t>(*days) * kDaySeconds;
    SAFEMODEL_TRY(entry.Finish());
    rule.attestations.push_back(std::move(required));
  }
  return {};
}

// ReadLogged reads true, false, or the origin of a log.
Status ReadLogged(Table& table, Rule& rule) {
  const auto origin = table.OptionalString("logged");
  if (origin.ok()) {
    if (origin.value().has_value() && origin.value()->empty())
      return table.Refuse("logged", "empty_name", "the log that signatures are to be in has no name");
    if (origin.value().has_value()) rule.logged = RequiredLog{*origin.value()};
    return {};
  }
  SAFEMODEL_ASSIGN(const std::optional<bool> any, table.OptionalBool("logged"));
  if (any.value_or(false)) rule.logged = RequiredLog{};
  return {};
}

Result<Rule> ReadRule(Table table) {
  Rule rule;
  SAFEMODEL_ASSIGN(rule.models, table.RequiredString("models"));
  SAFEMODEL_TRY(ReadRoles(table, rule));
  SAFEMODEL_TRY(ReadAttestations(table, rule));
  SAFEMODEL_ASSIGN(const auto overlap, table.OptionalBool("roles_may_overlap"));
  if (overlap.value_or(false)) rule.roles_may_overlap = Rule::Overlap::kAllowed;
  SAFEMODEL_ASSIGN(rule.minimum_sequence, table.OptionalInteger("minimum_sequence"));
  SAFEMODEL_TRY(ReadWord(table, "encryption", kEncryption, rule.encryption));
  SAFEMODEL_TRY(ReadWord(table, "memory_mapping", kMapping, rule.memory_mapping));
  SAFEMODEL_TRY(ReadWord(table, "expectation", kExpected, rule.expectation));
  SAFEMODEL_TRY(ReadWord(table, "mode", kMode, rule.mode));
  SAFEMODEL_TRY(ReadLogged(table, rule));
  SAFEMODEL_TRY(table.Finish());
  return rule;
}

Result<LogCheckpoint> ReadCheckpoint(Table table) {
  LogCheckpoint checkpoint;
  SAFEMODEL_ASSIGN(checkpoint.origin, table.RequiredString("origin"));
  SAFEMODEL_ASSIGN(checkpoint.size, table.RequiredInteger("size"));
  SAFEMODEL_ASSIGN(const std::string root, table.RequiredString("root"));
  SAFEMODEL_ASSIGN(checkpoint.root, ReadDigest(table, "root", root));
  SAFEMODEL_TRY(table.Finish());
  return checkpoint;
}

// A revoked key is named by its name among the keys, or by its text.
Result<RevokedKey> ReadRevoked(Table table, const std::vector<TrustedKey>& keys) {
  SAFEMODEL_ASSIGN(const std::string text, table.RequiredString("key"));
  const TrustedKey* named = trust::KeyOfName(keys, text);
  auto key = named != nullptr ? Result<PublicKey>(named->key) : PublicKey::FromText(text);
  if (!key.ok()) return table.Refuse("key", "bad_key", "this is neither the name of a key nor a usable public key");
  RevokedKey revoked{std::move(key).value(), {}, {}};
  SAFEMODEL_ASSIGN(auto checkpoints, table.Tables("except_before"));
  for (Table& checkpoint : checkpoints) {
    SAFEMODEL_ASSIGN(LogCheckpoint read, ReadCheckpoint(std::move(checkpoint)));
    revoked.except_before.push_back(std::move(read));
  }
  SAFEMODEL_ASSIGN(const auto statements, table.OptionalStrings("except_statements"));
  for (const std::string& hex : statements.value_or(std::vector<std::string>{})) {
    SAFEMODEL_ASSIGN(const Digest digest, ReadDigest(table, "except_statements", hex));
    revoked.except_statements.push_back(digest);
  }
  SAFEMODEL_ASSIGN(const auto reason, table.OptionalString("reason"));  // for people
  static_cast<void>(reason);
  SAFEMODEL_TRY(table.Finish());
  return revoked;
}

Status ReadDenied(Table table, PolicyParts& parts) {
  SAFEMODEL_ASSIGN(const auto manifest, table.OptionalString("manifest"));
  SAFEMODEL_ASSIGN(const auto content, table.OptionalString("content"));
  SAFEMODEL_ASSIGN(const auto reason, table.OptionalString("reason"));
  static_cast<void>(reason);
  if (!manifest.has_value() && !content.has_value())
    return table.Refuse("", "nothing_denied", "an entry of denied names neither a manifest nor a content digest");
  if (manifest.has_value()) {
    SAFEMODEL_ASSIGN(const Digest digest, ReadDigest(table, "manifest", *manifest));
    parts.denied_manifests.push_back(digest);
  }
  if (content.has_value()) {
    SAFEMODEL_ASSIGN(const Digest digest, ReadDigest(table, "content", *content));
    parts.denied_contents.push_back(digest);
  }
  return table.Finish();
}

Status ReadLogs(Table& root, PolicyParts& parts) {
  SAFEMODEL_ASSIGN(auto logs, root.Tables("log"));
  for (Table& table : logs) {
    SAFEMODEL_ASSIGN(std::string origin, table.RequiredString("origin"));
    SAFEMODEL_ASSIGN(PublicKey key, ReadKey(table, "public"));
    SAFEMODEL_TRY(table.Finish());
    parts.logs.push_back({std::move(origin), std::move(key)});
  }
  SAFEMODEL_ASSIGN(auto witnesses, root.Tables("witness"));
  for (Table& table : witnesses) {
    SAFEMODEL_ASSIGN(std::string name, table.RequiredString("name"));
    SAFEMODEL_ASSIGN(PublicKey key, ReadKey(table, "public"));
    SAFEMODEL_TRY(table.Finish());
    parts.witnesses.push_back({std::move(name), std::move(key)});
  }
  SAFEMODEL_ASSIGN(const auto threshold, root.OptionalInteger("witness_threshold", {0, trust::kMostPolicyEntries}));
  parts.witness_threshold = static_cast<std::uint32_t>(threshold.value_or(0));
  return {};
}

Status ReadState(Table& root, const std::string& folder, PolicyParts& parts) {
  SAFEMODEL_ASSIGN(const auto state, root.OptionalString("state"));
  if (!state.has_value()) return {};
  if (state->empty()) return root.Refuse("state", "empty_name", "the state file has no name");
  parts.state_path = state->front() == '/' ? *state : folder + "/" + *state;
  return {};
}

Result<Policy> FromTable(Table root, const std::string& folder) {
  PolicyParts parts;
  SAFEMODEL_ASSIGN(const std::uint64_t version, root.RequiredInteger("version"));
  if (version != 1) return root.Refuse("version", "other_version", "this program knows version 1 of policy files");
  SAFEMODEL_TRY(ReadState(root, folder, parts));
  SAFEMODEL_ASSIGN(auto keys, root.Tables("key"));
  for (Table& table : keys) {
    SAFEMODEL_ASSIGN(TrustedKey key, ReadTrustedKey(std::move(table)));
    parts.keys.push_back(std::move(key));
  }
  SAFEMODEL_ASSIGN(auto rules, root.Tables("rule"));
  for (Table& table : rules) {
    SAFEMODEL_ASSIGN(Rule rule, ReadRule(std::move(table)));
    parts.rules.push_back(std::move(rule));
  }
  SAFEMODEL_ASSIGN(auto revoked, root.Tables("revoked"));
  for (Table& table : revoked) {
    SAFEMODEL_ASSIGN(RevokedKey entry, ReadRevoked(std::move(table), parts.keys));
    parts.revoked.push_back(std::move(entry));
  }
  SAFEMODEL_ASSIGN(auto denied, root.Tables("denied"));
  for (Table& table : denied) SAFEMODEL_TRY(ReadDenied(std::move(table), parts));
  SAFEMODEL_TRY(ReadLogs(root, parts));
  SAFEMODEL_TRY(root.Finish());
  return Policy::Create(std::move(parts));
}

}  // namespace

Result<Policy> Policy::FromToml(std::string_view text, const std::string& folder) {
  return CatchOutOfMemory([&]() -> Result<Policy> {
    SAFEMODEL_ASSIGN(Table root, toml::Parse(AsBytes(text), "policy"));
    return FromTable(std::move(root), folder);
  });
}

Result<Policy> Policy::FromFile(const std::string& path) {
  return CatchOutOfMemory([&]() -> Result<Policy> {
    SAFEMODEL_ASSIGN(Table root, toml::ParseFile(path));
    return FromTable(std::move(root), FolderOf(path));
  });
}

}  // namespace safemodel
