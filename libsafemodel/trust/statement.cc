// SPDX-License-Identifier: Apache-2.0
#include "trust/statement.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "json/json.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

constexpr std::array<std::pair<Checked, std::string_view>, 4> kCheckedNames = {{
    {Checked::kNone, "none"},
    {Checked::kManifest, "manifest"},
    {Checked::kStored, "stored"},
    {Checked::kFull, "full"},
}};

Error BadField(const char* name) {
  return {Stage::kMalformed, "bad_field", "a field of a statement is missing or of the wrong kind", kNoOffset, name};
}
Error BadSubject() {
  return {Stage::kMalformed, "bad_subject", "a statement has not exactly one subject with exactly one SHA-256 digest"};
}
Error OtherStatement() {
  return {Stage::kUntrusted, "other_statement",
          "this is another kind of statement than a release and counts for nothing"};
}

Result<const std::string*> TextOf(const json::Value& object, const char* name) {
  const json::Value* member = object.Find(name);
  if (member == nullptr || member->AsString() == nullptr) return BadField(name);
  return member->AsString();
}

Result<std::string> ParseRole(const json::Value& value, const char* field) {
  if (value.AsString() == nullptr || !IsRole(*value.AsString())) return BadField(field);
  return *value.AsString();
}

Status ParseRoles(const json::Value& predicate, Statement& statement) {
  if (const json::Value* role = predicate.Find("role")) {
    SAFEMODEL_ASSIGN(statement.role, ParseRole(*role, "role"));
  }
  const json::Value* required = predicate.Find("requires");
  if (required == nullptr) return {};
  if (required->AsArray() == nullptr) return BadField("requires");
  if (required->AsArray()->size() > kRequiredRoles) {
    return Error{Stage::kLimit, "many_required_roles", "a statement requires more roles than the limit"};
  }
  for (const json::Value& value : *required->AsArray()) {
    SAFEMODEL_ASSIGN(std::string role, ParseRole(value, "requires"));
    statement.requires_roles.push_back(std::move(role));
  }
  return {};
}

Status ParseTimes(const json::Value& predicate, Statement& statement) {
  SAFEMODEL_ASSIGN(const std::string* issued_at, TextOf(predicate, "issuedAt"));
  SAFEMODEL_ASSIGN(statement.issued_at, ParseTimestamp(*issued_at));
  if (predicate.Find("notAfter") == nullptr) return {};
  SAFEMODEL_ASSIGN(const std::string* not_after, TextOf(predicate, "notAfter"));
  SAFEMODEL_ASSIGN(statement.not_after, ParseTimestamp(*not_after));
  if (*statement.not_after < statement.issued_at) {
    return Error{Stage::kMalformed, "times_reversed", "a statement ends before it was issued"};
  }
  return {};
}

Status ParseModel(const json::Value& predicate, const Limits& limits, Statement& statement) {
  SAFEMODEL_ASSIGN(const std::string* model, TextOf(predicate, "model"));
  SAFEMODEL_ASSIGN(const std::string* version, TextOf(predicate, "version"));
  SAFEMODEL_ASSIGN(const std::string* file_id, TextOf(predicate, "fileId"));
  const json::Value* sequence = predicate.Find("sequence");
  const auto number = sequence == nullptr ? std::nullopt : sequence->AsUnsigned();
  if (!number.has_value()) return BadField("sequence");
  if (*number > limits.json_integer_max) {
    return Error{Stage::kLimit, "large_integer", "a number of a statement is above 2^53-1", kNoOffset, "sequence"};
  }
  statement.model = *model;
  statement.version = *version;
  statement.file_id = *file_id;
  statement.sequence = *number;
  return {};
}

Status ParseChecked(const json::Value& predicate, Statement& statement) {
  SAFEMODEL_ASSIGN(const std::string* text, TextOf(predicate, "verified"));
  const auto checked = CheckedFrom(*text);
  if (!checked.has_value()) return BadField("verified");
  statement.checked = *checked;
  return {};
}

std::string_view PredicateTypeOf(ReleaseKind kind) {
  switch (kind) {
    case ReleaseKind::kContainer: return kPredicateType;
    case ReleaseKind::kFiles: return kFilesPredicateType;
    case ReleaseKind::kSet: return kSetPredicateType;
  }
  return kPredicateType;
}

}  // namespace

Result<Subject> ParseSubject(const json::Value& root) {
  const json::Value* subjects = root.Find("subject");
  if (subjects == nullptr) return BadField("subject");
  if (subjects->AsArray() == nullptr || subjects->AsArray()->size() != 1) return BadSubject();
  const json::Value& only = subjects->AsArray()->front();
  const json::Value* name = only.Find("name");
  const json::Value* digest = only.Find("digest");
  if (name == nullptr || name->AsString() == nullptr || digest == nullptr) return BadSubject();
  if (digest->AsObject() == nullptr || digest->AsObject()->size() != 1) return BadSubject();
  const json::Value* sha256 = digest->Find("sha256");
  if (sha256 == nullptr || sha256->AsString() == nullptr) return BadSubject();
  Subject subject;
  const auto manifest_digest = crypto::DigestOfHex(*sha256->AsString());
  if (!manifest_digest.has_value()) return BadSubject();
  subject.manifest_digest = *manifest_digest;
  subject.name = *name->AsString();
  return subject;
}

std::string_view CheckedName(Checked checked) { return kCheckedNames[static_cast<std::size_t>(checked)].second; }

std::optional<Checked> CheckedFrom(std::string_view name) {
  const auto found = std::find_if(kCheckedNames.begin(), kCheckedNames.end(),
                                  [name](const auto& entry) { return entry.second == name; });
  return found == kCheckedNames.end() ? std::nullopt : std::optional(found->first);
}

bool IsReleaseType(std::string_view predicate_type) {
  return predicate_type == kPredicateType || predicate_type == kFilesPredicateType ||
         predicate_type == kSetPredicateType;
}

bool IsRole(std::string_view text) {
  if (text.empty() || text.size() > kRoleBytes) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

Result<Statement> ParseStatement(ByteView payload, const Limits& limits, ReleaseKind kind) {
  SAFEMODEL_ASSIGN(const json::Value root, json::Parse(payload, {limits.statement_bytes, limits.json_depth}));
  if (root.AsObject() == nullptr) return BadField("_type");
  SAFEMODEL_ASSIGN(const std::string* type, TextOf(root, "_type"));
  SAFEMODEL_ASSIGN(const std::string* predicate_type, TextOf(root, "predicateType"));
  if (*type != kStatementType || *predicate_type != PredicateTypeOf(kind)) return OtherStatement();
  Statement statement;
  statement.kind = kind;
  SAFEMODEL_ASSIGN(Subject subject, ParseSubject(root));
  statement.manifest_digest = subject.manifest_digest;
  statement.subject_name = std::move(subject.name);
  const json::Value* predicate = root.Find("predicate");
  if (predicate == nullptr || predicate->AsObject() == nullptr) return BadField("predicate");
  SAFEMODEL_TRY(ParseModel(*predicate, limits, statement));
  SAFEMODEL_TRY(ParseRoles(*predicate, statement));
  SAFEMODEL_TRY(ParseTimes(*predicate, statement));
  SAFEMODEL_TRY(ParseChecked(*predicate, statement));
  return statement;
}

ByteBuffer SerializeStatement(const Statement& statement) {
  const auto member = [](const char* name, std::string_view text) {
    return std::string("\"") + name + "\":" + json::Quote(text);
  };
  std::string text = "{" + member("_type", kStatementType) + ",\"subject\":[{" +
                     member("name", statement.subject_name) + ",\"digest\":{" +
                     member("sha256", crypto::Hex(statement.manifest_digest)) + "}}]," +
                     member("predicateType", PredicateTypeOf(statement.kind)) + ",\"predicate\":{";
  if (statement.role.has_value()) text += member("role", *statement.role) + ",";
  text += member("model", statement.model) + "," + member("version", statement.version) +
          ",\"sequence\":" + std::to_string(statement.sequence) + "," + member("fileId", statement.file_id) + "," +
          member("issuedAt", FormatTimestamp(statement.issued_at));
  if (statement.not_after.has_value()) text += "," + member("notAfter", FormatTimestamp(*statement.not_after));
  text += "," + member("verified", CheckedName(statement.checked));
  if (!statement.requires_roles.empty()) {
    std::string roles;
    for (const std::string& role : statement.requires_roles) roles += (roles.empty() ? "" : ",") + json::Quote(role);
    text += ",\"requires\":[" + roles + "]";
  }
  text += "}}";
  const ByteView bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

bool Matches(const Statement& statement, const Release& release) {
  return statement.subject_name == release.name + "@" + release.version && statement.model == release.name &&
         statement.version == release.version && statement.sequence == release.sequence &&
         statement.file_id == crypto::Hex(release.file_id);
}

}  // namespace safemodel::trust
