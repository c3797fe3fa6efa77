// SPDX-License-Identifier: Apache-2.0
#include "crypto/age_keys.h"

#include <doctest/doctest.h>

#include "base/cursor.h"
#include "crypto/age_wrap.h"
#include "crypto/armor.h"
#include "crypto/bech32.h"
#include "crypto/openssh.h"
#include "testing/temp_folder.h"

namespace safemodel::crypto::age {
namespace {

// The identity that the public vectors of C2SP use.
constexpr const char* kSecret = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";

std::string Bech32Of(std::string_view prefix, ByteView data) {
  return std::string(AsText(EncodeBech32(prefix, data).bytes()));
}

std::string CodeOf(const Result<Recipient>& result) { return result.ok() ? "ok" : result.error().code; }
std::string CodeOf(const Result<Identity>& result) { return result.ok() ? "ok" : result.error().code; }

std::string SshLine(const Ed25519PublicKey& key) { return SerializeRecipient(SshRecipient{key}); }

TEST_CASE("age keys: identities and recipients are written as they were read") {
  const auto identity = ParseIdentity(kSecret);
  REQUIRE(identity.ok());
  const auto& x25519 = std::get<X25519Identity>(identity.value());
  CHECK(AsText(SerializeIdentity(x25519).bytes()) == kSecret);
  const std::string text = SerializeRecipient(X25519Recipient{x25519.public_key});
  const auto recipient = ParseRecipient(text);
  REQUIRE(recipient.ok());
  CHECK(std::get<X25519Recipient>(recipient.value()).key == x25519.public_key);
  const auto pair = Ed25519KeyPair::Generate();
  const auto ssh = ParseRecipient(SshLine(pair.public_key()) + " somebody@host");
  REQUIRE(ssh.ok());
  CHECK(std::get<SshRecipient>(ssh.value()).key == pair.public_key());
}

TEST_CASE("age keys: what is no recipient") {
  const ByteBuffer key(32, 9);
  const ByteBuffer zero(32, 0);
  struct Row {
    const char* reason;
    std::string text;
    const char* code;
  };
  const std::string good = Bech32Of("age", key);
  std::string mixed = good;
  mixed.back() = mixed.back() >= 'a' ? static_cast<char>(mixed.back() - 'a' + 'A') : mixed.back();
  const Row rows[] = {
      {"the twin of the rows below", good, "ok"},
      {"upper case", Bech32Of("AGE", key), "bad_recipient"},
      {"wrong checksum", good.substr(0, good.size() - 1) + (good.back() == 'q' ? 'p' : 'q'), "bad_recipient"},
      {"other prefix", Bech32Of("bge", key), "bad_recipient"},
      {"an identity", kSecret, "bad_recipient"},
      {"31 bytes", Bech32Of("age", ByteBuffer(31, 9)), "bad_recipient"},
      {"33 bytes", Bech32Of("age", ByteBuffer(33, 9)), "bad_recipient"},
      {"low order", Bech32Of("age", zero), "unusable_key"},
      {"plugin", Bech32Of("age1yubikey", key), "ok"},
      {"hybrid", Bech32Of("age1pq", ByteBuffer(1216, 9)), "ok"},
      {"every letter a plugin may have", Bech32Of("age1a-b+c.d_9", key), "ok"},
      {"plugin with a path", Bech32Of("age1/../../tmp/evil", key), "bad_plugin_name"},
      {"plugin with a slash", Bech32Of("age1a/b", key), "bad_plugin_name"},
      {"plugin with a backslash", Bech32Of("age1a\\b", key), "bad_plugin_name"},
      {"plugin with two dots", Bech32Of("age1a..b", key), "bad_plugin_name"},
      {"plugin without a name", Bech32Of("age1", key), "bad_plugin_name"},
      {"plugin with a shell's letter", Bech32Of("age1a;b", key), "bad_plugin_name"},
      {"an RSA key", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== x", "bad_key_file"},
      {"ssh of low order", SshLine(Ed25519PublicKey{}), "unusable_key"},
      {"ssh cut", SshLine(Ed25519KeyPair::Generate().public_key()).substr(0, 60), "bad_key_file"},
      {"empty", "", "bad_recipient"},
      {"space in front", " " + good, "bad_recipient"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    const auto recipient = ParseRecipient(row.text);
    CHECK(CodeOf(recipient) == row.code);
    if (!recipient.ok()) CHECK(recipient.error().stage == Stage::kKey);
  }
  CHECK(CodeOf(ParseRecipient(mixed)) == (mixed == good ? "ok" : "bad_recipient"));
}

TEST_CASE("age keys: what is no identity") {
  const ByteBuffer key(32, 9);
  const std::string lower = [] {
    std::string text = kSecret;
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
  }();
  struct Row {
    const char* reason;
    std::string text;
    const char* code;
  };
  const Row rows[] = {
      {"the twin of the rows below", kSecret, "ok"},
      {"lower case", lower, "bad_identity"},
      {"cut", std::string(kSecret).substr(0, 40), "bad_identity"},
      {"a recipient", Bech32Of("age", key), "bad_identity"},
      {"31 bytes", Bech32Of("AGE-SECRET-KEY-", ByteBuffer(31, 9)), "bad_identity"},
      {"hybrid", Bech32Of("AGE-SECRET-KEY-PQ-", key), "ok"},
      {"plugin", Bech32Of("AGE-PLUGIN-YUBIKEY-", key), "ok"},
      {"plugin without data", Bech32Of("AGE-PLUGIN-TPM-", {}), "ok"},
      {"plugin with a path", Bech32Of("AGE-PLUGIN-../X-", key), "bad_plugin_name"},
      {"plugin with a slash", Bech32Of("AGE-PLUGIN-A/B-", key), "bad_plugin_name"},
      {"plugin without a name", Bech32Of("AGE-PLUGIN--", key), "bad_plugin_name"},
      {"plugin without a dash", Bech32Of("AGE-PLUGIN-X", key), "bad_identity"},
      {"plugin of nothing", Bech32Of("AGE-PLUGIN-", key), "bad_identity"},
      {"empty", "", "bad_identity"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    const auto identity = ParseIdentity(row.text);
    CHECK(CodeOf(identity) == row.code);
    if (!identity.ok()) CHECK(identity.error().stage == Stage::kKey);
  }
}

TEST_CASE("age keys: files have comments, several keys and either line end") {
  const std::string other(AsText(SerializeIdentity(GenerateIdentity()).bytes()));
  const auto identities =
      ParseIdentities("# created: today\n# public key: age1\n" + std::string(kSecret) + "\r\n\n" + other);
  REQUIRE(identities.ok());
  CHECK(identities.value().size() == 2);
  const std::string recipient = SerializeRecipient(X25519Recipient{GenerateIdentity().public_key});
  const auto recipients =
      ParseRecipients("# the team\n" + recipient + "\n" + SshLine(Ed25519KeyPair::Generate().public_key()) + " x\n");
  REQUIRE(recipients.ok());
  CHECK(recipients.value().size() == 2);
  const auto bad = ParseRecipients(recipient + "\nnobody\n");
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().offset == recipient.size() + 1);
}

TEST_CASE("age keys: files without a key, with encrypted ones, or with too many") {
  CHECK(std::string(ParseIdentities("# nothing\n").error().code) == "no_keys");
  CHECK(std::string(ParseRecipients("").error().code) == "no_keys");
  CHECK(std::string(ParseIdentities("age-encryption.org/v1\n").error().code) == "encrypted_identities");
  CHECK(std::string(ParseIdentities("-----BEGIN AGE ENCRYPTED FILE-----\n").error().code) == "encrypted_identities");
  std::string many;
  for (std::size_t i = 0; i < kMostKeys; ++i) many += std::string(kSecret) + "\n";
  CHECK(ParseIdentities(many).ok());
  CHECK(ParseIdentities(many + kSecret).error().stage == Stage::kLimit);
}

TEST_CASE("age keys: an OpenSSH private key is an identity, from a file too") {
  const auto pair = Ed25519KeyPair::Generate();
  const SecretBytes text = SerializeArmor(kOpenSshLabel, SerializeOpenSshSecret(pair).bytes(), 70);
  const testing::TempFolder folder;
  testing::WriteText(folder.Path("id_ed25519"), std::string(AsText(text.bytes())));
  const auto identities = ReadIdentities(folder.Path("id_ed25519"));
  REQUIRE(identities.ok());
  REQUIRE(identities.value().size() == 1);
  CHECK(std::get<SshIdentity>(identities.value()[0]).public_key == pair.public_key());
  const auto missing = ReadIdentities(folder.Path("none"));
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().stage == Stage::kIo);
  testing::WriteText(folder.Path("long"), std::string(kKeysFileBytes + 1, '#'));
  CHECK(ReadRecipients(folder.Path("long")).error().stage == Stage::kLimit);
  testing::WriteText(folder.Path("bad"), "nobody\n");
  CHECK(ReadRecipients(folder.Path("bad")).error().subject == folder.Path("bad"));
}

}  // namespace
}  // namespace safemodel::crypto::age
