// SPDX-License-Identifier: Apache-2.0
// A writer of a log that is killed before any of its calls, or whose disk fails: the log is the old one or the new one,
// and the next writer goes on. The writing calls of this program pass through the functions below.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "fixture.h"

namespace safemodel::log {
namespace {

struct Faults {
  int calls = 0;
  int at = 0;         // 0: nothing happens
  bool kill = false;  // the process ends before the call; otherwise the call fails, and all later ones
};

Faults faults;  // NOLINT: the wrapped calls have no other way to see it
constexpr int kKilled = 9;

bool Fails() {
  ++faults.calls;
  if (faults.at == 0 || faults.calls < faults.at) return false;
  if (faults.kill) _exit(kKilled);
  errno = ENOSPC;
  return true;
}

template <typename Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace safemodel::log

// NOLINTBEGIN(readability-identifier-naming): the names are the C library's.
extern "C" {
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  if (safemodel::log::Fails()) return -1;
  return safemodel::log::Real<decltype(&pwrite)>("pwrite")(fd, bytes, size, offset);
}
int fsync(int fd) {
  if (safemodel::log::Fails()) return -1;
  return fcntl(fd, F_GETFD) == -1
             ? -1
             : 0;  // a killed process loses nothing that was written, so nothing need reach the disk
}
int linkat(int from, const char* old_name, int to, const char* new_name, int flags) noexcept {
  if (safemodel::log::Fails()) return -1;
  return safemodel::log::Real<int (*)(int, const char*, int, const char*, int)>("linkat")(from, old_name, to, new_name,
                                                                                          flags);
}
int renameat(int from, const char* old_name, int to, const char* new_name) noexcept {
  if (safemodel::log::Fails()) return -1;
  return safemodel::log::Real<int (*)(int, const char*, int, const char*)>("renameat")(from, old_name, to, new_name);
}
int mkdir(const char* name, mode_t mode) noexcept {
  if (safemodel::log::Fails()) return -1;
  return safemodel::log::Real<int (*)(const char*, mode_t)>("mkdir")(name, mode);
}
int unlink(const char* name) noexcept {
  if (safemodel::log::Fails()) return -1;
  return safemodel::log::Real<int (*)(const char*)>("unlink")(name);
}
int rmdir(const char* name) noexcept {
  if (safemodel::log::Fails()) return -1;
  return safemodel::log::Real<int (*)(const char*)>("rmdir")(name);
}
}
// NOLINTEND(readability-identifier-naming)

namespace safemodel::log {
namespace {

constexpr int kMostCalls = 2000;

std::uint64_t SizeOf(const TestLog& log) {
  const auto verified = VerifyLog(log.path, log.trust);
  REQUIRE_MESSAGE(verified.ok(), CodeOf(verified));
  return verified.value().size;
}

// AppendIn appends in a child process. True when it ended by itself, with everything done.
bool AppendIn(const TestLog& log, std::uint64_t first, std::uint64_t count, Faults wanted) {
  const auto entries = NumberedEntries(first, count);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    faults = wanted;
    auto writer = LogWriter::Open(log.path, log.key, {});
    const bool done = writer.ok() && writer.value().Append(entries, log.key).ok();
    _exit(done ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status) == 0;
}

// Steps are growths of a log that touch different files: the first, one more, one that fills a tile.
struct Step {
  std::uint64_t before;
  std::uint64_t count;
};

}  // namespace

TEST_CASE("log faults: killed before any call, or with a full disk from there on: the old or the new log") {
  for (const bool kill : {true, false}) {
    for (const Step& step : {Step{0, 1}, Step{3, 2}, Step{254, 4}}) {
      int interrupted = 0;
      int grown = 0;
      bool ended = false;
      const TestLog log(step.before);
      const std::uint64_t size = step.before;
      const std::string saved = log.folder.Path("saved");
      std::filesystem::copy(log.path, saved, std::filesystem::copy_options::recursive);
      for (int n = 1; !ended; ++n) {
        REQUIRE(n < kMostCalls);
        CAPTURE(kill);
        CAPTURE(n);
        CAPTURE(step.before);
        // Removing partial tiles fails without harm; a call that fails then is not the end of the loop.
        ended = AppendIn(log, size, step.count, {0, n, kill});
        interrupted += ended ? 0 : 1;
        const std::uint64_t after = SizeOf(log);
        CHECK((after == size || after == size + step.count));
        if (ended) CHECK(after == size + step.count);
        grown += !ended && after != size ? 1 : 0;
        if (after == size) continue;
        // The old log again for the next call, so that each starts from the same state.
        if (ended) break;
        std::filesystem::remove_all(log.path);
        std::filesystem::copy(saved, log.path, std::filesystem::copy_options::recursive);
      }
      CHECK(interrupted >= 10);
      if (kill) CHECK(grown >= 1);
      log.Append(size + step.count, 1);
      CHECK(SizeOf(log) == size + step.count + 1);
    }
  }
}

}  // namespace safemodel::log
