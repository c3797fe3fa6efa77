// SPDX-License-Identifier: Apache-2.0
// Recipients and identities as callers see them: where they come from, that they are read and asked for once, and what
// they are written as.
#include "crypto/recipients.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/cursor.h"
#include "crypto/age_wrap.h"
#include "crypto/armor.h"
#include "crypto/openssh.h"
#include "testing/temp_folder.h"

namespace safemodel {
namespace {

using testing::ReadText;
using testing::TempFolder;
using testing::WriteText;

// The identity that the public vectors of C2SP use.
constexpr const char* kSecret = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
constexpr const char* kRecipient = "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef";

Passphrase Phrase(std::string_view text) { return Passphrase::FromBytes(AsBytes(text)).value(); }

std::string CodeOf(const Result<std::vector<Identity>>& result) { return result.ok() ? "ok" : result.error().code; }

// Pipe returns the reading end of a pipe that holds a text.
int Pipe(std::string_view text) {
  int ends[2] = {-1, -1};
  REQUIRE(pipe(ends) == 0);
  REQUIRE(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(ends[1]);
  return ends[0];
}

std::string OnlyRecipient(const Result<std::vector<Identity>>& identities) {
  REQUIRE(identities.ok());
  REQUIRE(identities.value().size() == 1);
  return identities.value()[0].ToRecipient().value().ToText();
}

// Opens tells whether an identity opens what was sealed for a recipient.
bool Opens(const Identity& identity, const Recipient& recipient) {
  const auto wrap = crypto::age::SealWrap({&RecipientAccess::Of(recipient), 1}, AsBytes("secret"));
  REQUIRE(wrap.ok());
  const auto plain = crypto::age::OpenWrap(wrap.value(), {&IdentityAccess::Of(identity), 1});
  if (plain.ok()) CHECK(AsText(plain.value().bytes()) == "secret");
  return plain.ok();
}

TEST_CASE("recipients: every kind has its text") {
  const auto pair = crypto::Ed25519KeyPair::Generate();
  const std::string ssh = crypto::age::SerializeRecipient(crypto::age::SshRecipient{pair.public_key()});
  CHECK(Recipient::FromText(kRecipient).value().ToText() == kRecipient);
  CHECK(Recipient::FromText(ssh + " somebody@host").value().ToText() == ssh);
  const auto passphrase = Recipient::FromPassphrase(Phrase("x"));
  CHECK(passphrase.value().ToText() == "passphrase");
  CHECK(passphrase.value().is_passphrase());
  CHECK_FALSE(Recipient::FromText(kRecipient).value().is_passphrase());
  CHECK(std::string(Recipient::FromPassphrase({}).error().code) == "empty_passphrase");
  CHECK(std::string(Recipient::FromText("nobody").error().code) == "bad_recipient");
}

TEST_CASE("recipients: a file of them") {
  const TempFolder folder;
  WriteText(folder.Path("team"), "# the team\n" + std::string(kRecipient) + "\n");
  const auto team = Recipient::FromFile(folder.Path("team"));
  REQUIRE(team.ok());
  CHECK(team.value().at(0).ToText() == kRecipient);
  CHECK(Recipient::FromFile(folder.Path("none")).error().stage == Stage::kIo);
}

TEST_CASE("recipients: a text, else a path, and what is neither") {
  const TempFolder folder;
  WriteText(folder.Path("team"), "# the team\n" + std::string(kRecipient) + "\n");
  WriteText(folder.Path("bad"), "# the team\nnobody\n");
  const auto code = [](const std::string& text) -> std::string {
    const auto recipients = Recipient::Read(text);
    if (recipients.ok()) return recipients.value().at(0).ToText() == kRecipient ? "ok" : "another";
    CHECK(recipients.error().subject.find("SECRET") == std::string::npos);
    return recipients.error().code;
  };
  CHECK(code(kRecipient) == "ok");
  CHECK(code(folder.Path("team")) == "ok");
  for (const std::string& text :
       {std::string(kRecipient) + "x", std::string("AGE1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4Q47RYEF"),
        std::string("bge1xmwwc06"), folder.Path("none"), folder.Path("bad"), std::string()}) {
    CAPTURE(text);
    CHECK(code(text) == "bad_recipient");
  }
  CHECK(code("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== x") == "bad_key_file");
  CHECK(code(kSecret) == "secret_as_argument");
  CHECK(code(folder.path()) == "not_regular");
}

TEST_CASE("identities: from a file, a variable and a descriptor") {
  const TempFolder folder;
  const std::string text = "# a comment\n" + std::string(kSecret) + "\n";
  WriteText(folder.Path("id"), text);
  CHECK(OnlyRecipient(Identity::Read(folder.Path("id"))) == kRecipient);
  CHECK(OnlyRecipient(Identity::Read("fd:" + std::to_string(Pipe(text)))) == kRecipient);
  setenv("SAFEMODEL_TEST_IDENTITY", text.c_str(), 1);
  CHECK(OnlyRecipient(Identity::Read("env:SAFEMODEL_TEST_IDENTITY")) == kRecipient);
  CHECK(std::getenv("SAFEMODEL_TEST_IDENTITY") == nullptr);
  CHECK(CodeOf(Identity::Read("env:SAFEMODEL_TEST_IDENTITY")) == "no_key");
}

TEST_CASE("identities: a descriptor is closed, and standard input is read to its end") {
  const int pipe_end = Pipe(kSecret);
  CHECK(Identity::Read("fd:" + std::to_string(pipe_end)).ok());
  CHECK(fcntl(pipe_end, F_GETFD) == -1);
  const int before = dup(STDIN_FILENO);
  const int stand_in = Pipe(kSecret);
  dup2(stand_in, STDIN_FILENO);
  CHECK(OnlyRecipient(Identity::Read("-")) == kRecipient);
  dup2(before, STDIN_FILENO);
  close(before);
  close(stand_in);
}

TEST_CASE("identities: more than a key's size, and no more than a file of keys may have") {
  const auto padded = [](std::size_t size) {
    return std::string(kSecret) + "\n#" + std::string(size - std::string_view(kSecret).size() - 2, 'x');
  };
  setenv("SAFEMODEL_TEST_IDENTITY", padded(crypto::age::kKeysFileBytes).c_str(), 1);
  CHECK(CodeOf(Identity::Read("env:SAFEMODEL_TEST_IDENTITY")) == "ok");
  setenv("SAFEMODEL_TEST_IDENTITY", padded(crypto::age::kKeysFileBytes + 1).c_str(), 1);
  CHECK(CodeOf(Identity::Read("env:SAFEMODEL_TEST_IDENTITY")) == "bad_key_file");
}

TEST_CASE("identities: what is none is told without its text") {
  const std::string cut = std::string(kSecret).substr(0, 40);
  for (const std::string& source : {"fd:" + std::to_string(Pipe(cut)), std::string(kSecret)}) {
    const auto identities = Identity::Read(source);
    REQUIRE_FALSE(identities.ok());
    CHECK(identities.error().subject.find("AGE-SECRET") == std::string::npos);
    CHECK(std::string(identities.error().text).find(cut) == std::string::npos);
  }
  CHECK(CodeOf(Identity::Read(kSecret)) == "secret_as_argument");
  CHECK(CodeOf(Identity::Read("fd:" + std::to_string(Pipe("nobody\n")))) == "bad_identity");
  CHECK(CodeOf(Identity::Read("fd:x")) == "no_key");
  CHECK(CodeOf(Identity::FromText("age-encryption.org/v1\n")) == "encrypted_identities");
}

TEST_CASE("identities: who they belong to, and what they open") {
  const Identity made = Identity::Generate();
  const Recipient recipient = made.ToRecipient().value();
  CHECK(Opens(made, recipient));
  CHECK_FALSE(Opens(Identity::Generate(), recipient));
  const auto pair = crypto::Ed25519KeyPair::Generate();
  const auto text = crypto::SerializeArmor(crypto::kOpenSshLabel, crypto::SerializeOpenSshSecret(pair).bytes(), 70);
  const auto ssh = Identity::FromText(AsText(text.bytes()));
  REQUIRE(ssh.ok());
  CHECK(Opens(ssh.value()[0], ssh.value()[0].ToRecipient().value()));
  CHECK(std::string(Identity::FromPassphrase({}).ToRecipient().error().code) == "no_recipient");
}

TEST_CASE("identities: files are those of age-keygen, and only their owner reads the secret") {
  const TempFolder folder;
  const Identity identity = Identity::Generate();
  const mode_t before = umask(0);
  REQUIRE(identity.WriteFiles(folder.Path("id"), Identity::Overwrite::kRefuse).ok());
  umask(before);
  struct stat status {};
  REQUIRE(stat(folder.Path("id.key").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const std::string recipient = identity.ToRecipient().value().ToText();
  CHECK(ReadText(folder.Path("id.pub")) == recipient + "\n");
  const std::string text = ReadText(folder.Path("id.key"));
  CHECK(text.starts_with("# created: 2"));
  CHECK(text.find("Z\n# public key: " + recipient + "\nAGE-SECRET-KEY-1") != std::string::npos);
  CHECK(OnlyRecipient(Identity::Read(folder.Path("id.key"))) == recipient);
  const Status again = Identity::Generate().WriteFiles(folder.Path("id"), Identity::Overwrite::kRefuse);
  CHECK(std::string(again.error().code) == "exists");
  CHECK(ReadText(folder.Path("id.key")) == text);
  CHECK(Identity::Generate().WriteFiles(folder.Path("id"), Identity::Overwrite::kReplace).ok());
  CHECK(ReadText(folder.Path("id.key")) != text);
  const Status other = Identity::FromPassphrase({}).WriteFiles(folder.Path("p"), Identity::Overwrite::kRefuse);
  CHECK(std::string(other.error().code) == "not_x25519");
}

TEST_CASE("identities: a passphrase is asked when there is something to open, and once") {
  int asked = 0;
  const Identity identity = Identity::FromPassphrase([&asked]() -> Result<Passphrase> {
    ++asked;
    return Phrase("correct horse");
  });
  CHECK_FALSE(Opens(identity, Identity::Generate().ToRecipient().value()));
  CHECK(asked == 0);
  const auto cheap = [](std::string_view text) {
    return RecipientAccess::Make(crypto::age::PassphraseRecipient{Phrase(text), 1});
  };
  CHECK(Opens(identity, cheap("correct horse")));
  CHECK(Opens(identity, cheap("correct horse")));
  CHECK_FALSE(Opens(identity, cheap("another")));
  CHECK(asked == 1);
}

TEST_CASE("identities: a refusal to answer is an answer") {
  int asked = 0;
  const Identity identity = Identity::FromPassphrase([&asked]() -> Result<Passphrase> {
    ++asked;
    return Error{Stage::kKey, "interrupted", "no passphrase was entered"};
  });
  const Recipient recipient = RecipientAccess::Make(crypto::age::PassphraseRecipient{Phrase("x"), 1});
  CHECK_FALSE(Opens(identity, recipient));
  CHECK_FALSE(Opens(identity, recipient));
  CHECK(asked == 1);
}

TEST_CASE("identities: a source is read once, at the first need, and serves several containers") {
  int asked = 0;
  setenv("SAFEMODEL_TEST_IDENTITY", kSecret, 1);
  const TempFolder folder;
  REQUIRE(Identity::Generate().WriteFiles(folder.Path("id"), Identity::Overwrite::kRefuse).ok());
  const IdentitySource source = IdentitiesFrom({"env:SAFEMODEL_TEST_IDENTITY", folder.Path("id.key")}, [&asked] {
    ++asked;
    return Result<Passphrase>(Phrase("x"));
  });
  CHECK(std::getenv("SAFEMODEL_TEST_IDENTITY") != nullptr);
  const Recipient protected_one = RecipientAccess::Make(crypto::age::PassphraseRecipient{Phrase("x"), 1});
  for (int round = 0; round < 2; ++round) {
    const auto identities = source();
    REQUIRE(identities.ok());
    REQUIRE(identities.value().size() == 3);
    CHECK(identities.value()[0].ToRecipient().value().ToText() == kRecipient);
    CHECK(Opens(identities.value()[2], protected_one));
  }
  CHECK(std::getenv("SAFEMODEL_TEST_IDENTITY") == nullptr);
  CHECK(asked == 1);
}

TEST_CASE("identities: a source that fails stays failed, and names itself") {
  const TempFolder folder;
  const IdentitySource source = IdentitiesFrom({folder.Path("late")});
  CHECK(source().error().stage == Stage::kIo);
  WriteText(folder.Path("late"), kSecret);
  const auto second = source();
  CHECK(second.error().stage == Stage::kIo);
  CHECK(second.error().subject.starts_with(folder.Path("late")));
  CHECK(IdentitiesFrom({})().value().empty());
}

}  // namespace
}  // namespace safemodel
