// SPDX-License-Identifier: Apache-2.0
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "fixture.h"
#include "killed.h"

namespace safemodel::trust {
namespace {

bool StartsWith(const ByteBuffer& bytes, const ByteBuffer& start) {
  return bytes.size() >= start.size() && std::equal(start.begin(), start.end(), bytes.begin());
}

}  // namespace

TEST_CASE("sign: killed at any system call, the old or the new envelope is complete") {
  for (const Placement placement : {Placement::kKeep, Placement::kDetached}) {
    const SecretKey first = NewKey();
    const SecretKey second = NewKey();
    const ByteBuffer core = TestCore(TestManifest());
    int old_states = 0;
    int new_states = 0;
    for (int n = 1;; ++n) {
      REQUIRE(n < 2000);
      const TestFolder folder;
      const std::string path = folder / "m.safemodel";
      WriteFileBytes(path, core);
      REQUIRE(Sign(path, first, At(kNow)).ok());
      SignOptions options = At(kNow);
      options.placement = placement;
      const bool killed = KilledAt(n, [&] {
        if (!Sign(path, second, options).ok()) _exit(kUnreachable);
      });
      CAPTURE(n);
      CHECK(StartsWith(ReadFileBytes(path), core));
      REQUIRE(CodeOf(Verify(path, Trusting({first.public_key()}))) == "ok");
      (CodeOf(Verify(path, Trusting({second.public_key()}))) == "ok" ? new_states : old_states)++;
      // The next signer repairs whatever was left.
      REQUIRE(Sign(path, second, At(kNow)).ok());
      CHECK(CodeOf(Verify(path, Trusting({first.public_key()}))) == "ok");
      CHECK(CodeOf(Verify(path, Trusting({second.public_key()}))) == "ok");
      if (!killed) break;
    }
    CHECK(old_states > 10);
    CHECK(new_states > 2);
  }
}

TEST_CASE("sign: several signatures stand side by side, appended or detached") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  const ByteBuffer core = TestCore(TestManifest());
  WriteFileBytes(path, core);
  const SecretKey a = NewKey();
  const SecretKey b = NewKey();
  REQUIRE(Sign(path, a, At(kNow)).ok());
  CHECK_FALSE(std::filesystem::exists(SidecarOf(path)));
  const ByteBuffer appended = ReadFileBytes(path);

  SignOptions detached = At(kNow);
  detached.placement = Placement::kDetached;
  const auto report = Sign(path, b, detached);
  REQUIRE(report.ok());
  CHECK(report.value().signatures == 2);
  CHECK(report.value().envelope_path == SidecarOf(path));
  CHECK(ReadFileBytes(path) == appended);  // the file itself was not touched

  REQUIRE(Sign(path, a, At(kNow)).value().signatures == 3);  // kept beside
  CHECK(std::filesystem::exists(SidecarOf(path)));
  SignOptions folded = At(kNow);
  folded.placement = Placement::kAppended;
  REQUIRE(Sign(path, a, folded).value().signatures == 4);
  CHECK_FALSE(std::filesystem::exists(SidecarOf(path)));
  CHECK(StartsWith(ReadFileBytes(path), core));
  for (const SecretKey* key : {&a, &b}) CHECK(CodeOf(Verify(path, Trusting({key->public_key()}))) == "ok");
}

TEST_CASE("sign: a sidecar that is there decides, good or bad") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  const std::string sidecar = SidecarOf(path);
  WriteFileBytes(path, TestCore(TestManifest()));
  const SecretKey key = NewKey();
  const Policy policy = Trusting({key.public_key()});
  REQUIRE(Sign(path, key, At(kNow)).ok());
  const ByteBuffer first = ReadFileBytes(path);
  const std::size_t core_bytes = TestCore(TestManifest()).size();
  const ByteBuffer frame(first.begin() + static_cast<std::ptrdiff_t>(core_bytes), first.end());

  WriteFileBytes(sidecar, frame);  // the same twice: a crash between fold and unlink
  CHECK(CodeOf(Verify(path, policy)) == "ok");
  WriteFileBytes(path, ByteView(first).first(core_bytes + 100));  // a crash in the fold
  CHECK(CodeOf(Verify(path, policy)) == "ok");
  WriteFileBytes(sidecar, ByteView(frame).first(frame.size() - 1));
  CHECK(Verify(path, policy).error().stage == Stage::kMalformed);
  WriteFileBytes(path, first);
  CHECK(Verify(path, policy).error().stage == Stage::kMalformed);  // never back to the embedded one
  std::filesystem::remove(sidecar);

  REQUIRE(Sign(path, key, At(kNow)).ok());
  WriteFileBytes(sidecar, frame);  // an older generation beside a newer one
  CHECK(CodeOf(Verify(path, policy)) == "envelope_stale");
  std::filesystem::remove(sidecar);
  // A link in its place is followed to a file, and anything else behind it is an error: it never means that there is
  // none.
  std::filesystem::create_symlink("nowhere", sidecar);
  CHECK(Verify(path, policy).error().stage == Stage::kIo);
  std::filesystem::remove(sidecar);
  std::filesystem::create_symlink(".", sidecar);
  CHECK(Verify(path, policy).error().stage == Stage::kIo);
  std::filesystem::remove(sidecar);
  std::filesystem::create_symlink(path, sidecar);
  CHECK(Verify(path, policy).error().stage == Stage::kMalformed);
  std::filesystem::remove(sidecar);
  std::filesystem::create_directory(sidecar);
  CHECK(Verify(path, policy).error().stage == Stage::kIo);
  std::filesystem::remove(sidecar);
  REQUIRE(mkfifo(sidecar.c_str(), 0600) == 0);
  CHECK(Verify(path, policy).error().stage == Stage::kIo);
}

TEST_CASE("sign: beside a good sidecar only the traces of a crash may follow the core") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  const ByteBuffer core = TestCore(TestManifest());
  WriteFileBytes(path, core);
  const SecretKey key = NewKey();
  const Policy policy = Trusting({key.public_key()});
  SignOptions detached = At(kNow);
  detached.placement = Placement::kDetached;
  REQUIRE(Sign(path, key, detached).ok());
  const ByteBuffer frame = ReadFileBytes(SidecarOf(path));

  struct Row {
    const char* reason;
    ByteBuffer behind;
    bool accepted;
  };
  ByteBuffer holes = frame;
  std::fill(holes.begin() + 40, holes.begin() + 90, std::uint8_t{0});
  ByteBuffer changed = frame;
  changed[100] = static_cast<std::uint8_t>(changed[100] ^ 1);
  ByteBuffer longer = frame;
  longer.push_back(0);
  const ByteView archive = AsBytes("PK\3\4 hidden");
  const Row rows[] = {
      {"half of the frame", {frame.begin(), frame.begin() + 200}, true},
      {"a frame of which a block never reached the disk", holes, true},
      {"zeros, shorter than the frame", ByteBuffer(frame.size(), 0), true},
      {"zeros, longer than the frame", ByteBuffer(frame.size() + 1, 0), false},
      {"the head of an archive", {archive.begin(), archive.end()}, false},
      {"a whole frame with another bit", changed, false},
      {"a byte behind the frame", longer, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    ByteBuffer file = core;
    file.insert(file.end(), row.behind.begin(), row.behind.end());
    WriteFileBytes(path, file);
    const auto result = Verify(path, policy);
    CHECK(result.ok() == row.accepted);
    if (!result.ok()) CHECK(result.error().stage == Stage::kMalformed);
  }
}

TEST_CASE("sign: a file that may only be read gets its envelope beside it, and a link gets none") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  WriteFileBytes(path, TestCore(TestManifest()));
  const SecretKey key = NewKey();
  std::filesystem::create_symlink(path, folder / "link.safemodel");
  const auto refused = Sign(folder / "link.safemodel", key, At(kNow));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().stage == Stage::kIo);
  if (geteuid() == 0) return;  // root may write to any file
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  CHECK(Sign(path, key, At(kNow)).error().stage == Stage::kIo);
  SignOptions detached = At(kNow);
  detached.placement = Placement::kDetached;
  REQUIRE(Sign(path, key, detached).ok());
  REQUIRE(Sign(path, key, At(kNow)).ok());  // and stays beside it
}

TEST_CASE("sign: an envelope of another container is refused") {
  const TestFolder folder;
  const SecretKey key = NewKey();
  container::Manifest other = TestManifest();
  other.sequence = 4;
  const std::string a = folder / "a";
  const std::string b = folder / "b";
  WriteFileBytes(a, TestCore(TestManifest()));
  WriteFileBytes(b, TestCore(other));
  SignOptions detached = At(kNow);
  detached.placement = Placement::kDetached;
  REQUIRE(Sign(a, key, detached).ok());
  std::filesystem::copy_file(SidecarOf(a), SidecarOf(b));
  CHECK(CodeOf(Verify(b, Trusting({key.public_key()}))) == "foreign_envelope");
  CHECK_FALSE(Sign(b, key, At(kNow)).ok());
}

TEST_CASE("sign: a second signer at the same time is told to wait") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  WriteFileBytes(path, TestCore(TestManifest()));
  const SecretKey key = NewKey();
  const auto file = File::Open(path);
  REQUIRE(file.ok());
  REQUIRE(flock(file.value()->descriptor(), LOCK_EX) == 0);
  const auto refused = Sign(path, key, At(kNow));
  REQUIRE_FALSE(refused.ok());
  CHECK(std::string(refused.error().code) == "locked");
}

TEST_CASE("sign: two signers at once lose no signature silently") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  const SecretKey keys[] = {NewKey(), NewKey()};
  for (int round = 0; round < 30; ++round) {
    WriteFileBytes(path, TestCore(TestManifest()));
    bool signed_by[2] = {false, false};
    const auto signer = [&](int i) { signed_by[i] = Sign(path, keys[i], At(kNow)).ok(); };
    std::thread other(signer, 1);
    signer(0);
    other.join();
    CHECK((signed_by[0] || signed_by[1]));
    for (int i = 0; i < 2; ++i) CHECK((CodeOf(Verify(path, Trusting({keys[i].public_key()}))) == "ok") == signed_by[i]);
  }
}

TEST_CASE("sign: impossible wishes are usage errors") {
  const TestFolder folder;
  const std::string path = folder / "m.safemodel";
  const ByteBuffer core = TestCore(TestManifest());
  WriteFileBytes(path, core);
  const SecretKey key = NewKey();
  for (const char* role : {"", "a b", "rôle"}) CHECK(Sign(path, key, At(kNow, role)).error().stage == Stage::kUsage);
  SignOptions ended = At(kNow);
  for (const std::int64_t end : {kNow - 1, kNow}) {
    ended.not_after = end;
    CHECK(Sign(path, key, ended).error().stage == Stage::kUsage);
  }
  CHECK(ReadFileBytes(path) == core);
}

}  // namespace safemodel::trust
