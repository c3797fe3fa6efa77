// SPDX-License-Identifier: Apache-2.0
#include "trust/statement.h"

#include <algorithm>
#include <array>

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "json/json.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

constexpr std::array<std::string_view, 4> kCheckedWords = {"none", "manifest", "stored", "full"};

Error BadStatement(const char* text) { return {Stage::kMalformed, "bad_statement", text}; }

// A member that must be there and a text.
Result<std::string> TextOf(const json::Value& object, std::string_view key) {
  const json::Value* member = object.Find(key);
  if (member == nullptr || member->AsString() == nullptr) return BadStatement("a statement lacks a text that it must have");
  return *member->AsString();
}

// Lower-case hexadecimal of exactly N bytes.
template <std::size_t N>
Result<std::array<std::uint8_t, N>> HexOf(const std::string& text) {
  std::array<std::uint8_t, N> out{};
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (text.size() != 2 * N) return BadStatement("a hexadecimal text has the wrong length");
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) return BadStatement("a hexadecimal text has other letters than 0-9 and a-f");
    out[i / 2] = static_cast<std::uint8_t>(out[i / 2] << 4 | digit);
  }
  return out;
}

Result<std::int64_t> TimeOf(const json::Value& object, std::string_view key) {
  SAFEMODEL_ASSIGN(const std::string text, TextOf(object, key));
  const auto time = ParseTimestamp(text);
  if (!time) return BadStatement("a time is not of the form 2026-01-31T23:59:59Z");
  return *time;
}

Result<std::uint64_t> IntegerOf(const json::Value& object, std::string_view key, const Limits& limits) {
  const json::Value* member = object.Find(key);
  const auto value = member == nullptr ? std::nullopt : member->AsUnsigned();
  if (!value) return BadStatement("a statement lacks a whole number that it must have");
  if (*value > limits.json_integer_max) return Error{Stage::kLimit, "integer_too_large", "a whole number is over 2^53-1"};
  return *value;
}

Status TakeSubject(const json::Value& root, Statement& out) {
  const json::Value* member = root.Find("subject");
  const json::Array* subjects = member == nullptr ? nullptr : member->AsArray();
  if (subjects == nullptr || subjects->size() != 1) return BadStatement("a statement has exactly one subject");
  const json::Value& subject = subjects->front();
  SAFEMODEL_ASSIGN(out.subject_name, TextOf(subject, "name"));
  const json::Value* digests = subject.Find("digest");
  // A second digest kind could name another artifact: which of the two would be the subject?
  if (digests == nullptr || digests->AsObject() == nullptr || digests->AsObject()->size() != 1) {
    return BadStatement("a subject has exactly one digest");
  }
  SAFEMODEL_ASSIGN(const std::string text, TextOf(*digests, "sha256"));
  SAFEMODEL_ASSIGN(out.subject_digest, HexOf<32>(text));
  return {};
}

Status TakeRequires(const json::Value& predicate, Statement& out) {
  const json::Value* member = predicate.Find("requires");
  if (member == nullptr) return {};
  const json::Array* roles = member->AsArray();
  if (roles == nullptr) return BadStatement("requires is an array of roles");
  if (roles->size() > kRequiresMost) return Error{Stage::kLimit, "too_many_roles", "a statement requires more than 16 roles"};
  for (const json::Value& role : *roles) {
    if (role.AsString() == nullptr || !IsRole(*role.AsString())) return BadStatement("requires names something that is no role");
    out.requires_roles.push_back(*role.AsString());
  }
  return {};
}

Status TakeRole(const json::Value& predicate, Statement& out) {
  const json::Value* member = predicate.Find("role");
  if (member == nullptr) return {};  // a policy has no key for the empty role
  if (member->AsString() == nullptr) return BadStatement("a role is a text");
  out.role = *member->AsString();
  return {};
}

Status TakeVerified(const json::Value& predicate, Statement& out) {
  SAFEMODEL_ASSIGN(const std::string word, TextOf(predicate, "verified"));
  const auto found = std::find(kCheckedWords.begin(), kCheckedWords.end(), word);
  if (found == kCheckedWords.end()) return BadStatement("verified is none, manifest, stored or full");
  out.verified = static_cast<Checked>(found - kCheckedWords.begin());
  return {};
}

Status TakeTimes(const json::Value& predicate, Statement& out) {
  SAFEMODEL_ASSIGN(out.issued_at, TimeOf(predicate, "issuedAt"));
  if (predicate.Find("notAfter") == nullptr) return {};
  SAFEMODEL_ASSIGN(out.not_after, TimeOf(predicate, "notAfter"));
  if (*out.not_after < out.issued_at) return BadStatement("a statement ends before it was issued");
  return {};
}

Status TakePredicate(const json::Value& predicate, const Limits& limits, Statement& out) {
  SAFEMODEL_TRY(TakeRole(predicate, out));
  SAFEMODEL_ASSIGN(out.model, TextOf(predicate, "model"));
  SAFEMODEL_ASSIGN(out.version, TextOf(predicate, "version"));
  SAFEMODEL_ASSIGN(out.sequence, IntegerOf(predicate, "sequence", limits));
  SAFEMODEL_ASSIGN(const std::string file_id, TextOf(predicate, "fileId"));
  SAFEMODEL_ASSIGN(out.file_id, HexOf<16>(file_id));
  SAFEMODEL_TRY(TakeTimes(predicate, out));
  SAFEMODEL_TRY(TakeVerified(predicate, out));
  return TakeRequires(predicate, out);
}

}  // namespace

Result<Statement> ParseStatement(ByteView payload, const Limits& limits) {
  SAFEMODEL_ASSIGN(const json::Value root, json::Parse(payload, {limits.statement_bytes, limits.json_depth}));
  SAFEMODEL_ASSIGN(const std::string type, TextOf(root, "_type"));
  SAFEMODEL_ASSIGN(const std::string predicate_type, TextOf(root, "predicateType"));
  if (type != kStatementType || predicate_type != kReleasePredicate) {
    return Error{Stage::kUntrusted, "not_a_release", "this is an attestation or a newer kind of statement, which counts for nothing here"};
  }
  Statement out;
  SAFEMODEL_TRY(TakeSubject(root, out));
  const json::Value* predicate = root.Find("predicate");
  if (predicate == nullptr || predicate->AsObject() == nullptr) return BadStatement("a statement has a predicate");
  SAFEMODEL_TRY(TakePredicate(*predicate, limits, out));
  return out;
}

ByteBuffer SerializeStatement(const Statement& statement) {
  const auto pair = [](std::string_view key, const std::string& value) { return json::Quote(key) + ":" + json::Quote(value); };
  ByteWriter out;
  out.Text("{" + pair("_type", std::string(kStatementType)));
  out.Text(",\"subject\":[{" + pair("name", statement.subject_name));
  out.Text(",\"digest\":{" + pair("sha256", crypto::Hex(statement.subject_digest)) + "}}]");
  out.Text("," + pair("predicateType", std::string(kReleasePredicate)));
  out.Text(",\"predicate\":{" + pair("role", statement.role) + "," + pair("model", statement.model));
  out.Text("," + pair("version", statement.version) + ",\"sequence\":" + std::to_string(statement.sequence));
  out.Text("," + pair("fileId", crypto::Hex(statement.file_id)) + "," + pair("issuedAt", SerializeTimestamp(statement.issued_at)));
  if (statement.not_after) out.Text("," + pair("notAfter", SerializeTimestamp(*statement.not_after)));
  out.Text("," + pair("verified", std::string(kCheckedWords[static_cast<std::size_t>(statement.verified)])));
  if (!statement.requires_roles.empty()) {
    std::string roles;
    for (const std::string& role : statement.requires_roles) roles += (roles.empty() ? "" : ",") + json::Quote(role);
    out.Text(",\"requires\":[" + roles + "]");
  }
  out.Text("}}");
  return std::move(out).Finish();
}

bool IsRole(std::string_view text) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  return !text.empty() && text.size() <= 64 && text.find_first_not_of(kLetters) == std::string_view::npos;
}

bool Agrees(const Statement& statement, const container::Manifest& manifest) {
  return statement.model == manifest.name && statement.version == manifest.version && statement.sequence == manifest.sequence &&
         statement.file_id == manifest.file_id && statement.subject_name == manifest.name + "@" + manifest.version;
}

}  // namespace safemodel::trust
