// SPDX-License-Identifier: Apache-2.0
#include <safemodel/policy_file.h>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "json/json.h"
#include "toml/toml.h"
#include "trust/locked_file.h"

namespace safemodel {
namespace {

// The escapes of JSON are those of TOML's basic strings.
std::string Member(const char* key, const std::string& text) {
  return std::string(key) + " = " + json::Quote(text) + "\n";
}

std::string TextOf(const LogCheckpoint& checkpoint) {
  return "{ origin = " + json::Quote(checkpoint.origin) + ", size = " + std::to_string(checkpoint.size) +
         ", root = " + json::Quote(crypto::Hex(checkpoint.root)) + " }";
}

// AfterEdit says of a policy that was good before what the table that was added is to blame for.
Error AfterEdit(Error error) {
  if (std::string_view(error.code) == "revoked_twice")
    error.text = "the policy revokes this key already; exceptions belong in the entry that is there";
  return error;
}

// AppendTable adds text at the end of a policy file, if what comes out is a policy.
Status AppendTable(const std::string& path, const std::string& table) {
  SAFEMODEL_ASSIGN(const auto file, trust::LockNamed(path));
  SAFEMODEL_ASSIGN(std::string text, trust::ReadOwned(*file, toml::Limits{}.bytes));
  SAFEMODEL_TRY(Policy::FromToml(text));
  if (!text.empty() && text.back() != '\n') text += "\n";
  text += "\n" + table;
  if (const auto after = Policy::FromToml(text); !after.ok()) return AfterEdit(after.error());
  return trust::ReplaceFile(*file, text);
}

}  // namespace

Status RevokeKey(const std::string& path, const Revocation& revocation) {
  return CatchOutOfMemory([&]() -> Status {
    std::string table = "[[revoked]]\n" + Member("key", revocation.key);
    if (!revocation.reason.empty()) table += Member("reason", revocation.reason);
    if (!revocation.except_before.empty()) {
      table += "except_before = [";
      for (const LogCheckpoint& checkpoint : revocation.except_before) table += "\n  " + TextOf(checkpoint) + ",";
      table += "\n]\n";
    }
    if (!revocation.except_statements.empty()) {
      table += "except_statements = [";
      for (const Digest& digest : revocation.except_statements) table += "\n  \"" + crypto::Hex(digest) + "\",";
      table += "\n]\n";
    }
    return AppendTable(path, table);
  });
}

Status Deny(const std::string& path, const Denial& denial) {
  return CatchOutOfMemory([&]() -> Status {
    if (!denial.manifest.has_value() && !denial.content.has_value())
      return Error{Stage::kUsage, "nothing_denied", "name a manifest, a content digest or a container to deny"};
    std::string table = "[[denied]]\n";
    if (denial.manifest.has_value()) table += Member("manifest", crypto::Hex(*denial.manifest));
    if (denial.content.has_value()) table += Member("content", crypto::Hex(*denial.content));
    if (!denial.reason.empty()) table += Member("reason", denial.reason);
    return AppendTable(path, table);
  });
}

}  // namespace safemodel
