// SPDX-License-Identifier: Apache-2.0
// Logs for tests: entries with numbers in them.
#pragma once

#include <doctest/doctest.h>
#include <safemodel/log.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/cursor.h"
#include "log/entry.h"
#include "log/log_writer.h"
#include "testing/temp_folder.h"

namespace safemodel::log {

inline constexpr const char* kOrigin = "example.com/models";

inline SecretKey NewKey() {
  auto key = SecretKey::Generate();
  REQUIRE(key.ok());
  return std::move(key).value();
}

inline ByteBuffer BytesOf(std::string_view text) {
  const ByteView bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

inline LogEntry NumberedEntry(std::uint64_t number) {
  LogEntry entry;
  entry.role = "builder";
  entry.key_id = std::string(64, 'a');
  entry.model = "acme/model";
  entry.version = "1." + std::to_string(number);
  entry.sequence = number;
  entry.manifest_digest.fill(static_cast<std::uint8_t>(number));
  entry.statement_digest.fill(static_cast<std::uint8_t>(number + 1));
  entry.time = 1800000000;
  return entry;
}

inline std::vector<ByteBuffer> NumberedEntries(std::uint64_t first, std::uint64_t count) {
  std::vector<ByteBuffer> entries;
  for (std::uint64_t i = first; i < first + count; ++i) {
    auto bytes = SerializeEntry(NumberedEntry(i), {});
    REQUIRE(bytes.ok());
    entries.push_back(std::move(bytes).value());
  }
  return entries;
}

// TestLog is a log in a temporary folder.
struct TestLog {
  testing::TempFolder folder;
  SecretKey key = NewKey();
  std::string path = folder.Path("log");
  LogTrust trust = {{{kOrigin, key.public_key()}}};

  TestLog() { REQUIRE(InitLog(path, kOrigin, key).ok()); }
  explicit TestLog(std::uint64_t count) : TestLog() { Append(0, count); }

  void Append(std::uint64_t first, std::uint64_t count) const {
    auto writer = LogWriter::Open(path, key, {});
    REQUIRE(writer.ok());
    REQUIRE(writer.value().Append(NumberedEntries(first, count), key).ok());
  }
  [[nodiscard]] ByteBuffer Checkpoint() const { return BytesOf(testing::ReadText(path + "/checkpoint")); }
  [[nodiscard]] std::string File(const std::string& below) const { return path + "/" + below; }
};

inline std::string CodeOf(const Status& status) { return status.ok() ? "ok" : status.error().code; }
template <typename T>
std::string CodeOf(const Result<T>& result) {
  return result.ok() ? "ok" : result.error().code;
}

}  // namespace safemodel::log
