// SPDX-License-Identifier: Apache-2.0
#include "crypto/bech32.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "base/cursor.h"
#include "crypto/hash.h"

namespace safemodel::crypto {
namespace {

struct Decoded {
  std::string prefix;
  ByteBuffer data;
};

Result<Decoded> Decode(const std::string& text, std::size_t room = 256) {
  ByteBuffer data(room);
  const auto parsed = DecodeBech32(text, data);
  if (!parsed.ok()) return parsed.error();
  data.resize(parsed.value().size);
  return Decoded{std::string(parsed.value().prefix), data};
}

std::string Encode(std::string_view prefix, ByteView data) {
  return std::string(AsText(EncodeBech32(prefix, data).bytes()));
}

TEST_CASE("bech32: what is encoded decodes again, in both cases and at any length") {
  ByteBuffer data;
  for (int i = 0; i < 200; ++i) {
    for (const char* prefix : {"age", "AGE-SECRET-KEY-", "a1b1"}) {
      const auto decoded = Decode(Encode(prefix, data));
      REQUIRE(decoded.ok());
      CHECK(decoded.value().prefix == prefix);
      CHECK(decoded.value().data == data);
    }
    data.push_back(static_cast<std::uint8_t>(0xFF - 7 * i));
  }
}

TEST_CASE("bech32: BIP 173's valid texts that hold whole bytes, and a recipient of age's documentation") {
  CHECK(Decode("A12UEL5L").value().data.empty());
  CHECK(Decode("age1pypwtrqg").value().data == ByteBuffer{0x09});
  CHECK(Decode("a12uel5l").value().prefix == "a");
  CHECK(Decode("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw").value().data.size() == 20);
  const auto recipient = Decode("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj");
  CHECK(Hex(recipient.value().data) == "132c442be010fbd57e72603328aa76e71fccc1503aae219327d14d9c9993f472");
}

TEST_CASE("bech32: one text, one reading") {
  struct Row {
    const char* reason;
    std::string text;
  };
  const std::string good = Encode("age", ByteBuffer(32, 9));
  std::string mixed = good;
  mixed[5] = static_cast<char>(mixed[5] - 'a' + 'A');
  const Row rows[] = {
      {"empty", ""},
      {"no separator", "pzry9x0s0muk"},
      {"no prefix", "1pzry9x0s0muk"},
      {"letter that is none", "x1b4n0q5v"},
      {"checksum too short", "li1dgmt3"},
      {"control in the prefix",
       "\x1f"
       "1nwldj5"},
      {"byte above ASCII in the prefix",
       "\x80"
       "1eym55h"},
      {"checksum of the other case", "A1G7SGD8"},
      {"mixed case", mixed},
      {"cut", good.substr(0, good.size() - 1)},
      {"one letter more", good + "q"},
      {"bits left over that are not zero", "age1ppnjasjq"},
      {"a whole letter left over", "age1pqqxjzx3t"},
      {"line end behind", good + "\n"},
      {"space in front", " " + good},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    CHECK_FALSE(Decode(row.text).ok());
  }
  for (std::size_t i = 0; i < good.size(); ++i) {  // every single changed letter
    std::string changed = good;
    changed[i] = changed[i] == 'q' ? 'p' : 'q';
    CHECK_FALSE(Decode(changed).ok());
  }
}

TEST_CASE("bech32: nothing is written beyond the buffer") {
  const std::string text = Encode("age", ByteBuffer(32, 9));
  CHECK(Decode(text, 32).ok());
  CHECK_FALSE(Decode(text, 31).ok());
  CHECK_FALSE(Decode(text, 0).ok());
}

}  // namespace
}  // namespace safemodel::crypto
