// SPDX-License-Identifier: Apache-2.0
#include "trust/rollback.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <thread>

#include "base/clock.h"
#include "fixture.h"
#include "killed.h"
#include "trust/rollback_state.h"

namespace safemodel::trust {
namespace {

Release ReleaseNumber(std::uint64_t sequence, std::string name = "acme/model") {
  Release release;
  release.name = std::move(name);
  release.version = "1.0";
  release.sequence = sequence;
  return release;
}

Digest DigestOfByte(std::uint8_t byte) {
  Digest digest{};
  digest.fill(byte);
  return digest;
}

// A state file that was made on purpose, and the policy that names it.
struct Scene {
  TestFolder folder;
  std::string path = folder / "state";
  Policy policy = Make();

  Scene() { REQUIRE(InitRollbackState(path, kNow).ok()); }
  [[nodiscard]] Policy Make() const {
    PolicyParts parts;
    parts.keys = {{NewKey().public_key(), {"builder"}}};
    parts.rules = {{"**", {{"builder", 1}}}};
    parts.state_path = path;
    auto made = Policy::Create(parts);
    REQUIRE(made.ok());
    return made.value();
  }
  // Accept checks and remembers, and returns the code.
  [[nodiscard]] std::string Accept(std::uint64_t sequence, std::uint8_t manifest, std::int64_t now = kNow) const {
    RollbackReport report;
    const Release release = ReleaseNumber(sequence);
    const Status checked = CheckRollback(policy, release, DigestOfByte(manifest), now, report);
    const Status remembered = RememberRelease(policy, release, DigestOfByte(manifest), now);
    REQUIRE(checked.ok() == remembered.ok());
    if (!checked.ok()) {
      CHECK(std::string(checked.error().code) == remembered.error().code);
      CHECK(checked.error().stage == remembered.error().stage);
      return checked.error().code;
    }
    return report.code;
  }
};

std::string CodeOfState(const Result<RollbackState>& state) {
  if (state.ok()) return "ok";
  CHECK(state.error().stage == Stage::kConfig);
  return state.error().code;
}

}  // namespace

TEST_CASE("rollback: the highest sequence of a model counts, and one manifest for it") {
  const Scene scene;
  CHECK(scene.Accept(5, 1) == "first_seen");
  CHECK(scene.Accept(5, 1) == "same");
  CHECK(scene.Accept(4, 2) == "rollback");
  CHECK(scene.Accept(5, 2) == "equivocation");
  CHECK(scene.Accept(6, 2) == "newer");
  CHECK(scene.Accept(5, 1) == "rollback");
  CHECK(scene.Accept(0, 1) == "unsequenced");
  CHECK(scene.Accept(kMostSequence, 9) == "newer");  // a fast-forward: nothing is newer than this
  CHECK(scene.Accept(7, 3) == "rollback");
  REQUIRE(SetHighestSequence(scene.path, "acme/model", 7).ok());
  CHECK(scene.Accept(6, 2) == "rollback");
  CHECK(scene.Accept(7, 3) == "same");  // the first manifest of this sequence is the one that counts from now on
  CHECK(scene.Accept(7, 4) == "equivocation");
}

TEST_CASE("rollback: a clock behind what was seen, and the way back") {
  const Scene scene;
  CHECK(scene.Accept(1, 1, kNow - 300) == "first_seen");
  CHECK(scene.Accept(1, 1, kNow - 301) == "clock_behind");
  CHECK(scene.Accept(1, 1, kNow + 3599) == "same");
  CHECK(ReadRollbackState(scene.path).value().newest == kNow);  // not every check writes
  CHECK(scene.Accept(1, 1, kNow + 3600) == "same");
  CHECK(ReadRollbackState(scene.path).value().newest == kNow + 3600);
  CHECK(scene.Accept(1, 1, kNow) == "clock_behind");
  REQUIRE(SetNewestTime(scene.path, kNow).ok());
  CHECK(scene.Accept(1, 1, kNow) == "same");
}

TEST_CASE("rollback: a time that no state file can hold is refused, and nothing is written") {
  const Scene scene;
  REQUIRE(scene.Accept(5, 1) == "first_seen");
  const ByteBuffer before = ReadFileBytes(scene.path);
  constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t now : {kFirst, std::int64_t{-1}, kLastSecond + 1, kLast}) {
    const Status remembered = RememberRelease(scene.policy, ReleaseNumber(6), DigestOfByte(2), now);
    REQUIRE_FALSE(remembered.ok());
    CHECK(remembered.error().stage == Stage::kUsage);
    CHECK(std::string(remembered.error().code) == "bad_time");
    CHECK(ReadFileBytes(scene.path) == before);
  }
  CHECK(scene.Accept(6, 2, kLastSecond) == "newer");  // the last time that there is
  CHECK(ReadRollbackState(scene.path).value().newest == kLastSecond);
}

TEST_CASE("rollback: a state that could not be read again is not written") {
  const Scene scene;
  RollbackState state;
  state.newest = kNow;
  const auto name_of = [](std::size_t number) {
    const std::string digits = std::to_string(100000 + number);
    return std::string(255 - digits.size(), 'm') + digits;
  };
  const std::string empty = SerializeState(state);
  std::size_t size = empty.size() + 10;  // a count of more digits
  for (std::size_t i = 0;; ++i) {
    const std::size_t line = std::string("model 1 - \n").size() + 255;
    if (size + line > kStateBytes) break;
    size += line;
    state.models[name_of(i)] = {1, std::nullopt};
  }
  REQUIRE(state.models.size() < kStateModels);
  WriteFileBytes(scene.path, AsBytes(SerializeState(state)));
  const ByteBuffer full = ReadFileBytes(scene.path);
  REQUIRE(full.size() <= kStateBytes);
  const Status repaired = SetHighestSequence(scene.path, std::string(255, 'z'), 1);
  REQUIRE_FALSE(repaired.ok());
  CHECK(repaired.error().stage == Stage::kConfig);
  CHECK(std::string(repaired.error().code) == "state_large");
  const Status remembered =
      RememberRelease(scene.policy, ReleaseNumber(1, std::string(255, 'z')), DigestOfByte(1), kNow);
  REQUIRE_FALSE(remembered.ok());
  CHECK(std::string(remembered.error().code) == "state_large");
  CHECK(ReadFileBytes(scene.path) == full);
  CHECK(ReadRollbackState(scene.path).value() == state);
}

TEST_CASE("rollback: a state file that is missing, damaged, newer or open to others is no state file") {
  const Scene scene;
  REQUIRE(scene.Accept(5, 1) == "first_seen");
  const ByteBuffer good = ReadFileBytes(scene.path);
  for (std::size_t length = 0; length < good.size(); ++length) {
    WriteFileBytes(scene.path, ByteView(good).first(length));
    CHECK(CodeOfState(ReadRollbackState(scene.path)) == "state_malformed");
    CHECK(scene.Accept(5, 1) == "state_malformed");
    CHECK(ReadFileBytes(scene.path).size() == length);  // never made good by itself
  }
  std::string newer(good.begin(), good.end());
  newer.replace(newer.find("state 1"), 7, "state 2");
  WriteFileBytes(scene.path, AsBytes(newer));
  CHECK(scene.Accept(5, 1) == "state_version");
  WriteFileBytes(scene.path, good);
  REQUIRE(chmod(scene.path.c_str(), 0666) == 0);
  CHECK(scene.Accept(5, 1) == "writable_by_others");
  REQUIRE(unlink(scene.path.c_str()) == 0);
  CHECK(scene.Accept(5, 1) == "state_missing");
  REQUIRE(mkfifo(scene.path.c_str(), 0600) == 0);
  CHECK(scene.Accept(5, 1) == "state_unusable");
  REQUIRE(unlink(scene.path.c_str()) == 0);
  REQUIRE(symlink("elsewhere", scene.path.c_str()) == 0);
  CHECK(scene.Accept(5, 1) == "state_unusable");
}

TEST_CASE("rollback: a state file that may only be read is trouble, also when nothing is new") {
  if (geteuid() != 0) return;  // the child below becomes somebody else
  const Scene scene;
  REQUIRE(scene.Accept(5, 1) == "first_seen");
  REQUIRE(chmod(scene.path.substr(0, scene.path.rfind('/')).c_str(), 0755) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (setuid(65534) != 0) _exit(1);
    const Status status = RememberRelease(scene.policy, ReleaseNumber(5), DigestOfByte(1), kNow);
    const bool refused = !status.ok() && status.error().stage == Stage::kConfig &&
                         std::string_view(status.error().code) == "state_unusable";
    _exit(refused ? 0 : 2);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("rollback: Init makes a file once") {
  const Scene scene;
  REQUIRE(scene.Accept(5, 1) == "first_seen");
  const Status again = InitRollbackState(scene.path, kNow);
  REQUIRE_FALSE(again.ok());
  CHECK(std::string(again.error().code) == "exists");
  CHECK(scene.Accept(4, 1) == "rollback");
}

TEST_CASE("rollback: a file that is made anew forgets, also when somebody is changing it") {
  const Scene scene;
  REQUIRE(scene.Accept(5, 1) == "first_seen");
  std::atomic<bool> made = false;
  std::thread reset;
  const Status changed = UpdateState(scene.path, [&](RollbackState& state) -> Result<Changed> {
    reset = std::thread([&] { made = InitRollbackState(scene.path, kNow, OldState::kReplace).ok(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK_FALSE(made);
    state.models["acme/other"] = {1, std::nullopt};
    return Changed::kYes;
  });
  reset.join();
  CHECK(changed.ok());
  CHECK(made);
  REQUIRE(ReadRollbackState(scene.path).ok());
  CHECK(ReadRollbackState(scene.path).value().models.empty());
}

TEST_CASE("rollback: only a file is made anew, or what is not there") {
  const Scene scene;
  REQUIRE(unlink(scene.path.c_str()) == 0);
  CHECK(InitRollbackState(scene.path, kNow, OldState::kReplace).ok());
  CHECK(scene.Accept(5, 1) == "first_seen");
  REQUIRE(unlink(scene.path.c_str()) == 0);
  REQUIRE(symlink("elsewhere", scene.path.c_str()) == 0);
  const Status link = InitRollbackState(scene.path, kNow, OldState::kReplace);
  REQUIRE_FALSE(link.ok());
  CHECK(std::string(link.error().code) == "state_unusable");
}

TEST_CASE("rollback: what is written is read, and nothing else") {
  RollbackState state;
  state.newest = kNow;
  state.models["a"] = {1, DigestOfByte(7)};
  state.models["b/c"] = {kMostSequence, std::nullopt};
  const std::string text = SerializeState(state);
  REQUIRE(ParseState(text).ok());
  CHECK(ParseState(text).value() == state);
  const auto broken = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    CHECK_FALSE(ParseState(changed).ok());
  };
  broken("model 1 ", "model 01 ");
  broken("model 1 ", "model -1 ");
  broken("model 1 ", "model 1.0 ");
  broken(std::to_string(kMostSequence), std::to_string(kMostSequence + 1));
  broken(" a\n", " \n");
  broken(" a\n", " c\n");    // names ascend
  broken(" a\n", " b/c\n");  // and are different
  broken(" a\n", " a b\n");
  broken("0707", "07G7");
  broken("end 2", "end 1");
  broken("end 2\n", "end 2\n\n");
  broken("end 2\n", "end 2");
  broken("newest ", "oldest ");
  broken("Z\n", "\n");
}

TEST_CASE("rollback: killed at any system call, the old or the new state is there, and the next one gets the lock") {
  int old_states = 0;
  int new_states = 0;
  for (int n = 1;; ++n) {
    REQUIRE(n < 400);
    CAPTURE(n);
    const Scene scene;
    REQUIRE(scene.Accept(5, 1) == "first_seen");
    const bool killed = KilledAt(n, [&] {
      if (!RememberRelease(scene.policy, ReleaseNumber(6), DigestOfByte(2), kNow).ok()) _exit(kUnreachable);
    });
    const auto state = ReadRollbackState(scene.path);
    REQUIRE(state.ok());
    const std::uint64_t highest = state.value().models.at("acme/model").sequence;
    CHECK((highest == 5 || highest == 6));
    (highest == 6 ? new_states : old_states) += 1;
    CHECK(scene.Accept(7, 3) == "newer");
    if (!killed) break;
  }
  CHECK(old_states >= 10);
  CHECK(new_states >= 1);
}

TEST_CASE("rollback: of several processes at once, the highest sequence survives, and no model is lost") {
  constexpr int kProcesses = 4;
  constexpr std::uint64_t kRounds = 25;
  const Scene scene;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const std::string own = "acme/m" + std::to_string(process);
      for (std::uint64_t round = 1; round <= kRounds; ++round) {
        if (!RememberRelease(scene.policy, ReleaseNumber(round, own), DigestOfByte(1), kNow).ok()) _exit(1);
        const Status shared = RememberRelease(scene.policy, ReleaseNumber(round, "acme/shared"), DigestOfByte(1), kNow);
        if (!shared.ok() && std::string_view(shared.error().code) != "rollback") _exit(2);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  const auto state = ReadRollbackState(scene.path);
  REQUIRE(state.ok());
  CHECK(state.value().models.size() == kProcesses + 1);
  for (const auto& [name, seen] : state.value().models) CHECK(seen.sequence == kRounds);
}

}  // namespace safemodel::trust
