// SPDX-License-Identifier: Apache-2.0
#include "log/entry.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"
#include "crypto/hash.h"
#include "json/json.h"

namespace safemodel::log {
namespace {

constexpr std::size_t kRoleBytes = 64;
constexpr std::size_t kKeyIdBytes = 64;
constexpr std::uint32_t kDepth = 1;

Error BadEntry(const char* field) {
  return {Stage::kMalformed, "bad_entry", "a log entry is not written as this version writes it", kNoOffset, field};
}

Status TakeText(const json::Value& root, const char* name, std::size_t most, std::string& out) {
  const json::Value* member = root.Find(name);
  if (member == nullptr || member->AsString() == nullptr) return BadEntry(name);
  if (member->AsString()->size() > most) {
    return Error{Stage::kLimit, "long_entry_text", "a text of a log entry is longer than its limit", kNoOffset, name};
  }
  out = *member->AsString();
  return {};
}

Status TakeDigest(const json::Value& root, const char* name, Digest& out) {
  std::string hex;
  SAFEMODEL_TRY(TakeText(root, name, 2 * out.size(), hex));
  const auto digest = crypto::DigestOfHex(hex);
  if (!digest.has_value()) return BadEntry(name);
  out = *digest;
  return {};
}

Result<std::uint64_t> TakeNumber(const json::Value& root, const char* name, std::uint64_t most) {
  const json::Value* member = root.Find(name);
  const auto number = member == nullptr ? std::nullopt : member->AsUnsigned();
  if (!number.has_value()) return BadEntry(name);
  if (*number > most) {
    return Error{Stage::kLimit, "large_integer", "a number of a log entry is over its limit", kNoOffset, name};
  }
  return *number;
}

std::string Written(const LogEntry& entry) {
  const auto text = [](const char* name, std::string_view value) {
    return std::string("\"") + name + "\":" + json::Quote(value) + ",";
  };
  return "{" + text("type", kEntryType) + text("role", entry.role) + text("key", entry.key_id) +
         text("model", entry.model) + text("version", entry.version) +
         "\"sequence\":" + std::to_string(entry.sequence) + "," + text("manifest", crypto::Hex(entry.manifest_digest)) +
         text("statement", crypto::Hex(entry.statement_digest)) + text("ci", entry.ci_identity) +
         "\"time\":" + std::to_string(entry.time) + "}";
}

}  // namespace

Result<LogEntry> ParseEntry(ByteView text, const Limits& limits) {
  if (text.size() > limits.log_entry_bytes) {
    return Error{Stage::kLimit, "large_entry", "a log entry is longer than its limit"};
  }
  SAFEMODEL_ASSIGN(const json::Value root, json::Parse(text, {limits.log_entry_bytes, kDepth}));
  if (root.AsObject() == nullptr) return BadEntry("type");
  LogEntry entry;
  std::string type;
  SAFEMODEL_TRY(TakeText(root, "type", kEntryType.size(), type));
  if (type != kEntryType) return BadEntry("type");
  SAFEMODEL_TRY(TakeText(root, "role", kRoleBytes, entry.role));
  SAFEMODEL_TRY(TakeText(root, "key", kKeyIdBytes, entry.key_id));
  SAFEMODEL_TRY(TakeText(root, "model", limits.model_name_bytes, entry.model));
  SAFEMODEL_TRY(TakeText(root, "version", limits.model_name_bytes, entry.version));
  SAFEMODEL_ASSIGN(entry.sequence, TakeNumber(root, "sequence", limits.json_integer_max));
  SAFEMODEL_TRY(TakeDigest(root, "manifest", entry.manifest_digest));
  SAFEMODEL_TRY(TakeDigest(root, "statement", entry.statement_digest));
  SAFEMODEL_TRY(TakeText(root, "ci", kCiIdentityBytes, entry.ci_identity));
  SAFEMODEL_ASSIGN(const std::uint64_t time, TakeNumber(root, "time", static_cast<std::uint64_t>(kLastSecond)));
  entry.time = static_cast<std::int64_t>(time);
  // Other spaces, escapes, members or orders would be another leaf that says the same.
  if (Written(entry) != AsText(text)) return BadEntry("encoding");
  return entry;
}

Result<ByteBuffer> SerializeEntry(const LogEntry& entry, const Limits& limits) {
  if (!IsUtf8(entry.ci_identity) || !IsUtf8(entry.role) || !IsUtf8(entry.key_id) || !IsUtf8(entry.model) ||
      !IsUtf8(entry.version) || entry.time < 0) {
    return Error{Stage::kUsage, "bad_entry", "a text of the log entry is not UTF-8, or its time is before 1970"};
  }
  const std::string text = Written(entry);
  const ByteView bytes = AsBytes(text);
  SAFEMODEL_ASSIGN(const LogEntry read, ParseEntry(bytes, limits));
  return ByteBuffer(bytes.begin(), bytes.end());
}

}  // namespace safemodel::log
