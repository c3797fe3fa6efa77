// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "container/fixture.h"

namespace safemodel::container {
namespace {

constexpr std::uint64_t kFileBytes = 10000;

Preamble ValidPreamble() { return {1, 0, 0, FileId{1, 2, 3}, 5000, 400}; }

Result<Preamble> Parse(ByteView bytes) { return ParsePreamble(bytes, kFileBytes, {}); }

struct BadPreamble {
  const char* reason;
  Stage stage;
  const char* code;
  std::function<void(ByteBuffer&)> edit;
};

void PutU16(ByteBuffer& bytes, std::size_t at, std::uint16_t value) {
  for (std::size_t i = 0; i < 2; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}
void PutU64(ByteBuffer& bytes, std::size_t at, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace

TEST_CASE("preamble: what was written is read back") {
  const ByteBuffer bytes = SerializePreamble(ValidPreamble());
  REQUIRE(bytes.size() == kPreambleBytes);
  const auto preamble = Parse(bytes);
  REQUIRE(preamble.ok());
  CHECK(preamble.value() == ValidPreamble());
}

TEST_CASE("preamble: a newer minor version is read") {
  Preamble newer = ValidPreamble();
  newer.minor = 7;
  CHECK(Parse(SerializePreamble(newer)).ok());
}

TEST_CASE("preamble: the manifest may end exactly at the end of the file") {
  Preamble last = ValidPreamble();
  last.manifest_offset = kFileBytes - 400;
  CHECK(Parse(SerializePreamble(last)).ok());
  last.manifest_offset += 1;
  CheckRefused(Parse(SerializePreamble(last)), Stage::kMalformed, "bad_manifest_offset");
}

TEST_CASE("preamble: every prefix is refused") {
  const ByteBuffer bytes = SerializePreamble(ValidPreamble());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto preamble = Parse(ByteView(bytes).first(size));
    REQUIRE_FALSE(preamble.ok());
    CHECK(preamble.error().stage == Stage::kMalformed);
  }
}

TEST_CASE("preamble: every bit of the magic and of the reserved bytes counts") {
  const ByteBuffer bytes = SerializePreamble(ValidPreamble());
  for (std::size_t at = 0; at < bytes.size(); at = at == 7 ? 48 : at + 1) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      ByteBuffer flipped = bytes;
      flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1u << bit));
      const auto preamble = Parse(flipped);
      REQUIRE_FALSE(preamble.ok());
      CHECK(preamble.error().stage == Stage::kMalformed);
    }
  }
}

TEST_CASE("preamble: a broken field is refused") {
  const BadPreamble rows[] = {
      {"major 0", Stage::kUnsupported, "unknown_major", [](ByteBuffer& b) { PutU16(b, 8, 0); }},
      {"major 2", Stage::kUnsupported, "unknown_major", [](ByteBuffer& b) { PutU16(b, 8, 2); }},
      {"major 65535", Stage::kUnsupported, "unknown_major", [](ByteBuffer& b) { PutU16(b, 8, 65535); }},
      {"lowest flag", Stage::kUnsupported, "unknown_flags", [](ByteBuffer& b) { b[12] = 1; }},
      {"highest flag", Stage::kUnsupported, "unknown_flags", [](ByteBuffer& b) { b[15] = 0x80; }},
      {"first reserved byte", Stage::kMalformed, "not_zero", [](ByteBuffer& b) { b[48] = 1; }},
      {"last reserved byte", Stage::kMalformed, "not_zero", [](ByteBuffer& b) { b[63] = 1; }},
      {"offset 0", Stage::kMalformed, "bad_manifest_offset", [](ByteBuffer& b) { PutU64(b, 32, 0); }},
      {"offset inside the preamble", Stage::kMalformed, "bad_manifest_offset",
       [](ByteBuffer& b) { PutU64(b, 32, 63); }},
      {"offset at the end of the file", Stage::kMalformed, "bad_manifest_offset",
       [](ByteBuffer& b) { PutU64(b, 32, kFileBytes); }},
      {"offset beyond the file", Stage::kMalformed, "bad_manifest_offset",
       [](ByteBuffer& b) { PutU64(b, 32, kFileBytes + 1); }},
      {"offset 2^63", Stage::kMalformed, "bad_manifest_offset", [](ByteBuffer& b) { PutU64(b, 32, 1ull << 63); }},
      {"offset + length wraps", Stage::kMalformed, "bad_manifest_offset",
       [](ByteBuffer& b) { PutU64(b, 32, ~0ull - 100); }},
      {"offset 2^64 - 1", Stage::kMalformed, "bad_manifest_offset", [](ByteBuffer& b) { PutU64(b, 32, ~0ull); }},
      {"length 0", Stage::kMalformed, "bad_manifest_length", [](ByteBuffer& b) { PutU64(b, 40, 0); }},
      {"length 1", Stage::kMalformed, "bad_manifest_length", [](ByteBuffer& b) { PutU64(b, 40, 1); }},
      {"length 7", Stage::kMalformed, "bad_manifest_length", [](ByteBuffer& b) { PutU64(b, 40, 7); }},
      {"length over the limit", Stage::kLimit, "large_manifest", [](ByteBuffer& b) { PutU64(b, 40, (1u << 20) + 1); }},
      {"length at the limit, more than the file", Stage::kMalformed, "bad_manifest_offset",
       [](ByteBuffer& b) { PutU64(b, 40, 1u << 20); }},
      {"length 2^31 - 1", Stage::kLimit, "large_manifest", [](ByteBuffer& b) { PutU64(b, 40, (1ull << 31) - 1); }},
      {"length 2^31", Stage::kLimit, "large_manifest", [](ByteBuffer& b) { PutU64(b, 40, 1ull << 31); }},
      {"length 2^64 - 1", Stage::kLimit, "large_manifest", [](ByteBuffer& b) { PutU64(b, 40, ~0ull); }},
  };
  for (const BadPreamble& row : rows) {
    CAPTURE(std::string(row.reason));
    ByteBuffer bytes = SerializePreamble(ValidPreamble());
    row.edit(bytes);
    CheckRefused(Parse(bytes), row.stage, row.code);
  }
}

TEST_CASE("preamble: the first failing rule decides") {
  ByteBuffer bytes = SerializePreamble(ValidPreamble());
  PutU16(bytes, 8, 9);
  bytes[60] = 1;
  CheckRefused(Parse(bytes), Stage::kMalformed, "not_zero");
  bytes[0] = 0;
  CheckRefused(Parse(bytes), Stage::kMalformed, "bad_magic");
}

TEST_CASE("preamble: damage by a transfer as text has its own code") {
  const ByteBuffer tail(56, 0);
  const std::vector<std::pair<const char*, ByteBuffer>> rows = {
      {"high bit stripped", {0x09, 'S', 'M', 'D', 'L', 0x0D, 0x0A, 0x1A}},
      {"CR LF became LF", {0x89, 'S', 'M', 'D', 'L', 0x0A, 0x1A}},
      {"CR LF became CR", {0x89, 'S', 'M', 'D', 'L', 0x0D, 0x1A}},
      {"LF became CR LF", {0x89, 'S', 'M', 'D', 'L', 0x0D, 0x0D, 0x0A, 0x1A}},
      {"CR became LF", {0x89, 'S', 'M', 'D', 'L', 0x0A, 0x0A, 0x1A}},
      {"both", {0x09, 'S', 'M', 'D', 'L', 0x0A, 0x1A}},
  };
  for (const auto& row : rows) {
    const auto& reason = row.first;
    const auto& head = row.second;
    CAPTURE(std::string(reason));
    ByteBuffer bytes = head;
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    CheckRefused(Parse(bytes), Stage::kMalformed, "transfer_damage");
  }
  const std::vector<ByteBuffer> others = {{0x89, 'S', 'M', 'D', 'L', 0x1A},
                                          {0x89, 'S', 'M', 'D', 'L', 0x20, 0x0A, 0x1A},
                                          {0x88, 'S', 'M', 'D', 'L', 0x0D, 0x0A, 0x1A},
                                          {0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A}};
  for (const ByteBuffer& head : others) {
    ByteBuffer bytes = head;
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    CheckRefused(Parse(bytes), Stage::kMalformed, "bad_magic");
  }
}

}  // namespace safemodel::container
