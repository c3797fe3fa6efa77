// SPDX-License-Identifier: Apache-2.0
#include "trust/statement.h"

#include <doctest/doctest.h>

#include "base/cursor.h"
#include "trust/dsse.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

Statement Example() {
  Statement statement;
  statement.subject_name = "acme/m@1";
  statement.manifest_digest.fill(0xCD);
  statement.role = "builder";
  statement.model = "acme/m";
  statement.version = "1";
  statement.sequence = 9007199254740991;
  statement.file_id = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
  statement.issued_at = 1767225600;
  statement.not_after = 1798761599;
  statement.checked = Checked::kFull;
  statement.requires_roles = {"approver", "scanner"};
  return statement;
}

std::string Text(const Statement& statement) { return std::string(AsText(SerializeStatement(statement))); }

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("timestamp: real UTC times go both ways") {
  for (const char* text : {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "9999-12-31T23:59:59Z"}) {
    const auto time = ParseTimestamp(text);
    REQUIRE(time.ok());
    CHECK(FormatTimestamp(time.value()) == text);
  }
  CHECK(ParseTimestamp("1970-01-02T00:00:01Z").value() == 86401);
}

TEST_CASE("timestamp: everything else is refused") {
  for (const char* text : {"",
                           "2026-01-31",
                           "2026-01-31T00:00:00",
                           "2026-01-31T00:00:00+00:00",
                           "2026-01-31 00:00:00Z",
                           "2026-02-29T00:00:00Z",
                           "2027-02-31T00:00:00Z",
                           "2027-04-31T00:00:00Z",
                           "2100-02-29T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-01-00T00:00:00Z",
                           "2026-01-31T24:00:00Z",
                           "2026-01-31T00:60:00Z",
                           "2026-01-31T00:00:61Z",
                           "2026-01-31T00:00:60Z",
                           "1969-12-31T23:59:59Z",
                           "2026-1-31T00:00:00Z",
                           "+026-01-31T00:00:00Z",
                           "2026-01-31T00:00:00.0Z"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseTimestamp(text).ok());
  }
}

TEST_CASE("statement: parse is the inverse of serialize") {
  const auto parsed = ParseStatement(SerializeStatement(Example()), {});
  REQUIRE(parsed.ok());
  CHECK(parsed.value() == Example());
}

TEST_CASE("statement: unknown fields are ignored") {
  const std::string text = Replaced(Text(Example()), "\"role\"", "\"future\":[1,{\"a\":null}],\"role\"");
  const auto parsed = ParseStatement(AsBytes(text), {});
  REQUIRE(parsed.ok());
  CHECK(parsed.value() == Example());
}

TEST_CASE("statement: broken fields are refused") {
  struct Row {
    const char* from;
    const char* to;
    Stage stage;
  };
  const Row rows[] = {
      {"Statement/v1", "Statement/v0.1", Stage::kUntrusted},  // another version
      {"release/v1", "release/v2", Stage::kUntrusted},        // another predicate
      {"https://safemodel.dev/release/v1", "https://slsa.dev/provenance/v1", Stage::kUntrusted},
      {"\"sha256\":\"cd", "\"sha256\":\"CD", Stage::kMalformed},              // upper case
      {"\"sha256\":\"cd", "\"sha256\":\"", Stage::kMalformed},                // short
      {"{\"sha256\":", "{\"sha512\":\"00\",\"sha256\":", Stage::kMalformed},  // two digests
      {"\"sha256\"", "\"sha512\"", Stage::kMalformed},                        // another digest
      {"\"sequence\":9007199254740991", "\"sequence\":9007199254740992", Stage::kLimit},
      {"\"sequence\":9007199254740991", "\"sequence\":1.0", Stage::kMalformed},
      {"\"sequence\":9007199254740991", "\"sequence\":1e0", Stage::kMalformed},
      {"\"sequence\":9007199254740991", "\"sequence\":-1", Stage::kMalformed},
      {"\"sequence\":9007199254740991", "\"sequence\":\"7\"", Stage::kMalformed},
      {"\"role\":", "\"role\":\"builder\",\"r\\u006fle\":", Stage::kMalformed},  // equal names after unescaping
      {"\"role\":\"builder\"", "\"role\":7", Stage::kMalformed},
      {"\"verified\":\"full\"", "\"verified\":\"Full\"", Stage::kMalformed},
      {"2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", Stage::kMalformed},  // issued after its end
      {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00", Stage::kMalformed},
      {"[\"approver\",\"scanner\"]", "\"approver\"", Stage::kMalformed},
      {"[\"approver\",\"scanner\"]", "[\"an approver\"]", Stage::kMalformed},
      {"\"model\"", "\"modal\"", Stage::kMalformed},  // required field absent
  };
  for (const Row& row : rows) {
    CAPTURE(row.from);
    CAPTURE(row.to);
    const std::string text = Replaced(Text(Example()), row.from, row.to);
    const auto parsed = ParseStatement(AsBytes(text), {});
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().stage == row.stage);
  }
}

TEST_CASE("statement: sizes at the limit pass, one more does not") {
  Statement statement = Example();
  statement.requires_roles.assign(kRequiredRoles, "approver");
  CHECK(ParseStatement(SerializeStatement(statement), {}).ok());
  statement.requires_roles.push_back("approver");
  const auto parsed = ParseStatement(SerializeStatement(statement), {});
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.error().stage == Stage::kLimit);

  std::string padded = Text(Example());
  padded.append(Limits{}.statement_bytes - padded.size(), ' ');
  CHECK(ParseStatement(AsBytes(padded), {}).ok());
  padded += ' ';
  CHECK(ParseStatement(AsBytes(padded), {}).error().stage == Stage::kLimit);
}

TEST_CASE("dsse: the signed bytes are those of the specification") {
  // The example of DSSE's protocol document.
  CHECK(AsText(Pae("http://example.com/HelloWorld", AsBytes("hello world"))) ==
        "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

TEST_CASE("dsse: parse is the inverse of serialize") {
  Dsse payload{std::string(kPayloadType), SerializeStatement(Example()), "some \"key\"", {}};
  payload.signature.fill(0xFE);
  const auto parsed = ParseDsse(SerializeDsse(payload), {});
  REQUIRE(parsed.ok());
  CHECK(parsed.value().payload == payload.payload);
  CHECK(parsed.value().payload_type == payload.payload_type);
  CHECK(parsed.value().signature == payload.signature);
  CHECK(parsed.value().key_id == payload.key_id);
}

TEST_CASE("dsse: broken items are refused") {
  const std::string sig(86, 'A');  // 64 zero bytes
  const auto item = [&](const std::string& signatures) {
    return R"({"payload":"e30=","payloadType":"t","signatures":)" + signatures + "}";
  };
  const std::string one = R"({"sig":")" + sig + R"(=="})";
  CHECK(ParseDsse(AsBytes(item("[" + one + "]")), {}).ok());
  const std::string rows[] = {
      item("[]"),
      item("[" + one + "," + one + "]"),
      item(one),
      item("[{}]"),
      item(R"([{"sig":")" + sig + "A=\"}]"),             // 65 bytes
      item(R"([{"sig":")" + sig.substr(2) + "A=\"}]"),   // 63 bytes
      item(R"([{"sig":")" + sig + "\"}]"),               // no padding
      item(R"([{"sig":")" + sig.substr(1) + "B==\"}]"),  // trailing bits
      item(R"([{"sig":" )" + sig + "==\"}]"),            // a space
      item(R"([{"keyid":7,"sig":")" + sig + "==\"}]"),
      R"({"payload":"e30=","signatures":[)" + one + "]}",
      R"({"payloadType":"t","signatures":[)" + one + "]}",
      "[" + item("[" + one + "]") + "]",
      item("[" + one + "]") + " x",
      "",
  };
  for (const std::string& row : rows) {
    CAPTURE(row);
    const auto parsed = ParseDsse(AsBytes(row), {});
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().stage == Stage::kMalformed);
  }
}

}  // namespace safemodel::trust
