// SPDX-License-Identifier: Apache-2.0
#include "crypto/base64.h"

#include <doctest/doctest.h>

#include "base/cursor.h"

namespace safemodel::crypto {
namespace {

TEST_CASE("base64: what is encoded decodes again, in both alphabets") {
  ByteBuffer bytes;
  for (int i = 0; i < 70; ++i) {
    const std::string text = EncodeBase64(bytes);
    CHECK(DecodeEitherBase64(text).value() == bytes);
    std::string url = text;
    for (char& c : url) c = c == '+' ? '-' : c == '/' ? '_' : c;
    CHECK(DecodeEitherBase64(url).value() == bytes);
    bytes.push_back(static_cast<std::uint8_t>(0xFF - 3 * i));
  }
  CHECK(EncodeBase64(AsBytes("foob")) == "Zm9vYg==");
}

TEST_CASE("base64: a byte string has one encoding") {
  struct Row {
    const char* reason;
    std::string text;
  };
  const Row rows[] = {
      {"no padding", "Zm9vYg"},      {"half padding", "Zm9vYg="},   {"padding too long", "Zm9vYg==="},
      {"trailing bits", "Zm9vYh=="}, {"space inside", "Zm9v Yg=="}, {"line end behind", "Zm9vYg==\n"},
      {"mixed alphabets", "+-__"},   {"padding first", "=Zm9"},     {"text behind padding", "Zm9vYg==Zm9v"},
      {"one letter", "Z"},           {"other letter", "Zm9v*g=="},  {"NUL inside", std::string("Zm\0v", 4)},
      {"only padding", "===="},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    CHECK_FALSE(DecodeEitherBase64(row.text).ok());
  }
}

TEST_CASE("base64: each alphabet has 64 letters among all 256 bytes") {
  for (const auto alphabet : {Base64Alphabet::kStandard, Base64Alphabet::kUrlSafe}) {
    int letters = 0;
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = "AAAA";
      text[1] = static_cast<char>(byte);
      ByteBuffer out(3);
      letters += DecodeBase64(text, alphabet, out).ok() ? 1 : 0;
    }
    CHECK(letters == 64);
  }
}

TEST_CASE("base64: without padding, as strict") {
  ByteBuffer bytes;
  ByteBuffer out(100);
  for (int i = 0; i < 70; ++i) {
    const std::string text = EncodeUnpaddedBase64(bytes);
    CHECK(text.find('=') == std::string::npos);
    const auto size = DecodeUnpaddedBase64(text, out);
    REQUIRE(size.ok());
    CHECK(ByteBuffer(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size.value())) == bytes);
    bytes.push_back(static_cast<std::uint8_t>(0xFF - 3 * i));
  }
  for (const char* text : {"Zm9vYg==", "Zm9vYh", "Z", "Zm9vY", "Zm9vYg\n", "Zm-v", " Zm9v"}) {
    CAPTURE(text);
    CHECK_FALSE(DecodeUnpaddedBase64(text, out).ok());
  }
}

TEST_CASE("base64: nothing is written beyond the buffer") {
  ByteBuffer out(3);
  CHECK_FALSE(DecodeBase64("Zm9vYg==", Base64Alphabet::kStandard, out).ok());
  CHECK(DecodeBase64("Zm9v", Base64Alphabet::kStandard, out).value() == 3);
}

}  // namespace
}  // namespace safemodel::crypto
