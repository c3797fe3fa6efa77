// SPDX-License-Identifier: Apache-2.0
#include "crypto/aead.h"

#include <doctest/doctest.h>

#include "crypto/hash.h"
#include "testing/vectors.h"

namespace safemodel::crypto {
namespace {

using testing::ArrayFromHex;
using testing::Field;
using testing::FromHex;

AeadKey KeyOf(const ByteBuffer& bytes) { return AeadKey(ByteView(bytes)); }

// FromFields returns what lies in fields of a vector, one behind the other.
ByteBuffer FromFields(const json::Value& test, const char* first, const char* second) {
  return FromHex(Field(test, first) + Field(test, second));
}

TEST_CASE("aead: Wycheproof, 246 of 315 open and 69 do not") {
  const std::string path = testing::CorpusPath("vectors/wycheproof/xchacha20_poly1305_test.json");
  if (path.empty()) return;
  std::size_t opened = 0;
  const std::size_t count = testing::EachWycheproof(path, [&opened](const json::Value& test) {
    const bool valid = Field(test, "result") == "valid";
    const ByteBuffer iv = FromHex(Field(test, "iv"));
    const ByteBuffer key = FromHex(Field(test, "key"));
    if (iv.size() != 24) {  // never reaches the function: its type has 24 bytes
      CHECK_FALSE(valid);
      return;
    }
    const auto nonce = ArrayFromHex<24>(Field(test, "iv"));
    const ByteBuffer associated = FromHex(Field(test, "aad"));
    const ByteBuffer message = FromHex(Field(test, "msg"));
    const ByteBuffer sealed = FromFields(test, "ct", "tag");
    ByteBuffer plain(sealed.size() - kAeadTagBytes, 0xA5);
    CHECK(OpenXChaCha20Appended(KeyOf(key), nonce, associated, sealed, plain) == valid);
    CHECK(plain == (valid ? message : ByteBuffer(plain.size(), 0)));
    if (!valid) return;
    ++opened;
    ByteBuffer again(message.size() + kAeadTagBytes);
    SealXChaCha20Appended(KeyOf(key), nonce, associated, message, again);
    CHECK(again == sealed);
  });
  CHECK(count == 315);
  CHECK(opened == 246);
}

TEST_CASE("aead: ChaCha20-Poly1305 opens what it sealed, and every changed bit is refused") {
  const ByteBuffer key(32, 0x42);
  const ChaCha20Nonce nonce = {7};
  const std::string text = "a model";
  ByteBuffer sealed(text.size() + kAeadTagBytes);
  SealChaCha20Appended(KeyOf(key), nonce, AsBytes(text), sealed);
  ByteBuffer plain(text.size());
  REQUIRE(OpenChaCha20Appended(KeyOf(key), nonce, sealed, plain));
  CHECK(AsText(plain) == text);
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    ByteBuffer changed = sealed;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << (bit % 8)));
    CHECK_FALSE(OpenChaCha20Appended(KeyOf(key), nonce, changed, plain));
    CHECK(plain == ByteBuffer(text.size(), 0));
  }
}

TEST_CASE("aead: the same memory may hold plain and sealed bytes") {
  const ByteBuffer key(32, 1);
  const XChaCha20Nonce nonce = {2};
  const ByteBuffer text(100, 3);
  ByteBuffer bytes = text;
  bytes.resize(text.size() + kAeadTagBytes);
  const MutableBytes plain = MutableBytes(bytes).first(text.size());
  SealXChaCha20Appended(KeyOf(key), nonce, {}, plain, bytes);
  CHECK_FALSE(std::equal(text.begin(), text.end(), bytes.begin()));
  REQUIRE(OpenXChaCha20Appended(KeyOf(key), nonce, {}, bytes, plain));
  CHECK(std::equal(text.begin(), text.end(), bytes.begin()));
}

TEST_CASE("aead: nothing is sealed too, and its associated data is held") {
  const ByteBuffer key(32, 1);
  const XChaCha20Nonce nonce = {2};
  ByteBuffer tag(kAeadTagBytes);
  SealXChaCha20Appended(KeyOf(key), nonce, AsBytes("chunk 0"), {}, tag);
  CHECK(OpenXChaCha20Appended(KeyOf(key), nonce, AsBytes("chunk 0"), tag, {}));
  CHECK_FALSE(OpenXChaCha20Appended(KeyOf(key), nonce, AsBytes("chunk 1"), tag, {}));
}

// Two keys open one ciphertext to different texts: the tag does not commit to the key. This is why a container commits
// to its data key before anything is opened.
TEST_CASE("aead: the salamander opens under both of its keys, and under no third") {
  const std::string nonce_text = "smf-salamander-nonce-024";
  XChaCha20Nonce nonce{};
  std::copy(nonce_text.begin(), nonce_text.end(), nonce.begin());
  const ByteBuffer sealed = FromHex(
      "7e0a56e94d28acadc40303c51bd86cd9546eb0894737fbd7022260089766922ff2be08043d511c62e53cb3b361e6eb9fa5f36a9bf67eaa2c"
      "88b209c3dc907daadcbea5a578e246bd160aa917152a97fbd28063b4e4f21ae4fd7e07c8be40fa6100000000000000000000000000000000"
      "12faaf52a69cca4874f0e7ac8a3ca0d9"
      "799934f0498e305dbb454b562805567a");
  REQUIRE(sealed.size() == 128 + kAeadTagBytes);
  ByteBuffer first(128);
  ByteBuffer second(128);
  ByteBuffer third(128, 0xA5);
  CHECK(OpenXChaCha20Appended(KeyOf(ByteBuffer(32, 0x11)), nonce, {}, sealed, first));
  CHECK(OpenXChaCha20Appended(KeyOf(ByteBuffer(32, 0x22)), nonce, {}, sealed, second));
  CHECK(first != second);
  CHECK_FALSE(OpenXChaCha20Appended(KeyOf(ByteBuffer(32, 0x33)), nonce, {}, sealed, third));
  CHECK(third == ByteBuffer(128, 0));
}

}  // namespace
}  // namespace safemodel::crypto
