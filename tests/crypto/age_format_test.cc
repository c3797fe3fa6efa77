// SPDX-License-Identifier: Apache-2.0
#include "crypto/age_format.h"

#include <doctest/doctest.h>

#include "crypto/base64.h"

namespace safemodel::crypto::age {
namespace {

const std::string kMac = " " + EncodeUnpaddedBase64(ByteBuffer(32, 7)) + "\n";

Result<Header> Parse(const std::string& text) {
  ByteReader reader(AsBytes(text));
  return ParseHeader(reader, {});
}

std::string With(const std::string& stanzas) { return "age-encryption.org/v1\n" + stanzas + "---" + kMac; }

TEST_CASE("age header: what is written reads back, whatever the length of a body") {
  Header header;
  header.mac.fill(3);
  for (std::size_t size = 0; size < 150; ++size) {
    header.stanzas = {{"X25519", {}, ByteBuffer(size, 0xAB)}, {"!~", {"a", "-->"}, ByteBuffer(size / 2, 1)}};
    const ByteBuffer text = SerializeHeader(header);
    ByteReader reader(text);
    const auto again = ParseHeader(reader, {});
    REQUIRE(again.ok());
    CHECK(again.value() == header);
    CHECK(reader.empty());
    for (std::size_t end = 0; end < text.size(); ++end) {  // every prefix
      ByteReader cut(ByteView(text).first(end));
      CHECK_FALSE(ParseHeader(cut, {}).ok());
    }
  }
}

TEST_CASE("age header: the reader stays behind the header") {
  const std::string text = With("-> a\n\n") + "payload";
  ByteReader reader(AsBytes(text));
  REQUIRE(ParseHeader(reader, {}).ok());
  CHECK(AsText(reader.TakeRest()) == "payload");
}

TEST_CASE("age header: one header, one encoding") {
  const std::string full(64, 'A');
  struct Row {
    const char* reason;
    std::string text;
    bool good;
  };
  const Row rows[] = {
      {"a stanza", With("-> a b\nAA\n"), true},
      {"a full line and a short one", With("-> a\n" + full + "\nAA\n"), true},
      {"a full line and an empty one", With("-> a\n" + full + "\n\n"), true},
      {"no stanza", With(""), false},
      {"other version", "age-encryption.org/v2\n---" + kMac, false},
      {"armored", "-----BEGIN AGE ENCRYPTED FILE-----\n", false},
      {"CR behind the version", "age-encryption.org/v1\r\n---" + kMac, false},
      {"full line alone", With("-> a\n" + full + "\n"), false},
      {"long line", With("-> a\n" + full + "AAAA\n\n"), false},
      {"two short lines", With("-> a\nAA\nAA\n"), false},
      {"trailing bits", With("-> a\nAB\n"), false},
      {"padding", With("-> a\nAA==\n"), false},
      {"URL-safe alphabet", With("-> a\n__8\n"), false},
      {"space in a body", With("-> a\nA A\n"), false},
      {"CR in a body", With("-> a\nAA\r\n"), false},
      {"no type", With("-> \n\n"), false},
      {"no type and no space", With("->\n\n"), false},
      {"no space", With("->a\n\n"), false},
      {"two spaces", With("-> a  b\n\n"), false},
      {"space in front", With("->  a\n\n"), false},
      {"space behind", With("-> a \n\n"), false},
      {"tab", With("-> a\tb\n\n"), false},
      {"byte above ASCII", With("-> \xC3\xA4\n\n"), false},
      {"NUL", With(std::string("-> a\0\n\n", 7)), false},
      {"MAC without space", "age-encryption.org/v1\n---" + kMac.substr(1), false},
      {"MAC behind two spaces", "age-encryption.org/v1\n--- " + kMac, false},
      {"MAC with a word behind", "age-encryption.org/v1\n---" + kMac.substr(0, kMac.size() - 1) + " a\n", false},
      {"MAC too short", "age-encryption.org/v1\n--- AAAA\n", false},
      {"MAC too long", "age-encryption.org/v1\n--- " + std::string(44, 'A') + "\n", false},
      {"no MAC", "age-encryption.org/v1\n---\n", false},
      {"no line end", "age-encryption.org/v1\n---" + kMac.substr(0, kMac.size() - 1), false},
      {"nothing", "", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    const auto header = Parse(row.text);
    CHECK(header.ok() == row.good);
    if (header.ok()) CHECK(AsText(SerializeHeader(header.value())) == row.text);
    if (!header.ok()) CHECK(header.error().stage == Stage::kMalformed);
  }
}

TEST_CASE("age header: 64 stanzas, and one more") {
  std::string stanzas;
  for (int i = 0; i < 64; ++i) stanzas += "-> a\n\n";
  CHECK(Parse(With(stanzas)).ok());
  const auto over = Parse(With(stanzas + "-> a\n\n"));
  REQUIRE_FALSE(over.ok());
  CHECK(over.error().stage == Stage::kLimit);
}

}  // namespace
}  // namespace safemodel::crypto::age
