// SPDX-License-Identifier: Apache-2.0
#include "crypto/hkdf.h"

#include <doctest/doctest.h>

#include "crypto/hash.h"
#include "testing/vectors.h"

namespace safemodel::crypto {
namespace {

using testing::Field;
using testing::FromHex;

TEST_CASE("hkdf: Wycheproof, 83 of 86 valid and 3 too long") {
  const std::string path = testing::CorpusPath("vectors/wycheproof/hkdf_sha256_test.json");
  if (path.empty()) return;
  std::size_t valid = 0;
  const std::size_t count = testing::EachWycheproof(path, [&valid](const json::Value& test) {
    const auto size = test.Find("size")->AsUnsigned();
    REQUIRE(size.has_value());
    ByteBuffer out(*size, 0xA5);
    const bool derived =
        HkdfSha256(FromHex(Field(test, "ikm")), FromHex(Field(test, "salt")), FromHex(Field(test, "info")), out);
    CHECK(derived == (Field(test, "result") == "valid"));
    CHECK(out == (derived ? FromHex(Field(test, "okm")) : ByteBuffer(out.size(), 0xA5)));
    valid += derived ? 1 : 0;
  });
  CHECK(count == 86);
  CHECK(valid == 83);
}

TEST_CASE("hkdf: the longest output, and one byte more") {
  ByteBuffer out(kHkdfMostBytes);
  CHECK(HkdfSha256({}, {}, {}, out));
  CHECK(out.back() != out[out.size() - 2]);  // the last of 255 blocks was written
  out.push_back(0);
  CHECK_FALSE(HkdfSha256({}, {}, {}, out));
}

TEST_CASE("hkdf: HMAC agrees with RFC 4231, test 2") {
  CHECK(Hex(HmacSha256(AsBytes("Jefe"), AsBytes("what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

}  // namespace
}  // namespace safemodel::crypto
