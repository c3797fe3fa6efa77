// SPDX-License-Identifier: Apache-2.0
#include <safemodel/keys.h>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cursor.h"
#include "crypto/base64.h"
#include "crypto/hash.h"
#include "crypto/minisign.h"
#include "testing/temp_folder.h"

namespace safemodel {
namespace {

using testing::ReadText;
using testing::TempFolder;
using testing::WriteText;

constexpr crypto::ScryptCost kCheap = {32768, 16u << 20};

Passphrase Secret(const std::string& text) {
  auto passphrase = Passphrase::FromBytes(AsBytes(text));
  REQUIRE(passphrase.ok());
  return std::move(passphrase).value();
}

PassphraseSource Says(std::string passphrase) {
  return [passphrase = std::move(passphrase)]() -> Result<Passphrase> { return Secret(passphrase); };
}

PassphraseSource NeverAsked() {
  return []() -> Result<Passphrase> {
    FAIL("a passphrase was asked for");
    return Passphrase();
  };
}

bool HaveMinisign() {
  if (std::system("minisign -v >/dev/null 2>&1") == 0) return true;  // NOLINT(cert-env33-c)
  MESSAGE("skipped: there is no minisign on this machine");
  return false;
}

bool Run(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }  // NOLINT

unsigned ModeOf(const std::string& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

crypto::MinisignSecretKey TestKey() {
  const ByteBuffer seed(32, 7);
  return {crypto::Ed25519KeyPair::FromSeed(seed), {1, 2, 3, 4, 5, 6, 7, 8}};
}

// Edited returns the text of an unprotected secret key file after `edit` changed its bytes and, unless told
// otherwise, the checksum was made right again.
enum class Checksum { kRepair, kLeave };
template <typename Edit>
std::string Edited(Checksum checksum, Edit edit) {
  const auto text = crypto::SerializeMinisignSecret(TestKey(), nullptr, kCheap);
  REQUIRE(text.ok());
  const std::string original(AsText(text.value().bytes()));
  const auto line = original.find('\n') + 1;
  auto bytes = crypto::DecodeEitherBase64(std::string_view(original).substr(line, original.size() - line - 1)).value();
  edit(bytes);
  if (checksum == Checksum::kRepair) std::fill(bytes.end() - 32, bytes.end(), std::uint8_t{0});
  return original.substr(0, line) + crypto::EncodeBase64(bytes) + "\n";
}

TEST_CASE("keys: a written pair reads back, protected and not, and signs alike") {
  const crypto::MinisignSecretKey key = TestKey();
  const std::string text_of_it = "tr\xC3\xA8s long";
  const Passphrase protection = Secret(text_of_it);
  for (const Passphrase* passphrase : {static_cast<const Passphrase*>(nullptr), &protection}) {
    const auto text = crypto::SerializeMinisignSecret(key, passphrase, kCheap);
    REQUIRE(text.ok());
    const auto again =
        crypto::ParseMinisignSecret(text.value().bytes(), passphrase == nullptr ? NeverAsked() : Says(text_of_it));
    REQUIRE(again.ok());
    CHECK(again.value().number == key.number);
    CHECK(again.value().pair.public_key() == key.pair.public_key());
    CHECK(again.value().pair.Sign(AsBytes("x")) == key.pair.Sign(AsBytes("x")));
  }
}

TEST_CASE("keys: files of a generated key") {
  const TempFolder folder;
  const mode_t before = umask(0);  // the mode must not depend on the umask
  auto key = SecretKey::Generate();
  REQUIRE(key.ok());
  REQUIRE(key.value().WriteFiles(folder.Path("release"), nullptr, SecretKey::Overwrite::kRefuse).ok());
  umask(before);
  CHECK(ModeOf(folder.Path("release.key")) == 0600);
  const auto read = SecretKey::FromFile(folder.Path("release.key"), NeverAsked());
  REQUIRE(read.ok());
  CHECK(read.value().public_key() == key.value().public_key());
  CHECK(read.value().public_key().ToMinisign() == key.value().public_key().ToMinisign());
  CHECK(PublicKey::FromFile(folder.Path("release.pub")).value() == key.value().public_key());
  CHECK(PublicKey::Parse(folder.Path("release.pub")).value() == key.value().public_key());
  CHECK(ReadText(folder.Path("release.pub")) == key.value().public_key().ToMinisign());
  CHECK(PublicKey::FromBytes(key.value().public_key().bytes()).value().ToMinisign() ==
        key.value().public_key().ToMinisign());

  SUBCASE("are never overwritten unasked") {
    const std::string old = ReadText(folder.Path("release.key"));
    auto other = SecretKey::Generate();
    const Status refused = other.value().WriteFiles(folder.Path("release"), nullptr, SecretKey::Overwrite::kRefuse);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().stage == Stage::kUsage);
    CHECK(ReadText(folder.Path("release.key")) == old);
    unlink(folder.Path("release.key").c_str());  // the public file alone stops it too, and no secret file is left
    CHECK_FALSE(other.value().WriteFiles(folder.Path("release"), nullptr, SecretKey::Overwrite::kRefuse).ok());
    CHECK(access(folder.Path("release.key").c_str(), F_OK) != 0);
    CHECK(other.value().WriteFiles(folder.Path("release"), nullptr, SecretKey::Overwrite::kReplace).ok());
    CHECK(ModeOf(folder.Path("release.key")) == 0600);
  }
  SUBCASE("are not written through a link") {
    WriteText(folder.Path("victim"), "untouched");
    REQUIRE(symlink(folder.Path("victim").c_str(), folder.Path("linked.key").c_str()) == 0);
    for (const auto overwrite : {SecretKey::Overwrite::kRefuse, SecretKey::Overwrite::kReplace}) {
      CHECK_FALSE(key.value().WriteFiles(folder.Path("linked"), nullptr, overwrite).ok());
    }
    CHECK(ReadText(folder.Path("victim")) == "untouched");
  }
  SUBCASE("need a passphrase that is not empty") {
    const Passphrase empty;
    const Status refused = key.value().WriteFiles(folder.Path("empty"), &empty, SecretKey::Overwrite::kRefuse);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().stage == Stage::kUsage);
    CHECK(access(folder.Path("empty.key").c_str(), F_OK) != 0);
  }
}

TEST_CASE("keys: a passphrase is filled up to its limit, moves, and compares") {
  Passphrase passphrase;
  CHECK(passphrase.empty());
  REQUIRE(passphrase.Append(AsBytes("cor")).ok());
  REQUIRE(passphrase.Append(AsBytes("rect")).ok());
  CHECK(AsText(passphrase.bytes()) == "correct");
  CHECK(passphrase.Equals(Secret("correct")));
  CHECK_FALSE(passphrase.Equals(Secret("corrupt")));
  CHECK_FALSE(passphrase.Equals(Secret("correct ")));
  CHECK_FALSE(passphrase.Equals(Passphrase()));
  CHECK(Passphrase().Equals(Passphrase()));

  Passphrase moved = std::move(passphrase);
  CHECK(AsText(moved.bytes()) == "correct");
  CHECK(passphrase.empty());                          // NOLINT(bugprone-use-after-move): it says so in its header
  REQUIRE(passphrase.Append(AsBytes("again")).ok());  // NOLINT(bugprone-use-after-move)
  CHECK(AsText(passphrase.bytes()) == "again");

  const std::string longest(Passphrase::kMostBytes - 7, 'x');
  REQUIRE(moved.Append(AsBytes(longest)).ok());
  const Status refused = moved.Append(AsBytes("x"));
  REQUIRE_FALSE(refused.ok());
  CHECK(std::string(refused.error().code) == "long_passphrase");
  CHECK(AsText(moved.bytes()) == "correct" + longest);
  CHECK_FALSE(Passphrase::FromBytes(AsBytes(longest + "12345678")).ok());
}

TEST_CASE("keys: a wrong passphrase, none, and a source that refuses") {
  const Passphrase right = Secret("right");
  const auto text = crypto::SerializeMinisignSecret(TestKey(), &right, kCheap);
  REQUIRE(text.ok());
  const auto wrong = crypto::ParseMinisignSecret(text.value().bytes(), Says("wrong"));
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().stage == Stage::kKey);
  CHECK(std::string(wrong.error().code) == "wrong_passphrase");
  CHECK(crypto::ParseMinisignSecret(text.value().bytes(), {}).error().stage == Stage::kKey);
  const auto refused = crypto::ParseMinisignSecret(text.value().bytes(), []() -> Result<Passphrase> {
    return Error{Stage::kKey, "cancelled", "no passphrase"};
  });
  REQUIRE_FALSE(refused.ok());
  CHECK(std::string(refused.error().code) == "cancelled");
}

TEST_CASE("keys: secret key files that are refused, each with the reason") {
  struct Row {
    const char* reason;
    std::string text;
    Stage stage = Stage::kKey;
  };
  const auto patch = [](std::size_t at, std::uint8_t value) { return [=](ByteBuffer& b) { b[at] = value; }; };
  const auto protect = [](std::uint64_t operations, std::uint64_t memory) {
    return [=](ByteBuffer& b) {
      b[2] = 'S';
      b[3] = 'c';
      for (std::size_t i = 0; i < 8; ++i) {
        b[38 + i] = static_cast<std::uint8_t>(operations >> (8 * i));
        b[46 + i] = static_cast<std::uint8_t>(memory >> (8 * i));
      }
    };
  };
  const std::string good = Edited(Checksum::kLeave, [](ByteBuffer&) {});
  const std::string line = good.substr(good.find('\n') + 1);
  const Row rows[] = {
      {"empty", ""},
      {"no comment line", line},
      {"comment only", good.substr(0, good.find('\n') + 1)},
      {"cut by a byte", Edited(Checksum::kLeave, [](ByteBuffer& b) { b.pop_back(); })},
      {"one byte more", Edited(Checksum::kLeave, [](ByteBuffer& b) { b.push_back(0); })},
      {"text behind", good + "x\n"},
      {"space in the line", good.substr(0, good.size() - 2) + " \n"},
      {"checksum changed", Edited(Checksum::kLeave, [](ByteBuffer& b) { b.back() ^= 1; })},
      {"key number changed under the checksum", Edited(Checksum::kLeave, patch(54, 99))},
      {"seed changed, so that the halves differ", Edited(Checksum::kRepair, patch(62, 99))},
      {"public half changed", Edited(Checksum::kRepair, patch(100, 99))},
      {"another signature algorithm", Edited(Checksum::kRepair, patch(1, 'D'))},
      {"another key derivation", Edited(Checksum::kRepair, patch(2, 'A'))},
      {"another checksum algorithm", Edited(Checksum::kRepair, patch(5, '3'))},
      {"2^40 operations", Edited(Checksum::kLeave, protect(std::uint64_t{1} << 40, 1 << 24)), Stage::kLimit},
      {"2^40 bytes of memory", Edited(Checksum::kLeave, protect(32768, std::uint64_t{1} << 40)), Stage::kLimit},
      {"one operation over", Edited(Checksum::kLeave, protect((1u << 25) + 1, 1 << 24)), Stage::kLimit},
      {"one byte of memory over", Edited(Checksum::kLeave, protect(32768, (1u << 30) + 1)), Stage::kLimit},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    const auto parsed = crypto::ParseMinisignSecret(AsBytes(row.text), Says("any"));
    REQUIRE_FALSE(parsed.ok());
    CHECK(StageName(parsed.error().stage) == StageName(row.stage));
  }
  CHECK(crypto::ParseMinisignSecret(AsBytes(good), NeverAsked()).ok());
  CHECK(crypto::ParseMinisignSecret(AsBytes(Edited(Checksum::kRepair, [](ByteBuffer&) {})), NeverAsked()).ok());
}

TEST_CASE("keys: public keys that are refused, each with the reason") {
  const std::string good = crypto::SerializeMinisignPublic({TestKey().pair.public_key(), TestKey().number});
  const std::string line = good.substr(good.find('\n') + 1);
  CHECK(PublicKey::FromMinisign(good).ok());
  CHECK(PublicKey::FromMinisign(line).ok());
  CHECK(PublicKey::FromMinisign(line.substr(0, line.size() - 1)).ok());
  CHECK(PublicKey::FromMinisign("untrusted comment: x\r\n" + line.substr(0, line.size() - 1) + "\r\n").ok());
  CHECK(PublicKey::FromMinisign(good).value().ToMinisign() == good);
  CHECK(PublicKey::Parse(line).ok());

  crypto::Ed25519PublicKey zero{};
  const std::string refused[] = {
      "",
      "RW",
      good + "x",
      "comment: x\n" + line,
      line.substr(4),
      crypto::SerializeMinisignPublic({zero, {}}),  // low order
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  };
  for (const std::string& text : refused) {
    CAPTURE(text);
    const auto key = PublicKey::FromMinisign(text);
    REQUIRE_FALSE(key.ok());
    CHECK(key.error().stage == Stage::kKey);
  }
  CHECK(PublicKey::FromBytes(zero).error().stage == Stage::kKey);
  CHECK(PublicKey::FromBytes(ByteBuffer(31, 1)).error().stage == Stage::kKey);
  CHECK(PublicKey::Parse("/nonexistent/key.pub").error().stage == Stage::kIo);
}

TEST_CASE("keys: the key id is a labelled digest of the key alone") {
  const auto key = PublicKey::FromBytes(TestKey().pair.public_key()).value();
  crypto::Sha256 hash;
  hash.Update(AsBytes("safemodel key ed25519\n"));
  hash.Update(key.bytes());
  CHECK(key.KeyId() == crypto::Hex(hash.Finish()));
}

TEST_CASE("keys: the comment shows the key number as minisign prints it, without leading zeros") {
  const auto key = TestKey().pair.public_key();
  const auto comment = [&](const crypto::MinisignKeyNumber& number) {
    const std::string text = crypto::SerializeMinisignPublic({key, number});
    return text.substr(0, text.find('\n'));
  };
  CHECK(comment({1, 2, 3, 4, 5, 6, 7, 8}) == "untrusted comment: minisign public key 807060504030201");
  CHECK(comment({0xAB, 0, 0, 0, 0, 0, 0, 0}) == "untrusted comment: minisign public key AB");
  CHECK(comment({}) == "untrusted comment: minisign public key 0");
}

TEST_CASE("keys: minisign reads our files and we read minisign's") {
  if (!HaveMinisign()) return;
  const TempFolder folder;
  WriteText(folder.Path("message"), "hello");
  const std::string in = "cd " + folder.path() + " && ";

  SUBCASE("ours, unprotected") {
    auto key = SecretKey::Generate();
    REQUIRE(key.value().WriteFiles(folder.Path("ours"), nullptr, SecretKey::Overwrite::kRefuse).ok());
    REQUIRE(Run(in + "minisign -S -W -s ours.key -m message"));
    CHECK(Run(in + "minisign -V -p ours.pub -m message"));
    CHECK(Run(in + "minisign -R -W -s ours.key -p again.pub"));
    CHECK(ReadText(folder.Path("again.pub")) == ReadText(folder.Path("ours.pub")));
  }
  SUBCASE("ours, protected, at the full cost that minisign writes") {
    auto key = SecretKey::Generate();
    const Passphrase passphrase = Secret("correct horse");
    REQUIRE(key.value().WriteFiles(folder.Path("ours"), &passphrase, SecretKey::Overwrite::kRefuse).ok());
    REQUIRE(Run(in + "echo 'correct horse' | minisign -S -s ours.key -m message"));
    CHECK(Run(in + "minisign -V -p ours.pub -m message"));
  }
  SUBCASE("minisign's, unprotected") {
    REQUIRE(Run(in + "minisign -G -W -p theirs.pub -s theirs.key"));
    const auto key = SecretKey::FromFile(folder.Path("theirs.key"), NeverAsked());
    REQUIRE(key.ok());
    CHECK(key.value().public_key().ToMinisign() == ReadText(folder.Path("theirs.pub")));
  }
  SUBCASE("minisign's, protected") {
    REQUIRE(Run(in + "printf 'pass one\\npass one\\n' | minisign -G -p theirs.pub -s theirs.key"));
    const auto key = SecretKey::FromFile(folder.Path("theirs.key"), Says("pass one"));
    REQUIRE(key.ok());
    CHECK(key.value().public_key().ToMinisign() == ReadText(folder.Path("theirs.pub")));
  }
}

}  // namespace
}  // namespace safemodel
