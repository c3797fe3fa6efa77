// SPDX-License-Identifier: Apache-2.0
#include "crypto/ed25519.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/cursor.h"
#include "crypto/hash.h"
#include "testing/vectors.h"

namespace safemodel::crypto {
namespace {

using testing::ArrayFromHex;
using testing::Field;
using testing::FromHex;
using testing::LoadJson;

std::set<std::string> Flags(const json::Value& vector) {
  std::set<std::string> flags;
  const json::Value* list = vector.Find("flags");
  if (list == nullptr || list->AsArray() == nullptr) return flags;
  for (const json::Value& flag : *list->AsArray()) flags.insert(*flag.AsString());
  return flags;
}

TEST_CASE("ed25519: the CCTV edge cases pin the profile, 43 of 914 accepted") {
  const std::string path = testing::CorpusPath("vectors/cctv-ed25519/ed25519vectors.json");
  if (path.empty()) return;
  const json::Value vectors = LoadJson(path);
  std::size_t accepted = 0;
  std::size_t residues = 0;  // of usable keys: libsodium after 1.0.20 alone would accept them
  std::size_t without = 0;
  for (const json::Value& vector : *vectors.AsArray()) {
    CAPTURE(vector.Find("number")->AsUnsigned().value_or(0));
    const auto flags = Flags(vector);
    const bool expected = std::none_of(flags.begin(), flags.end(), [](const std::string& flag) {
      return flag == "low_order_A" || flag == "low_order_R" || flag == "non_canonical_A" || flag == "non_canonical_R" ||
             flag == "low_order_residue";
    });
    const auto key = ArrayFromHex<32>(Field(vector, "key"));
    const bool valid = VerifyEd25519(AsBytes(Field(vector, "msg")), ArrayFromHex<64>(Field(vector, "sig")), key);
    CHECK(valid == expected);
    accepted += valid ? 1 : 0;
    if (flags.count("low_order_A") != 0 || flags.count("non_canonical_A") != 0) CHECK_FALSE(IsUsableKey(key));
    if (!IsUsableKey(key) || flags.count("low_order_R") != 0 || flags.count("non_canonical_R") != 0) continue;
    const bool residue = flags.count("low_order_residue") != 0;
    CHECK(HoldsWithoutCofactor(AsBytes(Field(vector, "msg")), ArrayFromHex<64>(Field(vector, "sig")), key) != residue);
    (residue ? residues : without) += 1;
  }
  CHECK(residues > 0);
  CHECK(without > 0);
  CHECK(vectors.AsArray()->size() == 914);
  CHECK(accepted == 43);
}

TEST_CASE("ed25519: Wycheproof, 88 valid and 63 invalid") {
  const std::string path = testing::CorpusPath("vectors/wycheproof/ed25519_test.json");
  if (path.empty()) return;
  const json::Value suite = LoadJson(path);
  std::size_t valid = 0;
  std::size_t invalid = 0;
  for (const json::Value& group : *suite.Find("testGroups")->AsArray()) {
    const auto key = ArrayFromHex<32>(Field(*group.Find("publicKey"), "pk"));
    CHECK(IsUsableKey(key));
    for (const json::Value& test : *group.Find("tests")->AsArray()) {
      CAPTURE(test.Find("tcId")->AsUnsigned().value_or(0));
      const ByteBuffer signature = FromHex(Field(test, "sig"));
      bool verified = false;
      if (signature.size() == 64) {  // other lengths never reach the function: its type has 64 bytes
        verified = VerifyEd25519(FromHex(Field(test, "msg")), ArrayFromHex<64>(Field(test, "sig")), key);
      }
      CHECK(verified == (Field(test, "result") == "valid"));
      (verified ? valid : invalid) += 1;
    }
  }
  CHECK(valid == 88);
  CHECK(invalid == 63);
}

TEST_CASE("ed25519: RFC 8032 test 2, from the seed to the signature") {
  const auto pair =
      Ed25519KeyPair::FromSeed(FromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  CHECK(Hex(pair.public_key()) == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const ByteBuffer message = {0x72};
  const auto signature = pair.Sign(message);
  CHECK(Hex(signature) ==
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  CHECK(VerifyEd25519(message, signature, pair.public_key()));
}

TEST_CASE("ed25519: any changed bit of message or signature is refused") {
  const auto pair = Ed25519KeyPair::Generate();
  const std::string message = "a model";
  const auto signature = pair.Sign(AsBytes(message));
  REQUIRE(VerifyEd25519(AsBytes(message), signature, pair.public_key()));
  for (std::size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    auto changed = signature;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << (bit % 8)));
    CHECK_FALSE(VerifyEd25519(AsBytes(message), changed, pair.public_key()));
  }
  CHECK(HoldsWithoutCofactor(AsBytes(message), signature, pair.public_key()));
  CHECK_FALSE(HoldsWithoutCofactor(AsBytes("a modem"), signature, pair.public_key()));
  CHECK_FALSE(VerifyEd25519(AsBytes("a modem"), signature, pair.public_key()));
  CHECK_FALSE(VerifyEd25519(AsBytes(message), signature, Ed25519KeyPair::Generate().public_key()));
}

TEST_CASE("ed25519: keys of low order or not canonical are unusable") {
  const std::map<std::string, std::string> refused = {
      {"all zero, order 4", std::string(64, '0')},
      {"the neutral element", "01" + std::string(62, '0')},
      {"the neutral element with a sign", "01" + std::string(60, '0') + "80"},
      {"order 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
      {"order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"},
      {"order 8, other sign", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"},
      {"order 8, other", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"},
      {"p, not canonical", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
      {"p + 1, not canonical", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
      {"2^255 - 1, not canonical", std::string(62, 'f') + "7f"},
      {"not on the curve", "02" + std::string(62, '0')},
  };
  for (const auto& row : refused) {
    CAPTURE(row.first);
    CHECK_FALSE(IsUsableKey(ArrayFromHex<32>(row.second)));
  }
  CHECK(IsUsableKey(Ed25519KeyPair::Generate().public_key()));
}

}  // namespace
}  // namespace safemodel::crypto
