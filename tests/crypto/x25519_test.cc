// SPDX-License-Identifier: Apache-2.0
#include "crypto/x25519.h"

#include <doctest/doctest.h>

#include "crypto/hash.h"
#include "testing/vectors.h"

namespace safemodel::crypto {
namespace {

using testing::ArrayFromHex;
using testing::Field;
using testing::FromHex;

TEST_CASE("x25519: Wycheproof, 487 of 518 give the stated secret and the 31 of low order are refused") {
  const std::string path = testing::CorpusPath("vectors/wycheproof/x25519_test.json");
  if (path.empty()) return;
  std::size_t refused = 0;
  const std::size_t count = testing::EachWycheproof(path, [&refused](const json::Value& test) {
    const ByteBuffer scalar = FromHex(Field(test, "private"));
    REQUIRE(scalar.size() == kX25519Bytes);
    bool zero = false;
    for (const json::Value& flag : *test.Find("flags")->AsArray())
      zero = zero || *flag.AsString() == "ZeroSharedSecret";
    const auto shared = X25519Shared(X25519Scalar(ByteView(scalar)), ArrayFromHex<32>(Field(test, "public")));
    CHECK(shared.has_value() != zero);
    if (shared.has_value()) CHECK(Hex(shared->bytes()) == Field(test, "shared"));
    refused += shared.has_value() ? 0U : 1U;
  });
  CHECK(count == 518);
  CHECK(refused == 31);
}

TEST_CASE("x25519: both sides get the same secret") {
  SecretBytes a(32);
  SecretBytes b(32);
  RandomBytes(a.bytes());
  RandomBytes(b.bytes());
  const auto ab = X25519Shared(X25519Scalar(a.bytes()), X25519PublicOf(X25519Scalar(b.bytes())));
  const auto ba = X25519Shared(X25519Scalar(b.bytes()), X25519PublicOf(X25519Scalar(a.bytes())));
  REQUIRE(ab.has_value());
  REQUIRE(ba.has_value());
  CHECK(EqualSecrets(ab->bytes(), ba->bytes()));
}

TEST_CASE("x25519: the halves of a converted Ed25519 key belong together; unusable keys are not converted") {
  for (int i = 0; i < 20; ++i) {
    const auto pair = Ed25519KeyPair::Generate();
    const auto point = X25519OfEd25519(pair.public_key());
    REQUIRE(point.has_value());
    CHECK(*point == X25519PublicOf(X25519Scalar(X25519OfEd25519(pair).bytes())));
  }
  for (const char* key : {"0000000000000000000000000000000000000000000000000000000000000000",
                          "0100000000000000000000000000000000000000000000000000000000000000",
                          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    CAPTURE(key);
    CHECK_FALSE(X25519OfEd25519(ArrayFromHex<32>(key)).has_value());
  }
}

}  // namespace
}  // namespace safemodel::crypto
