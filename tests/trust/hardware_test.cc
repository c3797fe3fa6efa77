// SPDX-License-Identifier: Apache-2.0
// Statements by keys in tokens: made, counted, and refused when the signer or the token misbehaves.
#include "crypto/hardware_key.h"

#include "crypto/openssh.h"
#include "trust/authentication.h"
#include "trust/dsse.h"
#include "trust/fixture.h"

namespace safemodel::trust {
namespace {

const crypto::Ed25519KeyPair& Pair() {
  static const auto pair = crypto::Ed25519KeyPair::FromSeed(ByteBuffer(32, 7));
  return pair;
}

PublicKey TokenKey(std::string application = "ssh:") {
  return PublicKey::FromText(crypto::SerializeOpenSshPublic({Pair().public_key(), std::move(application)}, {})).value();
}

// FakeToken signs as a token does; the flags it states may differ from those that it signs.
class FakeToken final : public Signer {
 public:
  FakeToken() = default;
  FakeToken(std::uint8_t signed_flags, std::uint8_t stated_flags)
      : signed_flags_(signed_flags), stated_flags_(stated_flags) {}
  [[nodiscard]] const PublicKey& public_key() const override { return key_; }
  [[nodiscard]] Result<std::array<std::uint8_t, 64>> SignBytes(ByteView message) const override {
    return Pair().Sign(message);  // what must never be asked of it
  }
  [[nodiscard]] Result<HardwareSignature> SignOnHardware(ByteView message) const override {
    ++counter_;
    const auto bytes = Pair().Sign(crypto::HardwareMessage(key_.application(), signed_flags_, counter_, message));
    return HardwareSignature{bytes, stated_flags_, counter_};
  }

 private:
  PublicKey key_ = TokenKey();
  std::uint8_t signed_flags_ = 1;
  std::uint8_t stated_flags_ = 1;
  mutable std::uint32_t counter_ = 41;
};

TEST_CASE("hardware keys: a token signs an item of its own kind, which counts for its key alone") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  WriteFileBytes(path, TestCore(TestManifest()));
  const FakeToken token;
  const SecretKey beside = NewKey();
  REQUIRE(Sign(path, token, At(kNow)).value().signatures == 1);
  const auto report = Sign(path, beside, At(kNow, "approver"));
  REQUIRE(report.value().signatures == 2);

  const auto opened = OpenContainer(path, {}, {});
  const auto& items = opened.value().envelope->items;
  CHECK(items[0].kind == static_cast<std::uint16_t>(container::ItemKind::kHardwareStatement));
  CHECK(items[1].kind == static_cast<std::uint16_t>(container::ItemKind::kStatement));
  const auto listed = ListSignatures(opened.value().envelope, {});
  CHECK(listed[0].code == "not_checked");
  CHECK(listed[0].role == "builder");
  CHECK(listed[0].key_id == token.public_key().KeyId());

  CHECK(CodeOf(Verify(path, Trusting({TokenKey()}))) == "ok");
  CHECK(CodeOf(Verify(path, Trusting({TokenKey("ssh:other")}))) == "unknown_key");
  // The same 32 bytes as a plain key: the token's signature is none of that key.
  CHECK(CodeOf(Verify(path, Trusting({PublicKey::FromBytes(Pair().public_key()).value()}))) == "unknown_key");

  const auto both = Policy::Create({{TokenKey(), {"builder"}, {}, {}}, {beside.public_key(), {"approver"}, {}, {}}},
                                   {Rule{"**", {{"builder", 1}, {"approver", 1}}}});
  REQUIRE(both.ok());
  CHECK(CodeOf(Verify(path, both.value())) == "ok");
}

TEST_CASE("hardware keys: the same bytes as two kinds of key are a key twice") {
  const auto twice = Policy::AnyOf({TokenKey(), PublicKey::FromBytes(Pair().public_key()).value()});
  REQUIRE_FALSE(twice.ok());
  CHECK(std::string(twice.error().code) == "key_twice");
}

TEST_CASE("hardware keys: nothing enters the envelope that nobody would accept") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  const ByteBuffer core = TestCore(TestManifest());
  WriteFileBytes(path, core);
  const auto untouched = Sign(path, FakeToken(0, 0), At(kNow));
  REQUIRE_FALSE(untouched.ok());
  CHECK(std::string(untouched.error().code) == "no_user_presence");
  const auto lying = Sign(path, FakeToken(0, 1), At(kNow));
  REQUIRE_FALSE(lying.ok());
  CHECK(std::string(lying.error().code) == "signing_failed");
  CHECK(ReadFileBytes(path) == core);
}

TEST_CASE("hardware keys: an item reads back as it was written") {
  Dsse dsse;
  dsse.payload_type = "type";
  dsse.payload = {1, 2, 3};
  dsse.signature.fill(9);
  dsse.touch = Touch{255, 0xffffffff};
  const auto again = ParseHardwareDsse(SerializeDsse(dsse), {});
  REQUIRE(again.ok());
  CHECK(again.value().touch == dsse.touch);
  CHECK(again.value().payload == dsse.payload);
  CHECK_FALSE(ParseDsse(SerializeDsse(dsse), {}).value().touch.has_value());  // other members are ignored there
  dsse.touch.reset();
  CHECK(std::string(ParseHardwareDsse(SerializeDsse(dsse), {}).error().code) == "bad_dsse");
}

}  // namespace
}  // namespace safemodel::trust
