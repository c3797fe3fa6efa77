// SPDX-License-Identifier: Apache-2.0
// Keys of OpenSSH and OpenSSL: what is read, what is written, and what is refused.
#include <safemodel/open_signer.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include "base/cursor.h"
#include "crypto/armor.h"
#include "crypto/base64.h"
#include "crypto/hardware_key.h"
#include "crypto/hash.h"
#include "crypto/openssh.h"
#include "crypto/pem.h"
#include "testing/temp_folder.h"

namespace safemodel {
namespace {

using testing::TempFolder;
using testing::WriteText;

crypto::Ed25519KeyPair Pair(std::uint8_t seed = 7) { return crypto::Ed25519KeyPair::FromSeed(ByteBuffer(32, seed)); }

ByteBuffer Copy(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

std::string Armor(const char* label, ByteView bytes) {
  const auto text = crypto::SerializeArmor(label, bytes, 70);
  return std::string(AsText(text.bytes()));
}

Result<SecretKey> ReadSecret(const std::string& text) { return SecretKey::FromText(AsBytes(text), {}); }

std::string PublicLine(const std::string& type, ByteView bytes) {
  return type + " " + crypto::EncodeBase64(bytes) + "\n";
}

ByteBuffer Joined(std::initializer_list<ByteBuffer> parts) {
  ByteBuffer all;
  for (const ByteBuffer& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

ByteBuffer Str(std::string_view text) { return crypto::OpenSshString(AsBytes(text)); }

template <typename Edit>
std::string OpenSsh(Edit edit) {
  ByteBuffer bytes = Copy(crypto::SerializeOpenSshSecret(Pair()).bytes());
  edit(bytes);
  return Armor(crypto::kOpenSshLabel, bytes);
}

template <typename Edit>
std::string Pkcs8(Edit edit) {
  ByteBuffer bytes = Copy(crypto::SerializePkcs8(Pair()).bytes());
  edit(bytes);
  return Armor(crypto::kSecretLabel, bytes);
}

// Version 2 with the public half that is given.
std::string Pkcs8Version2(const crypto::Ed25519PublicKey& stated) {
  return Pkcs8([&](ByteBuffer& b) {
    b[4] = 1;
    b.insert(b.end(), {0x81, 0x21, 0x00});
    b.insert(b.end(), stated.begin(), stated.end());
    b[1] = static_cast<std::uint8_t>(b.size() - 2);
  });
}

// Where things stand in an OpenSSH key without comment: magic 15, "none", "none", "", count, public 4 + 51, section.
constexpr std::size_t kCipher = 15 + 4;
constexpr std::size_t kCount = 15 + 8 + 8 + 4;
constexpr std::size_t kOuterPublic = kCount + 4 + 4 + 15 + 4;
constexpr std::size_t kSection = kOuterPublic + 32 + 4;
constexpr std::size_t kInnerPublic = kSection + 8 + 15 + 4;
constexpr std::size_t kSeed = kInnerPublic + 32 + 4;

TEST_CASE("key files: one key in all its encodings is one key") {
  const PublicKey key = PublicKey::FromBytes(Pair().public_key()).value();
  const TempFolder folder;
  for (const KeyFormat format : {KeyFormat::kMinisign, KeyFormat::kOpenSsh, KeyFormat::kPem}) {
    const std::string text = key.ToText(format);
    CAPTURE(text);
    REQUIRE(PublicKey::FromText(text).ok());
    CHECK(PublicKey::FromText(text).value() == key);
    CHECK(PublicKey::FromText(text).value().KeyId() == key.KeyId());
    CHECK(PublicKey::Parse(text).value() == key);
    WriteText(folder.Path("k.pub"), text);
    CHECK(PublicKey::Parse(folder.Path("k.pub")).value() == key);
    CHECK(PublicKey::FromText(folder.Path("k.pub")).error().stage == Stage::kKey);  // never a path
    std::string windows = text;
    for (std::size_t at = 0; (at = windows.find('\n', at)) != std::string::npos; at += 2) windows.insert(at, "\r");
    CHECK(PublicKey::FromText(windows).value() == key);
  }
  const std::string line = key.ToText(KeyFormat::kOpenSsh);
  CHECK(PublicKey::FromText(line.substr(0, line.size() - 1)).value() == key);
  CHECK(PublicKey::FromText(line.substr(0, line.size() - 1) + " me@host, with words\n").value() == key);
}

TEST_CASE("key files: one secret key in all its encodings signs alike") {
  const TempFolder folder;
  auto key = SecretKey::Generate();
  const auto expected = key.value().SignBytes(AsBytes("x")).value();
  for (const KeyFormat format : {KeyFormat::kMinisign, KeyFormat::kOpenSsh, KeyFormat::kPem}) {
    const std::string stem = folder.Path("k" + std::to_string(static_cast<int>(format)));
    REQUIRE(key.value().WriteFiles(stem, nullptr, SecretKey::Overwrite::kRefuse, format).ok());
    const auto again = SecretKey::FromFile(stem + ".key", {});
    REQUIRE(again.ok());
    CHECK(again.value().SignBytes(AsBytes("x")).value() == expected);
    CHECK(PublicKey::FromFile(stem + ".pub").value() == key.value().public_key());
    CHECK(again.value().SignOnHardware(AsBytes("x")).error().stage == Stage::kKey);
    const auto passphrase = Passphrase::FromBytes(AsBytes("secret"));
    if (format != KeyFormat::kMinisign) {
      CHECK(key.value()
                .WriteFiles(stem + "p", &passphrase.value(), SecretKey::Overwrite::kRefuse, format)
                .error()
                .stage == Stage::kUsage);
      CHECK(access((stem + "p.key").c_str(), F_OK) != 0);
    }
  }
}

TEST_CASE("key files: the examples of RFC 8410") {
  const auto key = PublicKey::FromText(
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
      "-----END PUBLIC KEY-----\n");
  REQUIRE(key.ok());
  const char* secrets[] = {
      "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n",
      "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
      "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\nZ9w7lshQhqowtrbLDFw4rXAxZuE=\n",
  };
  for (const char* body : secrets) {
    const auto secret = ReadSecret(std::string("-----BEGIN PRIVATE KEY-----\n") + body + "-----END PRIVATE KEY-----\n");
    REQUIRE(secret.ok());
    CHECK(secret.value().public_key() == key.value());
  }
}

struct Row {
  const char* reason;
  std::string text;
  const char* code = "bad_key_file";
};

TEST_CASE("key files: OpenSSH keys that are refused, each with the reason") {
  const auto nothing = [](ByteBuffer&) {};
  const auto patch = [](std::size_t at, std::uint8_t value) { return [=](ByteBuffer& b) { b[at] = value; }; };
  const auto other = Pair(8).public_key();
  const std::string good = OpenSsh(nothing);
  REQUIRE(ReadSecret(good).ok());
  CHECK(ReadSecret(good + "\n \r\n").ok());
  const Row rows[] = {
      {"encrypted", OpenSsh([](ByteBuffer& b) { std::copy_n("aes2", 4, b.begin() + kCipher); }), "encrypted_key"},
      {"another derivation", OpenSsh([](ByteBuffer& b) { std::copy_n("bcry", 4, b.begin() + kCipher + 8); }),
       "encrypted_key"},
      {"magic", OpenSsh(patch(0, 'O'))},
      {"check words differ", OpenSsh([](ByteBuffer& b) { b[kSection] ^= 1; })},
      {"no keys", OpenSsh(patch(kCount + 3, 0))},
      {"two keys", OpenSsh(patch(kCount + 3, 2))},
      {"2^24 keys", OpenSsh(patch(kCount, 1))},
      {"pad does not count", OpenSsh([](ByteBuffer& b) { b.back() ^= 1; })},
      {"pad of eight more", OpenSsh([](ByteBuffer& b) {
         b[kSection - 1] = static_cast<std::uint8_t>(b[kSection - 1] + 8);
         b.insert(b.end(), 8, 9);
       })},
      {"no pad", OpenSsh([](ByteBuffer& b) {
         const auto pad = b.back();
         b.resize(b.size() - pad);
         b[kSection - 1] = static_cast<std::uint8_t>(b[kSection - 1] - pad);
       })},
      {"trailing byte", OpenSsh([](ByteBuffer& b) { b.push_back(0); })},
      {"cut by a byte", OpenSsh([](ByteBuffer& b) { b.pop_back(); })},
      {"section of 2^32-1 bytes", OpenSsh([](ByteBuffer& b) { std::fill_n(b.begin() + kSection - 4, 4, 0xff); })},
      {"outer public half",
       OpenSsh([&](ByteBuffer& b) { std::copy(other.begin(), other.end(), b.begin() + kOuterPublic); })},
      {"inner public half",
       OpenSsh([&](ByteBuffer& b) { std::copy(other.begin(), other.end(), b.begin() + kInnerPublic); })},
      {"last public half",
       OpenSsh([&](ByteBuffer& b) { std::copy(other.begin(), other.end(), b.begin() + kSeed + 32); })},
      {"all public halves of another key", OpenSsh([&](ByteBuffer& b) {
         for (const std::size_t at : {kOuterPublic, kInnerPublic, kSeed + 32})
           std::copy(other.begin(), other.end(), b.begin() + static_cast<std::ptrdiff_t>(at));
       })},
      {"seed", OpenSsh([](ByteBuffer& b) { b[kSeed] ^= 1; })},
      {"type outside", OpenSsh([](ByteBuffer& b) { b[kOuterPublic - 5] = '8'; })},
      {"type inside", OpenSsh([](ByteBuffer& b) { b[kInnerPublic - 5] = '8'; })},
      {"key of a token",
       Armor(crypto::kOpenSshLabel,
             Joined({Copy(AsBytes(std::string_view("openssh-key-v1\0", 15))),
                     Str("none"),
                     Str("none"),
                     Str(""),
                     {0, 0, 0, 1},
                     crypto::OpenSshString(crypto::SerializeOpenSshBytes({Pair().public_key(), "ssh:"})),
                     Str("")})),
       "hardware_key"},
      {"nothing inside", "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n"},
      {"no end", good.substr(0, good.find("-----END"))},
      {"another end", good.substr(0, good.find("-----END")) + "-----END PRIVATE KEY-----\n"},
      {"two blocks", good + good},
      {"text behind", good + "x"},
      {"text in front", "x\n" + good},
      {"space in the body", good.substr(0, 60) + " " + good.substr(60)},
      {"labelled PEM", Armor(crypto::kSecretLabel, crypto::SerializeOpenSshSecret(Pair()).bytes())},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    const auto key = ReadSecret(row.text);
    REQUIRE_FALSE(key.ok());
    CHECK(StageName(key.error().stage) == StageName(Stage::kKey));
    CHECK(std::string(key.error().code) == row.code);
  }
  CHECK(std::string(ReadSecret(rows[0].text).error().text).find("ssh-agent") != std::string::npos);
}

TEST_CASE("key files: PEM keys that are refused, each with the reason") {
  const auto patch = [](std::size_t at, std::uint8_t value) { return [=](ByteBuffer& b) { b[at] = value; }; };
  const std::string good = Pkcs8([](ByteBuffer&) {});
  REQUIRE(ReadSecret(good).ok());
  REQUIRE(ReadSecret(Pkcs8Version2(Pair().public_key())).ok());
  const Row rows[] = {
      {"X25519", Pkcs8(patch(11, 0x6e))},
      {"Ed448", Pkcs8(patch(11, 0x71))},
      {"EC key", Armor("EC PRIVATE KEY", ByteBuffer(48, 1))},
      {"RSA key", Armor("RSA PRIVATE KEY", ByteBuffer(48, 1))},
      {"EC object id", Pkcs8([](ByteBuffer& b) { b[7] = 7; })},
      {"31-byte seed", Pkcs8([](ByteBuffer& b) { b.pop_back(); })},
      {"31-byte seed, lengths right", Pkcs8([](ByteBuffer& b) {
         b.pop_back();
         for (const std::size_t at : {std::size_t{1}, std::size_t{13}, std::size_t{15}}) --b[at];
       })},
      {"long form of a length", Pkcs8([](ByteBuffer& b) { b.insert(b.begin() + 1, 0x81); })},
      {"trailing byte", Pkcs8([](ByteBuffer& b) { b.push_back(0); })},
      {"trailing byte inside", Pkcs8([](ByteBuffer& b) { b.push_back(0), ++b[1]; })},
      {"version 2 under another number", Pkcs8(patch(4, 2))},
      {"public half of another key", Pkcs8Version2(Pair(8).public_key())},
      {"unused bits in the public half", Pkcs8([](ByteBuffer& b) {
         b[4] = 1;
         b.insert(b.end(), {0x81, 0x21, 0x01});
         const auto own = Pair().public_key();
         b.insert(b.end(), own.begin(), own.end());
         b[1] = static_cast<std::uint8_t>(b.size() - 2);
       })},
      {"public half in version 1", Pkcs8([](ByteBuffer& b) {
         b.insert(b.end(), {0x81, 0x21, 0x00});
         const auto own = Pair().public_key();
         b.insert(b.end(), own.begin(), own.end());
         b[1] = static_cast<std::uint8_t>(b.size() - 2);
       })},
      {"attributes longer than the key", Pkcs8([](ByteBuffer& b) {
         b[4] = 1;
         b.insert(b.end(), {0xa0, 0x7f});
         b[1] = static_cast<std::uint8_t>(b.size() - 2);
       })},
      {"encrypted", Armor("ENCRYPTED PRIVATE KEY", ByteBuffer(48, 1)), "encrypted_key"},
      {"old encryption", "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMC4C\n-----END PRIVATE KEY-----\n",
       "encrypted_key"},
      {"two blocks", good + good},
      {"public", PublicKey::FromBytes(Pair().public_key()).value().ToText(KeyFormat::kPem)},
      {"no key at all", "hello"},
      {"empty", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    const auto key = ReadSecret(row.text);
    REQUIRE_FALSE(key.ok());
    CHECK(StageName(key.error().stage) == StageName(Stage::kKey));
    CHECK(std::string(key.error().code) == row.code);
  }
}

TEST_CASE("key files: every cut and every changed byte of a secret key is refused or is the same key") {
  for (const std::string& text : {OpenSsh([](ByteBuffer&) {}), Pkcs8Version2(Pair().public_key())}) {
    const std::size_t end = text.find("-----END") + 8;  // behind it only the last border can be cut
    for (std::size_t size = 0; size < end; ++size) CHECK_FALSE(ReadSecret(text.substr(0, size)).ok());
  }
  ByteBuffer bytes = Copy(crypto::SerializeOpenSshSecret(Pair()).bytes());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] ^= 1;
    CHECK_FALSE(crypto::ParseOpenSshSecret(bytes).ok());  // the check words, too, only change together
    bytes[at] ^= 1;
  }
}

TEST_CASE("key files: public keys that are refused, each with the reason") {
  const crypto::Ed25519PublicKey key = Pair().public_key();
  const ByteBuffer good = crypto::SerializeOpenSshBytes({key, {}});
  const ByteBuffer token = crypto::SerializeOpenSshBytes({key, "ssh:"});
  const std::string type = "ssh-ed25519";
  const std::string token_type = "sk-ssh-ed25519@openssh.com";
  CHECK(PublicKey::FromText(PublicLine(type, good)).ok());
  CHECK(PublicKey::FromText(PublicLine(token_type, token)).ok());
  const crypto::Ed25519PublicKey zero{};
  crypto::Ed25519PublicKey not_canonical;
  not_canonical.fill(0xff);
  ByteBuffer spki = crypto::SerializeSpki(key);
  ByteBuffer x25519 = spki;
  x25519[8] = 0x6e;
  ByteBuffer unused = spki;
  unused[11] = 1;
  ByteBuffer longer = spki;
  longer.push_back(0);
  const Row rows[] = {
      {"RSA", PublicLine("ssh-rsa", good)},
      {"ECDSA", PublicLine("ecdsa-sha2-nistp256", good)},
      {"ECDSA of a token", PublicLine("sk-ecdsa-sha2-nistp256@openssh.com", good)},
      {"a certificate", PublicLine("ssh-ed25519-cert-v01@openssh.com", good)},
      {"a token's key as a plain one", PublicLine(type, token)},
      {"a plain key as a token's", PublicLine(token_type, good)},
      {"another type inside", PublicLine(type, Joined({Str("ssh-ed2551x"), crypto::OpenSshString(key)}))},
      {"31 bytes", PublicLine(type, Joined({Str(type), Str(std::string(31, 'x'))}))},
      {"trailing byte", PublicLine(type, Joined({good, {0}}))},
      {"cut", PublicLine(type, ByteView(good).first(good.size() - 1))},
      {"a length of 2^32-1", PublicLine(type, Joined({Str(type), {0xff, 0xff, 0xff, 0xff}}))},
      {"no application", PublicLine(token_type, Joined({Str(token_type), crypto::OpenSshString(key), Str("")}))},
      {"application with a newline",
       PublicLine(token_type, Joined({Str(token_type), crypto::OpenSshString(key), Str("a\nb")}))},
      {"application of 256 bytes",
       PublicLine(token_type, Joined({Str(token_type), crypto::OpenSshString(key), Str(std::string(256, 'a'))}))},
      {"two keys", PublicLine(type, good) + PublicLine(type, good)},
      {"options in front", "no-pty " + PublicLine(type, good)},
      {"two spaces", type + "  " + crypto::EncodeBase64(good)},
      {"no base64", type + " "},
      {"all zero", PublicLine(type, crypto::SerializeOpenSshBytes({zero, {}})), "unusable_key"},
      {"not canonical", PublicLine(type, crypto::SerializeOpenSshBytes({not_canonical, {}})), "unusable_key"},
      {"all zero in PEM", Armor(crypto::kPublicLabel, crypto::SerializeSpki(zero)), "unusable_key"},
      {"X25519", Armor(crypto::kPublicLabel, x25519)},
      {"unused bits", Armor(crypto::kPublicLabel, unused)},
      {"trailing byte in PEM", Armor(crypto::kPublicLabel, longer)},
      {"a certificate in PEM", Armor("CERTIFICATE", spki)},
      {"a secret key in PEM", Pkcs8([](ByteBuffer&) {})},
      {"a secret key of OpenSSH", OpenSsh([](ByteBuffer&) {})},
      {"two PEM blocks", Armor(crypto::kPublicLabel, spki) + Armor(crypto::kPublicLabel, spki)},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    for (const auto& refused : {PublicKey::FromText(row.text), PublicKey::Parse(row.text)}) {
      REQUIRE_FALSE(refused.ok());
      if (std::string_view(row.reason) == "options in front") continue;  // Parse then looks for a file of this name
      CHECK(StageName(refused.error().stage) == StageName(Stage::kKey));
      CHECK(std::string(refused.error().code) == row.code);
      CHECK(refused.error().subject.find("PRIVATE") == std::string::npos);  // a secret is not repeated
    }
  }
}

TEST_CASE("key files: no encoding of the public suite of hostile points becomes a key") {
  // CCTV ed25519: low-order points in canonical encodings, and the encodings that are not canonical.
  const char* points[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0000000000000000000000000000000000000000000000000000000000000080",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000080",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  };
  for (const std::string hex : points) {
    CAPTURE(hex);
    crypto::Ed25519PublicKey bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
    const std::string texts[] = {crypto::SerializeOpenSshPublic({bytes, {}}, {}),
                                 crypto::SerializeOpenSshPublic({bytes, "ssh:"}, {}),
                                 Armor(crypto::kPublicLabel, crypto::SerializeSpki(bytes))};
    for (const std::string& text : texts) CHECK(std::string(PublicKey::FromText(text).error().code) == "unusable_key");
  }
}

TEST_CASE("key files: the key of a token binds its application and is no other key's equal by encoding") {
  const auto key = Pair().public_key();
  const auto token = PublicKey::FromText(crypto::SerializeOpenSshPublic({key, "ssh:release"}, {})).value();
  const auto plain = PublicKey::FromBytes(key).value();
  CHECK(token.is_hardware());
  CHECK(token.application() == "ssh:release");
  CHECK_FALSE(plain.is_hardware());
  CHECK(token == plain);  // the 32 bytes: a threshold of two is not met by both
  CHECK(token.KeyId() != plain.KeyId());
  CHECK(PublicKey::FromText(token.ToText(KeyFormat::kPem)).value().application() == "ssh:release");
  const ByteBuffer message = crypto::HardwareMessage("ssh:", 1, 0x01020304, AsBytes("m"));
  REQUIRE(message.size() == 32 + 1 + 4 + 32);
  CHECK(crypto::Hex(message) ==
        crypto::Hex(crypto::Sha256Of(AsBytes("ssh:"))) + "0101020304" + crypto::Hex(crypto::Sha256Of(AsBytes("m"))));
}

TEST_CASE("key sources: variables are removed, descriptors and files are read to their end") {
  const std::string text = Pkcs8([](ByteBuffer&) {});
  const auto code = [](const std::string& spec, const OpenSignerOptions& options = {}) -> std::string {
    const auto signer = OpenSigner(spec, options);
    return signer.ok() ? "ok" : signer.error().code;
  };
  REQUIRE(setenv("SAFEMODEL_TEST_KEY", text.c_str(), 1) == 0);
  const char* value = getenv("SAFEMODEL_TEST_KEY");
  CHECK(code("env:SAFEMODEL_TEST_KEY") == "ok");
  CHECK(std::string_view(value, 8) == std::string_view("\0\0\0\0\0\0\0\0", 8));
  CHECK(getenv("SAFEMODEL_TEST_KEY") == nullptr);
  CHECK(code("env:SAFEMODEL_TEST_KEY") == "no_key");
  CHECK(code("env:") == "no_key");
  REQUIRE(setenv("SAFEMODEL_TEST_KEY", std::string(4097, 'x').c_str(), 1) == 0);
  CHECK(code("env:SAFEMODEL_TEST_KEY") == "bad_key_file");
  CHECK(getenv("SAFEMODEL_TEST_KEY") == nullptr);

  const TempFolder folder;
  WriteText(folder.Path("k"), text);
  const auto at = [&](const std::string& path) { return std::to_string(open(path.c_str(), O_RDONLY | O_CLOEXEC)); };
  const std::string number = at(folder.Path("k"));
  CHECK(code("fd:" + number) == "ok");
  CHECK(code("fd:" + number) == "no_key");  // it was closed
  for (const char* spec : {"fd:", "fd:x", "fd:-1", "fd:99999", "fd:3x", "fd: 3"}) CHECK(code(spec) == "no_key");
  CHECK(code("fd:" + at("/dev/zero")) == "bad_key_file");
  CHECK(code("fd:" + at("/dev/null")) == "bad_key_file");
  CHECK(code(folder.Path("k")) == "ok");
  CHECK(code(folder.Path("none")) == "not_found");
  CHECK(code("/dev/zero") == "not_regular");
  WriteText(folder.Path("long"), std::string(4097, 'x'));
  CHECK(code(folder.Path("long")) == "bad_key_file");

  CHECK(code(text) == "secret_as_argument");
  for (const char* identity : {"AGE-SECRET-KEY-1QQ", "AGE-SECRET-KEY-PQ-1QQ", "AGE-PLUGIN-YUBIKEY-1QQ"})
    CHECK(code(identity) == "secret_as_argument");
  OpenSignerOptions other;
  other.public_key = PublicKey::FromBytes(Pair(8).public_key()).value();
  CHECK(code(folder.Path("k"), other) == "other_key");
  other.public_key = PublicKey::FromBytes(Pair().public_key()).value();
  CHECK(code(folder.Path("k"), other) == "ok");
}

}  // namespace
}  // namespace safemodel
