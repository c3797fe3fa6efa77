// SPDX-License-Identifier: Apache-2.0
// What the program age gets to see, with a stand-in that writes it down. tests/interop/age_test.py uses the real one.
#include "crypto/age_program.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "crypto/age_wrap.h"
#include "crypto/bech32.h"
#include "testing/temp_folder.h"

namespace safemodel::crypto::age {
namespace {

using testing::ReadText;
using testing::TempFolder;
using testing::WriteText;

// Variable sets an environment variable for as long as it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (before_.empty()) {
      unsetenv(name_);
    } else {
      setenv(name_, before_.c_str(), 1);
    }
  }

 private:
  const char* name_;
  std::string before_;
};

// StandIn is a folder with a shell script `age`; it finds its own folder in $HERE.
class StandIn {
 public:
  explicit StandIn(const std::string& script) {
    WriteText(path(), "#!/bin/sh\nHERE='" + folder_.path() + "'\n" + script);
    REQUIRE(chmod(path().c_str(), 0700) == 0);
  }
  [[nodiscard]] std::string path() const { return folder_.Path("age"); }
  [[nodiscard]] std::string PathVariable() const { return folder_.path() + ":/usr/bin:/bin"; }
  [[nodiscard]] std::string Read(const std::string& name) const { return ReadText(folder_.Path(name)); }

 private:
  TempFolder folder_;
};

std::string PluginKey(std::string_view prefix) {
  return std::string(AsText(EncodeBech32(prefix, ByteBuffer(20, 9)).bytes()));
}

Identity PluginIdentity() {
  auto identity = ParseIdentity(PluginKey("AGE-PLUGIN-TEST-"));
  REQUIRE(identity.ok());
  return std::move(identity).value();
}

Recipient PluginRecipient() {
  auto recipient = ParseRecipient(PluginKey("age1test"));
  REQUIRE(recipient.ok());
  return std::move(recipient).value();
}

// SealedForSomebody is a good age file that no identity of the tests opens.
ByteBuffer SealedForSomebody() {
  const Recipient recipient = X25519Recipient{GenerateIdentity().public_key};
  auto file = SealWrap({&recipient, 1}, AsBytes("unknown"));
  REQUIRE(file.ok());
  return std::move(file).value();
}

constexpr const char* kRecord =
    "tr '\\0' '\\n' </proc/$$/cmdline >\"$HERE/cmdline\"\n"
    "tr '\\0' '\\n' </proc/$$/environ >\"$HERE/environ\"\n"
    "cat >\"$HERE/input\"\n"
    "cat /dev/fd/3 >\"$HERE/secret\"\n";

TEST_CASE("age program: it gets identities through a pipe, and nothing secret in arguments or environment") {
  const StandIn age(std::string(kRecord) + "printf opened\n");
  const Variable path("PATH", age.PathVariable());
  const Variable secret("SAFEMODEL_IDENTITY", "AGE-SECRET-KEY-1MARKER");
  const Variable token("API_TOKEN", "MARKER");
  const Variable loader("LD_AUDIT_OF_A_TEST", "MARKER");
  const ByteBuffer file = SealedForSomebody();
  const Identity identities[] = {Identity(GenerateIdentity()), PluginIdentity()};
  const auto plain = OpenWrap(file, identities);
  REQUIRE(plain.ok());
  CHECK(AsText(plain.value().bytes()) == "opened");
  CHECK(age.Read("cmdline").find("--decrypt\n--identity\n/dev/fd/3\n") != std::string::npos);
  CHECK(age.Read("cmdline").find("PLUGIN") == std::string::npos);
  CHECK(age.Read("environ").find("MARKER") == std::string::npos);
  CHECK(age.Read("environ").find("PATH=" + age.PathVariable() + "\n") != std::string::npos);
  CHECK(age.Read("secret") == PluginKey("AGE-PLUGIN-TEST-") + "\n");  // not our own: it was tried already
  CHECK(age.Read("input") == AsText(file));
}

TEST_CASE("age program: it gets what is sealed through a pipe, and all recipients") {
  const ByteBuffer file = SealedForSomebody();
  const StandIn age(std::string(kRecord) + "cat \"$HERE/file\"\n");
  WriteText(age.path().substr(0, age.path().size() - 3) + "file", std::string(AsText(file)));
  const Variable path("PATH", age.PathVariable());
  const X25519Recipient own{GenerateIdentity().public_key};
  const Recipient recipients[] = {Recipient(own), PluginRecipient()};
  const auto sealed = SealWrap(recipients, AsBytes("a data key"));
  REQUIRE(sealed.ok());
  CHECK(sealed.value() == file);
  CHECK(age.Read("cmdline").find("--encrypt\n--recipients-file\n-\n/dev/fd/3\n") != std::string::npos);
  CHECK(age.Read("cmdline").find("data key") == std::string::npos);
  CHECK(age.Read("secret") == "a data key");
  CHECK(age.Read("input") == SerializeRecipient(own) + "\n" + PluginKey("age1test") + "\n");
}

TEST_CASE("age program: whatever it does wrong is an answer") {
  const ByteBuffer file = SealedForSomebody();
  const Identity identity = PluginIdentity();
  const Recipient recipient = PluginRecipient();
  struct Row {
    const char* script;
    const char* on_open;
    const char* on_seal;
  };
  const Row rows[] = {
      {"exit 1\n", "program_failed", "program_failed"},
      {"kill -9 $$\n", "program_failed", "program_failed"},
      {"exec sleep 60\n", "program_timeout", "program_timeout"},
      {"exec >&-\nexec sleep 60\n", "program_timeout", "program_timeout"},
      {"exec cat /dev/zero\n", "program_output", "program_output"},
      {"printf 'no age file'\n", "ok", "program_output"},
      {"printf ''\n", "ok", "program_output"},
      {"printf x\nexit 3\n", "program_failed", "program_failed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.script);
    const StandIn age(row.script);
    const Variable path("PATH", age.PathVariable());
    constexpr std::chrono::milliseconds kShort{300};
    const bool hangs = std::string(row.on_open) == "program_timeout";
    const auto timeout = hangs ? kShort : kProgramTimeout;
    const Identity* const identities[] = {&identity};
    const auto opened = OpenWithProgram(file, identities, timeout);
    CHECK((opened.ok() ? "ok" : std::string(opened.error().code)) == row.on_open);
    if (!opened.ok()) CHECK(opened.error().stage == Stage::kKey);
    const auto sealed = SealWithProgram({&recipient, 1}, AsBytes("x"), {}, timeout);
    REQUIRE_FALSE(sealed.ok());
    CHECK(std::string(sealed.error().code) == row.on_seal);
    CHECK(sealed.error().stage == Stage::kKey);
  }
}

TEST_CASE("age program: it is looked for in absolute folders only, and only where a key needs it") {
  const TempFolder folder;
  WriteText(folder.Path("age"), "#!/bin/sh\nprintf opened\n");
  REQUIRE(chmod(folder.Path("age").c_str(), 0700) == 0);
  const std::string before = std::filesystem::current_path().string();
  std::filesystem::current_path(folder.path());
  const ByteBuffer file = SealedForSomebody();
  const Identity identity = PluginIdentity();
  for (const char* relative : {"", ".", ":", "./", "x:.:y"}) {
    CAPTURE(relative);
    const Variable path("PATH", relative);
    const auto opened = OpenWrap(file, {&identity, 1});
    REQUIRE_FALSE(opened.ok());
    CHECK(std::string(opened.error().code) == "age_missing");
    CHECK(opened.error().stage == Stage::kKey);
    const Recipient recipient = PluginRecipient();
    CHECK(std::string(SealWrap({&recipient, 1}, AsBytes("x")).error().code) == "age_missing");
  }
  {
    const Variable path("PATH", ".:" + folder.path());
    CHECK(OpenWrap(file, {&identity, 1}).ok());
    const Identity own[] = {Identity(GenerateIdentity())};
    CHECK(std::string(OpenWrap(file, own).error().code) == "no_identity");
  }
  std::filesystem::current_path(before);
}

}  // namespace
}  // namespace safemodel::crypto::age
