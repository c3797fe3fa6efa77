// SPDX-License-Identifier: Apache-2.0
// What a full disk, a failing disk and a power cut make of signing. The writing calls of this program pass through the
// functions below, which count them, let one fail, or remember what had reached the disk.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "fixture.h"

namespace safemodel::trust {
namespace {

// Disk is what would be left after a power cut: contents as of their last fsync, names as of the folder's.
struct Disk {
  std::string folder;
  std::map<ino_t, ByteBuffer> contents;
  std::map<std::string, ino_t> names;
};

struct Faults {
  int calls = 0;
  int fail_at = 0;          // 0: none
  bool fail_after = false;  // all later calls too, as on a full disk
  int error = 0;
  Disk* disk = nullptr;
};

Faults faults;  // NOLINT: the wrapped calls have no other way to see it

ino_t InodeOf(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

std::map<std::string, ino_t> NamesIn(const std::string& folder) {
  std::map<std::string, ino_t> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names[entry.path().filename().string()] = InodeOf(entry.path().string());
  }
  return names;
}

// Remember takes what fsync(fd) makes durable.
void Remember(Disk& disk, int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return;
  if (S_ISDIR(status.st_mode)) {
    disk.names = NamesIn(disk.folder);
    return;
  }
  ByteBuffer bytes(static_cast<std::size_t>(status.st_size));
  if (pread(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()))
    disk.contents[status.st_ino] = bytes;
}

// Next counts a call; true when it must fail.
bool Next() {
  ++faults.calls;
  const bool fails =
      faults.fail_at != 0 && (faults.fail_after ? faults.calls >= faults.fail_at : faults.calls == faults.fail_at);
  if (fails) errno = faults.error;
  return fails;
}

template <typename Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace safemodel::trust

// NOLINTBEGIN(readability-identifier-naming): the names are the C library's.
extern "C" {
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  if (safemodel::trust::Next()) return -1;
  return safemodel::trust::Real<decltype(&pwrite)>("pwrite")(fd, bytes, size, offset);
}
int fsync(int fd) {
  if (safemodel::trust::Next()) return -1;
  if (safemodel::trust::faults.disk != nullptr) safemodel::trust::Remember(*safemodel::trust::faults.disk, fd);
  return safemodel::trust::Real<decltype(&fsync)>("fsync")(fd);
}
int ftruncate(int fd, off_t size) noexcept {
  if (safemodel::trust::Next()) return -1;
  return safemodel::trust::Real<int (*)(int, off_t)>("ftruncate")(fd, size);
}
int linkat(int from, const char* old_name, int to, const char* new_name, int flags) noexcept {
  if (safemodel::trust::Next()) return -1;
  return safemodel::trust::Real<int (*)(int, const char*, int, const char*, int)>("linkat")(from, old_name, to,
                                                                                            new_name, flags);
}
int renameat(int from, const char* old_name, int to, const char* new_name) noexcept {
  if (safemodel::trust::Next()) return -1;
  return safemodel::trust::Real<int (*)(int, const char*, int, const char*)>("renameat")(from, old_name, to, new_name);
}
int unlink(const char* name) noexcept {
  if (safemodel::trust::Next()) return -1;
  return safemodel::trust::Real<int (*)(const char*)>("unlink")(name);
}
}
// NOLINTEND(readability-identifier-naming)

namespace safemodel::trust {
namespace {

// Scene is a container that `first` has signed and `second` is about to sign.
struct Scene {
  TestFolder folder;
  std::string path = folder / "m.safemodel";
  ByteBuffer core = TestCore(TestManifest());

  explicit Scene(const SecretKey& first) {
    WriteFileBytes(path, core);
    REQUIRE(Sign(path, first, At(kNow)).ok());
  }
  [[nodiscard]] bool SignedBy(const SecretKey& key) const {
    return CodeOf(Verify(path, Trusting({key.public_key()}))) == "ok";
  }
};

struct Injection {
  const char* name;
  int error;
  bool fail_after;
};

constexpr int kMostCalls = 40;

// DurableAfterCut signs in a child whose power goes before the n-th writing call, and puts what was durable then into
// `target`. False when signing ended before.
bool DurableAfterCut(const Scene& scene, const SecretKey& key, Placement placement, int n, const TestFolder& target) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Disk disk;
    disk.folder = scene.path.substr(0, scene.path.rfind('/'));
    disk.names = NamesIn(disk.folder);
    for (const auto& [name, inode] : disk.names) disk.contents[inode] = ReadFileBytes(disk.folder + "/" + name);
    faults = {};
    faults.disk = &disk;
    // The call that would fail is never made: from there on nothing changes any more, and the durable state is written.
    faults.fail_at = n;
    faults.fail_after = true;
    faults.error = EIO;
    SignOptions options = At(kNow);
    options.placement = placement;
    const bool ended = Sign(scene.path, key, options).ok();
    faults = {};
    for (const auto& [name, inode] : disk.names) WriteFileBytes(target / name, disk.contents[inode]);
    _exit(ended ? 1 : 0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) <= 1);
  return WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("faults: a disk that is full or fails at any writing call leaves the old or the new envelope") {
  const Injection injections[] = {{"one call fails", EIO, false}, {"the disk is full from here on", ENOSPC, true}};
  for (const Injection& injection : injections) {
    for (const Placement placement : {Placement::kKeep, Placement::kDetached}) {
      int failed = 0;
      for (int n = 1;; ++n) {
        REQUIRE(n < kMostCalls);
        CAPTURE(injection.name);
        CAPTURE(n);
        const SecretKey first = NewKey();
        const SecretKey second = NewKey();
        const Scene scene(first);
        SignOptions options = At(kNow);
        options.placement = placement;
        faults = {};
        faults.fail_at = n;
        faults.fail_after = injection.fail_after;
        faults.error = injection.error;
        const auto report = Sign(scene.path, second, options);
        const bool reached = faults.calls >= n;
        faults = {};
        const ByteBuffer after = ReadFileBytes(scene.path);
        REQUIRE(after.size() >= scene.core.size());
        CHECK(std::equal(scene.core.begin(), scene.core.end(), after.begin()));
        CHECK(scene.SignedBy(first));
        if (!reached) {
          CHECK(report.ok());
          break;
        }
        if (!report.ok()) {
          ++failed;
          CHECK(report.error().stage == Stage::kIo);
          // Whoever reads "fold_failed" is told that the new signature is there.
          if (std::string_view(report.error().code) == "fold_failed") CHECK(scene.SignedBy(second));
        }
        REQUIRE(Sign(scene.path, second, At(kNow)).ok());
        CHECK(scene.SignedBy(first));
        CHECK(scene.SignedBy(second));
      }
      CHECK(failed >= 4);
    }
  }
}

TEST_CASE("faults: after a power cut before any writing call, what had been synced is the old or the new state") {
  for (const Placement placement : {Placement::kKeep, Placement::kDetached}) {
    int old_states = 0;
    int new_states = 0;
    for (int n = 1;; ++n) {
      REQUIRE(n < kMostCalls);
      CAPTURE(n);
      const SecretKey first = NewKey();
      const SecretKey second = NewKey();
      const Scene scene(first);
      const TestFolder target;
      const bool cut = DurableAfterCut(scene, second, placement, n, target);
      const std::string path = target / "m.safemodel";
      CHECK(CodeOf(Verify(path, Trusting({first.public_key()}))) == "ok");
      const bool fresh = CodeOf(Verify(path, Trusting({second.public_key()}))) == "ok";
      (fresh ? new_states : old_states) += 1;
      if (cut) continue;
      CHECK(fresh);
      break;
    }
    CHECK(old_states >= 3);
    CHECK(new_states >= 1);
  }
}

}  // namespace safemodel::trust
