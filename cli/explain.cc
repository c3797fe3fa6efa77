// SPDX-License-Identifier: Apache-2.0
#include "explain.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <set>

#include "escape.h"
#include "report.h"

namespace safemodel::cli {
namespace {

std::string NameOf(const TrustedKey& key) { return key.name.empty() ? key.key.KeyId().substr(0, 16) : key.name; }

bool Has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Candidates are the keys that could add what is missing: those that can sign now and hold the role or may attest, and
// whose signature does not count already.
std::vector<std::string> Candidates(const Policy& policy, const Verdict& verdict, const std::string& role,
                                    const std::string& predicate_type) {
  std::set<std::string> used;
  for (const SignatureReport& signature : verdict.signatures) {
    if (signature.counted && signature.role == role) used.insert(signature.key_id);
  }
  std::vector<std::string> names;
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  for (const TrustedKey& key : policy.keys()) {
    if (!policy.CanSign(key, now)) continue;
    const bool may = predicate_type.empty() ? Has(key.roles, role) && used.count(key.key.KeyId()) == 0
                                            : Has(key.attests, predicate_type);
    if (may) names.push_back(NameOf(key));
  }
  return names;
}

const char* DenialsName(ContentDenials denials) {
  switch (denials) {
    case ContentDenials::kNone: return "none";
    case ContentDenials::kNotChecked: return "not_checked";
    case ContentDenials::kStated: return "stated";
    case ContentDenials::kComputed: return "computed";
  }
  return "none";
}

const char* DenialsText(ContentDenials denials) {
  switch (denials) {
    case ContentDenials::kNone: return "the policy denies no content";
    case ContentDenials::kNotChecked: return "content list not checked: no content was read";
    case ContentDenials::kStated: return "content list compared with the stated digest; --content computes it";
    case ContentDenials::kComputed: return "content list compared with the digest of the plain bytes";
  }
  return "";
}

std::string CandidatesText(const std::vector<std::string>& names) {
  return names.empty() ? "no key of the policy that is left" : JoinForTerminal(names);
}

void WriteMissing(JsonWriter& json, const char* what, const std::string& value, const std::vector<std::string>& keys) {
  json.BeginObject();
  json.Member(what, value);
  json.Texts("keys", keys);
  json.EndObject();
}

}  // namespace

void WriteExplanation(JsonWriter& json, const Policy& policy, const Verdict& verdict) {
  json.Member("rule", verdict.rule);
  json.Texts("missing_roles", verdict.missing_roles);
  json.Key("missing"), json.BeginArray();
  for (const std::string& role : verdict.missing_roles)
    WriteMissing(json, "role", role, Candidates(policy, verdict, role, {}));
  for (const std::string& type : verdict.missing_attestations)
    WriteMissing(json, "attestation", type, Candidates(policy, verdict, {}, type));
  json.EndArray();
  json.Key("rollback"), json.BeginObject();
  json.Member("code", verdict.rollback.code);
  if (verdict.rollback.highest) json.Member("highest", *verdict.rollback.highest);
  json.EndObject();
  json.Member("denied_contents", DenialsName(verdict.content_denials));
  WriteSignatures(json, verdict.signatures);
}

void PrintExplanation(const Policy& policy, const Verdict& verdict) {
  if (!verdict.rule.empty()) std::printf("  rule       %s\n", EscapeForTerminal(verdict.rule).c_str());
  PrintSignatures(verdict.signatures);
  for (const std::string& role : verdict.missing_roles) {
    std::printf("  missing    role %s; could sign: %s\n", EscapeForTerminal(role).c_str(),
                CandidatesText(Candidates(policy, verdict, role, {})).c_str());
  }
  for (const std::string& type : verdict.missing_attestations) {
    std::printf("  missing    attestation %s; could make it: %s\n", EscapeForTerminal(type).c_str(),
                CandidatesText(Candidates(policy, verdict, {}, type)).c_str());
  }
  if (verdict.rollback.code != "not_remembered") {
    std::printf("  rollback   %s%s\n", EscapeForTerminal(verdict.rollback.code).c_str(),
                verdict.rollback.highest
                    ? (", sequence " + std::to_string(*verdict.rollback.highest) + " was accepted before").c_str()
                    : "");
  }
  if (verdict.content_denials != ContentDenials::kNone)
    std::printf("  denials    %s\n", DenialsText(verdict.content_denials));
}

}  // namespace safemodel::cli
