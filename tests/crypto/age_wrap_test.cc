// SPDX-License-Identifier: Apache-2.0
#include "crypto/age_wrap.h"

#include <doctest/doctest.h>

#include "crypto/age_stanza.h"
#include "crypto/age_stream.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"

namespace safemodel::crypto::age {
namespace {

constexpr unsigned kCheap = 4;  // scrypt's work factor

PassphraseSource Says(std::string text) {
  return [text = std::move(text)]() { return Passphrase::FromBytes(AsBytes(text)); };
}

PassphraseSource NeverAsked() {
  return []() -> Result<Passphrase> {
    FAIL("a passphrase was asked for");
    return Passphrase();
  };
}

PassphraseRecipient Protected(const std::string& text, unsigned work_factor = kCheap) {
  return {Passphrase::FromBytes(AsBytes(text)).value(), work_factor};
}

// Pair is an identity with its recipient.
struct Pair {
  Identity identity;
  Recipient recipient;
};

Pair X25519Pair() {
  X25519Identity identity = GenerateIdentity();
  const X25519Recipient recipient{identity.public_key};
  return {Identity(std::move(identity)), recipient};
}

Pair SshPair() {
  const auto pair = Ed25519KeyPair::Generate();
  return {Identity(SshIdentity{X25519OfEd25519(pair), pair.public_key()}), SshRecipient{pair.public_key()}};
}

std::string CodeOf(const Result<SecretBytes>& result) { return result.ok() ? "ok" : result.error().code; }
std::string CodeOf(const Result<ByteBuffer>& result) { return result.ok() ? "ok" : result.error().code; }

// Opened returns the plain text, or the code of the refusal in brackets.
std::string Opened(ByteView file, const Identity& identity) {
  const auto plain = OpenWrap(file, {&identity, 1});
  if (!plain.ok()) return std::string("[") + plain.error().code + "]";
  return std::string(AsText(plain.value().bytes()));
}

const std::string kPlain = "label, file id and a data key of thirty-two bytes";

ByteBuffer Sealed(const Recipient& recipient) {
  auto file = SealWrap({&recipient, 1}, AsBytes(kPlain));
  REQUIRE(file.ok());
  return std::move(file).value();
}

TEST_CASE("age wrap: what is sealed opens for its recipient and for nobody else") {
  const Pair first = X25519Pair();
  const Pair second = SshPair();
  const ByteBuffer for_first = Sealed(first.recipient);
  const ByteBuffer for_second = Sealed(second.recipient);
  CHECK(Opened(for_first, first.identity) == kPlain);
  CHECK(Opened(for_second, second.identity) == kPlain);
  CHECK(Opened(for_first, second.identity) == "[no_identity]");
  CHECK(Opened(for_second, first.identity) == "[no_identity]");
  CHECK(Opened(for_first, X25519Pair().identity) == "[no_identity]");
  CHECK(Opened(for_second, SshPair().identity) == "[no_identity]");
  CHECK(Opened(for_first, PassphraseIdentity{NeverAsked()}) == "[no_identity]");
  CHECK(CodeOf(OpenWrap(for_first, std::span<const Identity>())) == "no_identity");
  CHECK(for_first != Sealed(first.recipient));  // a fresh file key each time
}

TEST_CASE("age wrap: a passphrase opens, another does not, and it is asked once") {
  const ByteBuffer file = Sealed(Recipient(Protected("correct horse")));
  CHECK(Opened(file, PassphraseIdentity{Says("correct horse")}) == kPlain);
  CHECK(Opened(file, PassphraseIdentity{Says("correct horsf")}) == "[wrong_passphrase]");
  CHECK(Opened(file, PassphraseIdentity{Says("")}) == "[wrong_passphrase]");
  CHECK(Opened(file, PassphraseIdentity{}) == "[passphrase_needed]");
  CHECK(Opened(file, X25519Pair().identity) == "[no_identity]");
  int asked = 0;
  CHECK(Opened(file, PassphraseIdentity{[&asked]() {
                 ++asked;
                 return Passphrase::FromBytes(AsBytes("correct horse"));
               }}) == kPlain);
  CHECK(asked == 1);
  CHECK(Opened(file, PassphraseIdentity{[]() -> Result<Passphrase> {
                 return Error{Stage::kKey, "no_terminal", ""};
               }}) == "[no_terminal]");
}

TEST_CASE("age wrap: many recipients of both kinds, each opens alone; one more than 64 is refused") {
  std::vector<Recipient> recipients;
  std::vector<Pair> pairs;
  for (int i = 0; i < 64; ++i) pairs.push_back(i % 2 == 0 ? X25519Pair() : SshPair());
  for (const Pair& pair : pairs) {
    if (const auto* x25519 = std::get_if<X25519Recipient>(&pair.recipient)) recipients.emplace_back(*x25519);
    if (const auto* ssh = std::get_if<SshRecipient>(&pair.recipient)) recipients.emplace_back(*ssh);
  }
  const auto file = SealWrap(recipients, AsBytes(kPlain));
  REQUIRE(file.ok());
  for (const Pair& pair : pairs) CHECK(Opened(file.value(), pair.identity) == kPlain);
  recipients.emplace_back(std::get<X25519Recipient>(pairs.front().recipient));
  const auto over = SealWrap(recipients, AsBytes(kPlain));
  REQUIRE_FALSE(over.ok());
  CHECK(over.error().stage == Stage::kLimit);
}

TEST_CASE("age wrap: whom nothing is sealed for") {
  struct Row {
    const char* code;
    Stage stage;
    std::vector<Recipient> recipients;
  };
  std::vector<Row> rows;
  const auto add = [&rows](const char* code, Stage stage) -> std::vector<Recipient>& {
    return rows.emplace_back(Row{code, stage, {}}).recipients;
  };
  add("no_recipients", Stage::kUsage);
  auto& mixed = add("passphrase_not_alone", Stage::kUsage);
  mixed.emplace_back(Protected("a"));
  mixed.emplace_back(X25519Recipient{GenerateIdentity().public_key});
  auto& two = add("passphrase_not_alone", Stage::kUsage);
  two.emplace_back(Protected("a"));
  two.emplace_back(Protected("b"));
  add("empty_passphrase", Stage::kUsage).emplace_back(PassphraseRecipient{});
  add("work_factor", Stage::kUsage).emplace_back(Protected("a", 19));
  add("work_factor", Stage::kUsage).emplace_back(Protected("a", 0));
  add("unusable_key", Stage::kKey).emplace_back(X25519Recipient{});
  add("unusable_key", Stage::kKey).emplace_back(SshRecipient{});
  for (const Row& row : rows) {
    CAPTURE(row.code);
    const auto file = SealWrap(row.recipients, AsBytes(kPlain));
    CHECK(CodeOf(file) == row.code);
    CHECK(file.error().stage == row.stage);
  }
}

TEST_CASE("age wrap: at 16 KiB, and one byte over") {
  const Pair pair = X25519Pair();
  const std::size_t frame = Sealed(pair.recipient).size() - kPlain.size();
  const ByteBuffer most((16u << 10) - frame, 5);
  const auto file = SealWrap({&pair.recipient, 1}, most);
  REQUIRE(file.ok());
  CHECK(file.value().size() == 16u << 10);
  CHECK(OpenWrap(file.value(), {&pair.identity, 1}).ok());
  CHECK(CodeOf(SealWrap({&pair.recipient, 1}, ByteBuffer(most.size() + 1))) == "age_size");
  ByteBuffer longer = file.value();
  longer.push_back(0);
  const auto refused = OpenWrap(longer, {&pair.identity, 1});
  CHECK(CodeOf(refused) == "age_size");
  CHECK(refused.error().stage == Stage::kLimit);
}

TEST_CASE("age wrap: every bit flip, every prefix and every appended byte is refused") {
  for (const Pair& pair : {X25519Pair(), SshPair()}) {
    const ByteBuffer file = Sealed(pair.recipient);
    for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
      ByteBuffer changed = file;
      changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << (bit % 8)));
      const auto opened = OpenWrap(changed, {&pair.identity, 1});
      CAPTURE(bit);
      REQUIRE_FALSE(opened.ok());
      CHECK((opened.error().stage == Stage::kKey || opened.error().stage == Stage::kMalformed));
    }
    for (std::size_t end = 0; end < file.size(); ++end) {
      CHECK_FALSE(OpenWrap(ByteView(file).first(end), {&pair.identity, 1}).ok());
    }
    for (int byte = 0; byte < 256; ++byte) {
      ByteBuffer longer = file;
      longer.push_back(static_cast<std::uint8_t>(byte));
      CHECK(CodeOf(OpenWrap(longer, {&pair.identity, 1})) == "age_payload");
    }
  }
}

// Forged is an age file with stanzas of our choice under a MAC that is right: the checks in front of it are not what
// refuses.
ByteBuffer Forged(std::vector<Stanza> stanzas, ByteView file_key) {
  Header header;
  header.stanzas = std::move(stanzas);
  header.mac = HmacSha256(DeriveKey(file_key, {}, "header").bytes(), AuthenticatedPart(header));
  ByteBuffer file = SerializeHeader(header);
  const ByteBuffer payload = SealPayload(file_key, AsBytes(kPlain));
  file.insert(file.end(), payload.begin(), payload.end());
  return file;
}

TEST_CASE("age wrap: stanzas that are wrong although everything behind them is right") {
  const Pair pair = SshPair();
  const ByteBuffer key(kFileKeyBytes, 7);
  const Stanza good = WrapFileKey(std::get<SshRecipient>(pair.recipient), key).value();
  const Stanza scrypt = WrapFileKey(Protected("a"), key).value();
  CHECK(Opened(Forged({good}, key), pair.identity) == kPlain);
  CHECK(Opened(Forged({{"new-kind", {"x"}, {}}, good}, key), pair.identity) == kPlain);
  struct Row {
    const char* reason;
    const char* answer;
    std::vector<Stanza> stanzas;
  };
  const auto changed = [](Stanza stanza, auto edit) {
    edit(stanza);
    return stanza;
  };
  const std::string zero = EncodeUnpaddedBase64(ByteBuffer(32, 0));
  const Row rows[] = {
      {"low-order share", "[age_header]", {changed(good, [&](Stanza& s) { s.arguments[1] = zero; })}},
      {"one argument more", "[age_header]", {changed(good, [](Stanza& s) { s.arguments.emplace_back("x"); })}},
      {"one argument less", "[age_header]", {changed(good, [](Stanza& s) { s.arguments.pop_back(); })}},
      {"long tag", "[age_header]", {changed(good, [](Stanza& s) { s.arguments[0] += "AA"; })}},
      {"other tag", "[no_identity]", {changed(good, [](Stanza& s) { s.arguments[0] = "AAAAAA"; })}},
      {"long body", "[age_header]", {changed(good, [](Stanza& s) { s.body.push_back(0); })}},
      {"short body", "[age_header]", {changed(good, [](Stanza& s) { s.body.pop_back(); })}},
      {"body of another key", "[no_identity]", {changed(good, [](Stanza& s) { s.body[0] ^= 1; })}},
      {"beside a passphrase", "[age_header]", {good, scrypt}},
      {"two passphrases", "[age_header]", {scrypt, scrypt}},
      {"a broken stanza of somebody else", "[age_header]", {good, {"X25519", {"AAAA"}, ByteBuffer(32)}}},
      {"no stanza", "[age_header]", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    CHECK(Opened(Forged(row.stanzas, key), pair.identity) == row.answer);
  }
  ByteBuffer other_mac = Forged({good}, ByteBuffer(kFileKeyBytes, 8));
  CHECK(Opened(other_mac, pair.identity) == "[age_mac]");
}

TEST_CASE("age wrap: the work factor is read up to 20, before anybody is asked") {
  const ByteBuffer key(kFileKeyBytes, 7);
  Stanza scrypt = WrapFileKey(Protected("a"), key).value();
  for (const char* factor : {"21", "22", "4294967296", "18446744073709551616"}) {
    scrypt.arguments[1] = factor;
    const Identity identity = PassphraseIdentity{NeverAsked()};
    const ByteBuffer file = Forged({scrypt}, key);
    const auto opened = OpenWrap(file, {&identity, 1});
    CHECK(CodeOf(opened) == "scrypt_cost");
    CHECK(opened.error().stage == Stage::kLimit);
  }
  for (const char* factor : {"20", "18", "1"}) {
    scrypt.arguments[1] = factor;
    CHECK(CheckStanzas({scrypt}).ok());
  }
  for (const char* factor : {"0", "01", "+4", "-4", "4 ", "0x4", "4a"}) {
    scrypt.arguments[1] = factor;
    CHECK(CheckStanzas({scrypt}).error().stage == Stage::kMalformed);
  }
}

}  // namespace
}  // namespace safemodel::crypto::age
