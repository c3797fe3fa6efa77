// SPDX-License-Identifier: Apache-2.0
// Signers outside the process: programs and agents that answer well, badly, or not at all.
#include <safemodel/open_signer.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/file.h"
#include "crypto/base64.h"
#include "crypto/ed25519.h"
#include "crypto/hardware_key.h"
#include "crypto/openssh.h"
#include "testing/temp_folder.h"

namespace safemodel {
namespace {

using testing::ReadText;
using testing::TempFolder;
using testing::WriteText;

const crypto::Ed25519KeyPair& Pair() {
  static const auto pair = crypto::Ed25519KeyPair::FromSeed(ByteBuffer(32, 7));
  return pair;
}
PublicKey Public() { return PublicKey::FromBytes(Pair().public_key()).value(); }
PublicKey Token() {
  return PublicKey::FromText(crypto::SerializeOpenSshPublic({Pair().public_key(), "ssh:"}, {})).value();
}

constexpr std::string_view kMessage =
    "DSSEv1 the bytes to sign\n\0\x80"
    "x";

std::string CodeOf(const Result<std::array<std::uint8_t, 64>>& result) {
  if (result.ok()) return "ok";
  CHECK(StageName(result.error().stage) == StageName(Stage::kKey));
  return result.error().code;
}

// Program writes an executable script and returns its path.
std::string Program(const TempFolder& folder, const std::string& body) {
  static int number = 0;
  const std::string path = folder.Path("program" + std::to_string(++number));
  WriteText(path, "#!/bin/sh\n" + body + "\n");
  REQUIRE(chmod(path.c_str(), 0700) == 0);
  return path;
}

OpenSignerOptions Stated(std::chrono::seconds timeout = std::chrono::seconds(20)) {
  OpenSignerOptions options;
  options.public_key = Public();
  options.timeout = timeout;
  return options;
}

std::string SignatureText() { return crypto::EncodeBase64(Pair().Sign(AsBytes(kMessage))); }

std::string ExecCode(const std::string& command, std::chrono::seconds timeout = std::chrono::seconds(20)) {
  const auto signer = OpenSigner("exec:" + command, Stated(timeout));
  if (signer.ok()) return CodeOf(signer.value()->SignBytes(AsBytes(kMessage)));
  CHECK(StageName(signer.error().stage) == StageName(Stage::kKey));
  return signer.error().code;
}

TEST_CASE("exec: a program that signs, raw or in base64") {
  const TempFolder folder;
  const auto signature = Pair().Sign(AsBytes(kMessage));
  WriteText(folder.Path("raw"), std::string(AsText(signature)));
  WriteText(folder.Path("text"), SignatureText());
  CHECK(ExecCode("/bin/cat " + folder.Path("raw")) == "ok");
  CHECK(ExecCode("cat " + folder.Path("raw")) == "ok");  // from PATH
  CHECK(ExecCode("  cat   " + folder.Path("text") + " ") == "ok");
  CHECK(ExecCode(Program(folder, "echo " + SignatureText())) == "ok");
  CHECK(ExecCode(Program(folder, "printf '%s\\r\\n' " + SignatureText())) == "ok");

  SUBCASE("it gets exactly the message, and may leave it unread") {
    const std::string copy = Program(folder, "cat >" + folder.Path("seen") + "; echo " + SignatureText());
    CHECK(ExecCode(copy) == "ok");
    CHECK(ReadText(folder.Path("seen")) == kMessage);
    const std::string large(4 << 20, 'x');
    const auto signer = OpenSigner("exec:" + Program(folder, "echo " + SignatureText()), Stated());
    CHECK(CodeOf(signer.value()->SignBytes(AsBytes(large))) == "wrong_signature");  // no signal, no deadlock
  }
  SUBCASE("there is no shell: what a shell would act on is an argument like any other") {
    const std::string show =
        Program(folder, "printf '%s\\n' \"$@\" >" + folder.Path("seen") + "; echo " + SignatureText());
    CHECK(ExecCode(show + " $HOME `id` $(id) a;b 'c *") == "ok");
    CHECK(ReadText(folder.Path("seen")) == "$HOME\n`id`\n$(id)\na;b\n'c\n*\n");
  }
  SUBCASE("it does not inherit variables that hold secret keys") {
    REQUIRE(setenv("SAFEMODEL_TEST_A", "-----BEGIN PRIVATE KEY-----", 1) == 0);
    REQUIRE(setenv("SAFEMODEL_TEST_B", "RWRTY0Iyxxxx", 1) == 0);
    REQUIRE(setenv("SAFEMODEL_TEST_C", "kept", 1) == 0);
    CHECK(ExecCode(Program(folder, "env >" + folder.Path("seen") + "; echo " + SignatureText())) == "ok");
    for (const char* name : {"SAFEMODEL_TEST_A", "SAFEMODEL_TEST_B", "SAFEMODEL_TEST_C"}) unsetenv(name);
    CHECK(ReadText(folder.Path("seen")).find("SAFEMODEL_TEST_A") == std::string::npos);
    CHECK(ReadText(folder.Path("seen")).find("SAFEMODEL_TEST_B") == std::string::npos);
    CHECK(ReadText(folder.Path("seen")).find("SAFEMODEL_TEST_C=kept") != std::string::npos);
  }
}

TEST_CASE("exec: programs that do not sign, each with the reason") {
  const TempFolder folder;
  const std::string good = SignatureText();
  const auto other = crypto::EncodeBase64(crypto::Ed25519KeyPair::FromSeed(ByteBuffer(32, 8)).Sign(AsBytes(kMessage)));
  CHECK(ExecCode(Program(folder, "exit 0")) == "program_output");
  CHECK(ExecCode(Program(folder, "head -c 63 /dev/zero")) == "program_output");
  CHECK(ExecCode(Program(folder, "head -c 64 /dev/zero")) == "wrong_signature");
  CHECK(ExecCode(Program(folder, "head -c 65 /dev/zero")) == "program_output");
  CHECK(ExecCode(Program(folder, "echo " + good + "; echo")) == "program_output");
  CHECK(ExecCode(Program(folder, "echo ' " + good + "'")) == "program_output");
  CHECK(ExecCode(Program(folder, "head -c 1073741824 /dev/zero")) == "program_output");
  CHECK(ExecCode(Program(folder, "echo " + other)) == "wrong_signature");
  CHECK(ExecCode(Program(folder, "echo " + good + "; exit 1")) == "program_failed");
  CHECK(ExecCode(Program(folder, "kill -9 $$")) == "program_failed");
  CHECK(ExecCode("/nonexistent/program") == "program_missing");
  CHECK(ExecCode("no-such-program-anywhere") == "program_missing");
  CHECK(ExecCode("") == "program_missing");
  CHECK(ExecCode("   ") == "program_missing");
  WriteText(folder.Path("plain"), "echo " + good);  // no shell is tried for what the system cannot start
  REQUIRE(chmod(folder.Path("plain").c_str(), 0700) == 0);
  CHECK(ExecCode(folder.Path("plain")) == "program_missing");

  const auto started = std::chrono::steady_clock::now();
  CHECK(ExecCode(Program(folder, "exec sleep 600"), std::chrono::seconds(1)) == "program_timeout");
  CHECK(ExecCode(Program(folder, "exec >&-; exec sleep 600"), std::chrono::seconds(1)) == "program_timeout");
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(60));

  CHECK(std::string(OpenSigner("exec:cat").error().code) == "public_key_needed");
  OpenSignerOptions token;
  token.public_key = Token();
  CHECK(std::string(OpenSigner("exec:cat", token).error().code) == "hardware_key");
}

TEST_CASE("exec: a relative folder in PATH is not searched") {
  const TempFolder folder;
  const std::string path = Program(folder, "echo " + SignatureText());
  const std::string before = getenv("PATH") == nullptr ? "" : getenv("PATH");
  char here[4096];
  REQUIRE(getcwd(here, sizeof here) != nullptr);
  REQUIRE(chdir(folder.path().c_str()) == 0);
  for (const std::string& folders : {std::string(":."), std::string(".:"), std::string("./"), std::string("")}) {
    REQUIRE(setenv("PATH", folders.c_str(), 1) == 0);
    CHECK(ExecCode(NameOf(path)) == "program_missing");
  }
  REQUIRE(setenv("PATH", folder.path().c_str(), 1) == 0);
  const auto found = OpenSigner("exec:" + NameOf(path), Stated());
  CHECK(found.ok());
  REQUIRE(setenv("PATH", before.c_str(), 1) == 0);
  REQUIRE(chdir(here) == 0);
}

// FakeAgent answers each connection with what the next function makes of the message.
class FakeAgent {
 public:
  using Answer = std::function<ByteBuffer(ByteView message)>;
  explicit FakeAgent(std::vector<Answer> answers) : answers_(std::move(answers)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_.Path("agent");
    std::copy(path.begin(), path.end(), address.sun_path);
    listener_ = Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listener_.get(), 8) == 0);
    REQUIRE(setenv("SSH_AUTH_SOCK", path.c_str(), 1) == 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeAgent() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    unsetenv("SSH_AUTH_SOCK");
  }

 private:
  static bool ReadAll(int fd, MutableBytes out) {
    while (!out.empty()) {
      const ssize_t n = recv(fd, out.data(), out.size(), 0);
      if (n <= 0) return false;
      out = out.subspan(static_cast<std::size_t>(n));
    }
    return true;
  }
  void Serve() {
    for (const Answer& answer : answers_) {
      const Descriptor connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      std::array<std::uint8_t, 4> length{};
      if (!connection.valid() || !ReadAll(connection.get(), length)) return;
      ByteBuffer message(ByteReader(length).U32BigEndian().value());
      if (!ReadAll(connection.get(), message)) return;
      const ByteBuffer reply = answer(message);
      if (reply.size() == 1) {  // says nothing until the other side has given up
        std::uint8_t ignored = 0;
        ReadAll(connection.get(), {&ignored, 1});
        continue;
      }
      static_cast<void>(send(connection.get(), reply.data(), reply.size(), MSG_NOSIGNAL));
    }
  }

  TempFolder folder_;
  std::vector<Answer> answers_;
  Descriptor listener_;
  std::thread thread_;
};

ByteBuffer Joined(std::initializer_list<ByteBuffer> parts) {
  ByteBuffer all;
  for (const ByteBuffer& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}
ByteBuffer Str(ByteView bytes) { return crypto::OpenSshString(bytes); }
ByteBuffer Str(std::string_view text) { return crypto::OpenSshString(AsBytes(text)); }

ByteBuffer KeyList(const PublicKey& key) {
  return Str(Joined({{12, 0, 0, 0, 2},
                     Str("another key"),
                     Str("comment"),
                     Str(crypto::SerializeOpenSshBytes({key.bytes(), key.application()})),
                     Str("mine")}));
}
ByteBuffer Signed(std::string_view type, ByteView signature, const ByteBuffer& rest = {}) {
  return Str(Joined({{14}, Str(Joined({Str(type), Str(signature), rest}))}));
}

FakeAgent::Answer Says(ByteBuffer reply) {
  return [reply = std::move(reply)](ByteView) { return reply; };
}

OpenSignerOptions Quick() {
  OpenSignerOptions options;
  options.timeout = std::chrono::seconds(2);
  return options;
}

std::string Spec(const PublicKey& key) { return "ssh-agent:" + key.ToText(KeyFormat::kOpenSsh); }

// SignCode asks an agent that lists the key and then answers the request to sign with `reply`.
std::string SignCode(ByteBuffer reply, const PublicKey& key = Public()) {
  const FakeAgent agent({Says(KeyList(key)), Says(std::move(reply))});
  const auto signer = OpenSigner(Spec(key), Quick());
  REQUIRE(signer.ok());
  if (!key.is_hardware()) return CodeOf(signer.value()->SignBytes(AsBytes(kMessage)));
  const auto signature = signer.value()->SignOnHardware(AsBytes(kMessage));
  CHECK((signature.ok() || signature.error().stage == Stage::kKey));
  return signature.ok() ? "ok" : signature.error().code;
}

TEST_CASE("ssh-agent: signs with a key that it holds") {
  const auto signature = Pair().Sign(AsBytes(kMessage));
  ByteBuffer asked;
  {
    const FakeAgent agent({Says(KeyList(Public())), [&](ByteView message) {
                             asked.assign(message.begin(), message.end());
                             return Signed("ssh-ed25519", signature);
                           }});
    const auto signer = OpenSigner(Spec(Public()), Quick());
    REQUIRE(signer.ok());
    CHECK(signer.value()->public_key() == Public());
    CHECK(signer.value()->SignBytes(AsBytes(kMessage)).value() == signature);
  }
  CHECK(asked ==
        Joined({{13}, Str(crypto::SerializeOpenSshBytes({Pair().public_key(), {}})), Str(kMessage), {0, 0, 0, 0}}));
}

TEST_CASE("ssh-agent: answers that are refused, each with the reason") {
  const auto good = Pair().Sign(AsBytes(kMessage));
  auto flipped = good;
  flipped[3] ^= 1;
  const auto foreign = crypto::Ed25519KeyPair::FromSeed(ByteBuffer(32, 8)).Sign(AsBytes(kMessage));
  CHECK(SignCode(Signed("ssh-ed25519", good)) == "ok");
  CHECK(SignCode(Signed("ssh-ed25519", flipped)) == "wrong_signature");
  CHECK(SignCode(Signed("ssh-ed25519", foreign)) == "wrong_signature");
  CHECK(SignCode(Signed("ssh-rsa", ByteBuffer(256, 1))) == "agent_reply");
  CHECK(SignCode(Signed("ssh-rsa", good)) == "agent_reply");
  CHECK(SignCode(Signed("ssh-ed25519", ByteView(good).first(63))) == "agent_reply");
  CHECK(SignCode(Signed("ssh-ed25519", good, {0})) == "agent_reply");
  CHECK(SignCode(Signed("sk-ssh-ed25519@openssh.com", good, {1, 0, 0, 0, 1})) == "agent_reply");
  CHECK(SignCode(Str(Joined({{14}, Str(Joined({Str("ssh-ed25519"), Str(good)})), {0}}))) == "agent_reply");
  CHECK(SignCode(Str(ByteBuffer{14})) == "agent_reply");
  CHECK(SignCode(Str(ByteBuffer{14, 0xff, 0xff, 0xff, 0xff})) == "agent_reply");
  CHECK(SignCode(Str(ByteBuffer{5})) == "agent_refused");
  CHECK(SignCode(Str(ByteBuffer{6})) == "agent_reply");  // success, but of what?
  CHECK(SignCode({0, 0, 0, 0}) == "agent_reply");
  CHECK(SignCode({0xff, 0xff, 0xff, 0xff}) == "agent_reply");
  CHECK(SignCode({0x00, 0x04, 0x00, 0x01, 14}) == "agent_reply");   // 256 KiB + 1
  CHECK(SignCode({0x00, 0x04, 0x00, 0x00, 14}) == "agent_closed");  // 256 KiB are read, and do not come
  CHECK(SignCode({}) == "agent_closed");
  CHECK(SignCode({0, 0}) == "agent_closed");
  CHECK(SignCode({0, 0, 0, 9, 14, 0}) == "agent_closed");
  CHECK(SignCode({0}) == "agent_timeout");  // one byte: see FakeAgent
}

TEST_CASE("ssh-agent: a key that it cannot offer is refused before anything is signed") {
  const auto code = [](ByteBuffer reply) -> std::string {
    const FakeAgent agent({Says(std::move(reply))});
    const auto signer = OpenSigner(Spec(Public()), Quick());
    REQUIRE_FALSE(signer.ok());
    CHECK(StageName(signer.error().stage) == StageName(Stage::kKey));
    return signer.error().code;
  };
  const PublicKey other =
      PublicKey::FromBytes(crypto::Ed25519KeyPair::FromSeed(ByteBuffer(32, 8)).public_key()).value();
  CHECK(code(KeyList(other)) == "agent_lacks_key");
  CHECK(code(KeyList(Token())) == "agent_lacks_key");  // the same bytes, but in a token
  CHECK(code(Str(ByteBuffer{12, 0, 0, 0, 0})) == "agent_lacks_key");
  CHECK(code(Str(ByteBuffer{12, 0, 0, 0, 0, 0})) == "agent_reply");
  CHECK(code(Str(ByteBuffer{12, 0xff, 0xff, 0xff, 0xff})) == "agent_reply");
  CHECK(code(Str(ByteBuffer{12})) == "agent_reply");
  CHECK(code(Str(ByteBuffer{5})) == "agent_refused");

  unsetenv("SSH_AUTH_SOCK");
  CHECK(std::string(OpenSigner(Spec(Public())).error().code) == "no_agent");
  for (const std::string& path : {std::string("/nonexistent/agent"), std::string("/tmp"), std::string(200, 'x')}) {
    REQUIRE(setenv("SSH_AUTH_SOCK", path.c_str(), 1) == 0);
    CHECK(std::string(OpenSigner(Spec(Public())).error().code) == "no_agent");
  }
  unsetenv("SSH_AUTH_SOCK");
  CHECK(OpenSigner("ssh-agent:/nonexistent.pub").error().stage == Stage::kIo);
}

TEST_CASE("ssh-agent: a key in a token signs with its flags and its counter") {
  const auto touched = [](std::string_view application, std::uint8_t flags, std::uint32_t counter) {
    return Pair().Sign(crypto::HardwareMessage(application, flags, counter, AsBytes(kMessage)));
  };
  const std::string_view type = "sk-ssh-ed25519@openssh.com";
  CHECK(SignCode(Signed(type, touched("ssh:", 1, 258), {1, 0, 0, 1, 2}), Token()) == "ok");
  CHECK(SignCode(Signed(type, touched("ssh:", 1, 258), {1, 0, 0, 1, 3}), Token()) == "wrong_signature");
  CHECK(SignCode(Signed(type, touched("ssh:", 0, 258), {1, 0, 0, 1, 2}), Token()) == "wrong_signature");
  CHECK(SignCode(Signed(type, touched("ssh:x", 1, 258), {1, 0, 0, 1, 2}), Token()) == "wrong_signature");
  CHECK(SignCode(Signed(type, touched("ssh:", 1, 258)), Token()) == "agent_reply");
  CHECK(SignCode(Signed(type, touched("ssh:", 1, 258), {1, 0, 0, 1, 2, 0}), Token()) == "agent_reply");
  CHECK(SignCode(Signed("ssh-ed25519", Pair().Sign(AsBytes(kMessage))), Token()) == "agent_reply");
  const FakeAgent agent({Says(KeyList(Token()))});
  const auto signer = OpenSigner(Spec(Token()), Quick());
  REQUIRE(signer.ok());
  CHECK(std::string(signer.value()->SignBytes(AsBytes(kMessage)).error().code) == "hardware_key");
}

}  // namespace
}  // namespace safemodel
