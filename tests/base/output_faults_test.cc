// SPDX-License-Identifier: Apache-2.0
// How a file or a folder gets its name where the file system lacks hard links, nameless files or renames with flags,
// and what is left when a step of it fails. The calls of this program pass through the functions below, which let them
// fail.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <filesystem>
#include <functional>
#include <string>

#include "base/cursor.h"
#include "base/file.h"
#include "base/output_folder.h"
#include "testing/creation_mode.h"
#include "testing/temp_folder.h"

namespace safemodel {
namespace {

// Faults holds the errno of each call that is to fail; 0 lets it through.
struct Faults {
  int tmpfile = 0;
  int link = 0;
  int rename = 0;
  int rename_flags = 0;
  int sync_folder = 0;
  int synced_folders = 0;  // how many may be synced before that fails
  std::function<void()> before_sync = {};
};

Faults faults;  // NOLINT: the wrapped calls have no other way to see it

bool Fails(int error) {
  if (error != 0) errno = error;
  return error != 0;
}

template <typename Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace safemodel

// NOLINTBEGIN(readability-identifier-naming): the names are the C library's.
extern "C" {
int openat(int folder, const char* name, int flags, ...) {
  if ((flags & O_TMPFILE) == O_TMPFILE && safemodel::Fails(safemodel::faults.tmpfile)) return -1;
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = safemodel::testing::CreationMode(flags, arguments);
  va_end(arguments);
  return safemodel::Real<int (*)(int, const char*, int, ...)>("openat")(folder, name, flags, mode);
}
int fsync(int fd) {
  struct stat status {};
  if (safemodel::faults.sync_folder != 0 && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) &&
      safemodel::faults.synced_folders-- == 0) {
    if (safemodel::faults.before_sync) safemodel::faults.before_sync();
    safemodel::Fails(safemodel::faults.sync_folder);
    return -1;
  }
  return safemodel::Real<int (*)(int)>("fsync")(fd);
}
int linkat(int from, const char* old_name, int to, const char* new_name, int flags) noexcept {
  if (safemodel::Fails(safemodel::faults.link)) return -1;
  return safemodel::Real<int (*)(int, const char*, int, const char*, int)>("linkat")(from, old_name, to, new_name,
                                                                                     flags);
}
int renameat(int from, const char* old_name, int to, const char* new_name) noexcept {
  if (safemodel::Fails(safemodel::faults.rename)) return -1;
  return safemodel::Real<int (*)(int, const char*, int, const char*)>("renameat")(from, old_name, to, new_name);
}
int renameat2(int from, const char* old_name, int to, const char* new_name, unsigned flags) noexcept {
  if (safemodel::Fails(safemodel::faults.rename_flags)) return -1;
  return safemodel::Real<int (*)(int, const char*, int, const char*, unsigned)>("renameat2")(from, old_name, to,
                                                                                             new_name, flags);
}
}
// NOLINTEND(readability-identifier-naming)

namespace safemodel {
namespace {

using testing::ReadText;
using testing::TempFolder;
using testing::WriteText;

// Injected sets faults until the end of its scope.
class Injected {
 public:
  explicit Injected(Faults wanted) { faults = std::move(wanted); }
  Injected(const Injected&) = delete;
  Injected& operator=(const Injected&) = delete;
  ~Injected() { faults = {}; }
};

std::size_t EntriesOf(const TempFolder& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator()));
}

// LongText is longer than what is copied at a time.
std::string LongText() { return std::string((1u << 20) + 7, 'x') + "end"; }

// Written returns an output that is complete but for its name.
OutputFile Written(const std::string& path, OutputFile::Overwrite overwrite, unsigned mode = 0666) {
  auto output = OutputFile::Create(path, overwrite, mode);
  REQUIRE(output.ok());
  REQUIRE(output.value().Append(AsBytes(LongText())).ok());
  return std::move(output).value();
}

template <typename Outcome>
void CheckRefused(const Outcome& outcome, Stage stage, const std::string& code) {
  REQUIRE_FALSE(outcome.ok());
  CHECK(StageName(outcome.error().stage) == StageName(stage));
  CHECK(std::string(outcome.error().code) == code);
}

struct System {
  const char* name;
  Faults faults;
};

// Every combination of what a file system may lack.
const System kSystems[] = {
    {"everything works", {}},
    {"no nameless files", {.tmpfile = EOPNOTSUPP}},
    {"no hard links", {.link = EPERM}},
    {"no hard links, another errno", {.link = EOPNOTSUPP}},
    {"no hard links, unknown to the kernel", {.link = ENOSYS}},
    {"links are forbidden", {.link = EACCES}},
    {"no /proc", {.link = ENOENT}},
    {"no nameless files, no hard links", {.tmpfile = EOPNOTSUPP, .link = EPERM}},
    {"no hard links, no renames with flags", {.link = EPERM, .rename_flags = EINVAL}},
    {"nothing but plain renames", {.tmpfile = EISDIR, .link = EOPNOTSUPP, .rename_flags = ENOSYS}},
};

}  // namespace

TEST_CASE("output: gets a new name on every file system, and nothing else is left") {
  for (const System& system : kSystems) {
    CAPTURE(system.name);
    for (const auto overwrite : {OutputFile::Overwrite::kRefuse, OutputFile::Overwrite::kReplace}) {
      const TempFolder folder;
      const Injected injected(system.faults);
      OutputFile output = Written(folder.Path("out"), overwrite, 0640);
      const auto reader = output.Reader();
      REQUIRE(reader.ok());
      CHECK_FALSE(std::filesystem::exists(folder.Path("out")));
      const Status named = output.Commit();
      REQUIRE_MESSAGE(named.ok(), named.error().subject);
      CHECK(ReadText(folder.Path("out")) == LongText());
      CHECK(EntriesOf(folder) == 1);
      struct stat status {};
      REQUIRE(stat(folder.Path("out").c_str(), &status) == 0);
      CHECK((status.st_mode & 07777u) == 0640u);
      ByteBuffer end(3);
      CHECK(reader.value()->ReadAt(LongText().size() - 3, end).ok());
      CHECK(AsText(end) == "end");
    }
  }
}

TEST_CASE("output: an existing name is never taken without being asked, on any file system") {
  for (const System& system : kSystems) {
    CAPTURE(system.name);
    const TempFolder folder;
    const Injected injected(system.faults);
    OutputFile output = Written(folder.Path("out"), OutputFile::Overwrite::kRefuse);
    WriteText(folder.Path("out"), "theirs");
    CheckRefused(output.Commit(), Stage::kUsage, "exists");
    CHECK(ReadText(folder.Path("out")) == "theirs");
    OutputFile moved = std::move(output);
    { const OutputFile gone = std::move(moved); }
    CHECK(EntriesOf(folder) == 1);
  }
}

TEST_CASE("output: a failing step leaves what was there before, and nothing else") {
  struct Row {
    const char* name;
    Faults faults;
    OutputFile::Overwrite overwrite;
  };
  const Row rows[] = {
      {"a link fails", {.link = EIO}, OutputFile::Overwrite::kRefuse},
      {"a link fails, with a temporary name", {.tmpfile = EOPNOTSUPP, .link = ENOSPC}, OutputFile::Overwrite::kRefuse},
      {"a rename fails", {.rename = EIO}, OutputFile::Overwrite::kReplace},
      {"no links and a rename fails", {.link = EPERM, .rename = EIO}, OutputFile::Overwrite::kReplace},
      {"no links and a rename with flags fails", {.link = EPERM, .rename_flags = EIO}, OutputFile::Overwrite::kRefuse},
      {"a rename over the reserved name fails",
       {.link = EPERM, .rename = EIO, .rename_flags = EINVAL},
       OutputFile::Overwrite::kRefuse},
      {"a new name cannot be synced", {.sync_folder = EIO}, OutputFile::Overwrite::kRefuse},
      {"a renamed one cannot be synced", {.link = EPERM, .sync_folder = EIO}, OutputFile::Overwrite::kRefuse},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const TempFolder folder;
    const bool replace = row.overwrite == OutputFile::Overwrite::kReplace;
    if (replace) WriteText(folder.Path("out"), "old");
    {
      const Injected injected(row.faults);
      OutputFile output = Written(folder.Path("out"), row.overwrite);
      CheckRefused(output.Commit(), Stage::kIo, "write_failed");
    }
    CHECK(EntriesOf(folder) == (replace ? 1u : 0u));
    if (replace) CHECK(ReadText(folder.Path("out")) == "old");
  }
}

TEST_CASE("output: a replacement whose folder cannot be synced is in place, and the error says so") {
  const TempFolder folder;
  WriteText(folder.Path("out"), "old");
  const Injected injected({.sync_folder = EIO});
  OutputFile output = Written(folder.Path("out"), OutputFile::Overwrite::kReplace);
  const Status kept = output.Commit();
  CheckRefused(kept, Stage::kIo, "not_durable");
  CHECK(std::string(kept.error().text).find("complete and in its place") != std::string::npos);
  CHECK(kept.error().subject.starts_with(folder.Path("out")));
  CHECK(ReadText(folder.Path("out")) == LongText());
  CHECK(EntriesOf(folder) == 1);
}

TEST_CASE("output: a name that somebody else took before the sync failed stays theirs") {
  for (const auto overwrite : {OutputFile::Overwrite::kRefuse, OutputFile::Overwrite::kReplace}) {
    const TempFolder folder;
    WriteText(folder.Path("theirs"), "theirs");
    const Injected injected({.sync_folder = EIO, .before_sync = [&] {
                               std::filesystem::rename(folder.Path("theirs"), folder.Path("out"));
                             }});
    OutputFile output = Written(folder.Path("out"), overwrite);
    CheckRefused(output.Commit(), Stage::kIo, "write_failed");
    CHECK(ReadText(folder.Path("out")) == "theirs");
    CHECK(EntriesOf(folder) == 1);
  }
}

TEST_CASE("output: gets a name in another folder on every file system") {
  for (const System& system : kSystems) {
    CAPTURE(system.name);
    const TempFolder folder;
    std::filesystem::create_directory(folder.Path("inner"));
    const Descriptor inner(open(folder.Path("inner").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Injected injected(system.faults);
    OutputFile output = Written(folder.Path("out"), OutputFile::Overwrite::kRefuse);
    const Status named = output.CommitTo(inner.get(), "file");
    REQUIRE_MESSAGE(named.ok(), named.error().subject);
    CHECK(ReadText(folder.Path("inner/file")) == LongText());
    CHECK(EntriesOf(folder) == 1);
    OutputFile other = Written(folder.Path("out"), OutputFile::Overwrite::kReplace);
    CheckRefused(other.CommitTo(inner.get(), "file"), Stage::kUsage, "exists");
    { const OutputFile gone = std::move(other); }
    CHECK(EntriesOf(folder) == 1);
  }
}

namespace {

// Filled returns a folder that is complete but for its name, with a file that was written elsewhere.
OutputFolder Filled(const TempFolder& folder) {
  auto output = OutputFolder::Create(folder.Path("out"));
  REQUIRE(output.ok());
  OutputFile file = Written(folder.Path("out"), OutputFile::Overwrite::kRefuse);
  const Status adopted = output.value().Adopt(file, "adopted");
  REQUIRE_MESSAGE(adopted.ok(), adopted.error().subject);
  REQUIRE(output.value().AddFile("a/b/added", [](const auto& append) { return append(AsBytes("text")); }).ok());
  return std::move(output).value();
}

}  // namespace

TEST_CASE("output folder: gets its name on every file system, and nothing else is left") {
  for (const System& system : kSystems) {
    CAPTURE(system.name);
    const TempFolder folder;
    const Injected injected(system.faults);
    OutputFolder output = Filled(folder);
    CHECK_FALSE(std::filesystem::exists(folder.Path("out")));
    REQUIRE(output.Commit().ok());
    CHECK(ReadText(folder.Path("out/adopted")) == LongText());
    CHECK(ReadText(folder.Path("out/a/b/added")) == "text");
    CHECK(EntriesOf(folder) == 1);
  }
}

TEST_CASE("output folder: a failing step leaves nothing") {
  constexpr int kOwnFolders = 3;  // "a", "a/b" and the folder itself
  struct Row {
    const char* name;
    Faults faults;
  };
  const Row rows[] = {
      {"a folder in it cannot be synced", {.sync_folder = EIO}},
      {"the folder cannot be synced", {.sync_folder = EIO, .synced_folders = kOwnFolders - 1}},
      {"the folder around it cannot be synced", {.sync_folder = EIO, .synced_folders = kOwnFolders}},
      {"it cannot be renamed", {.rename_flags = EIO}},
      {"it cannot be renamed, with or without flags", {.rename = EIO, .rename_flags = EINVAL}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const TempFolder folder;
    {
      OutputFolder output = Filled(folder);
      const Injected injected(row.faults);
      CheckRefused(output.Commit(), Stage::kIo, "write_failed");
    }
    CHECK(EntriesOf(folder) == 0);
  }
}

TEST_CASE("output folder: one whose name cannot be taken back is in place, and the error says so") {
  const TempFolder folder;
  {
    OutputFolder output = Filled(folder);
    const Injected injected(
        {.sync_folder = EIO, .synced_folders = 3, .before_sync = [] { faults.rename_flags = EIO; }});
    const Status kept = output.Commit();
    CheckRefused(kept, Stage::kIo, "not_durable");
    CHECK(std::string(kept.error().text).find("complete and in its place") != std::string::npos);
    CHECK(kept.error().subject.starts_with(folder.Path("out")));
  }
  CHECK(ReadText(folder.Path("out/adopted")) == LongText());
  CHECK(ReadText(folder.Path("out/a/b/added")) == "text");
  CHECK(EntriesOf(folder) == 1);
}

TEST_CASE("output folder: a name that somebody else took before the sync failed stays theirs") {
  const TempFolder folder;
  std::filesystem::create_directory(folder.Path("theirs"));
  {
    OutputFolder output = Filled(folder);
    const Injected injected({.sync_folder = EIO, .synced_folders = 3, .before_sync = [&] {
                               std::filesystem::rename(folder.Path("out"), folder.Path("moved"));
                               std::filesystem::rename(folder.Path("theirs"), folder.Path("out"));
                             }});
    CheckRefused(output.Commit(), Stage::kIo, "write_failed");
  }
  CHECK(std::filesystem::is_empty(folder.Path("out")));
  CHECK(ReadText(folder.Path("moved/adopted")) == LongText());
}

}  // namespace safemodel
