// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "base/cursor.h"

namespace safemodel {
namespace {

namespace fs = std::filesystem;

// Folder is an empty folder that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "safemodel-test-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void Write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

template <typename Outcome>
void CheckRefused(const Outcome& outcome, Stage stage, const std::string& code) {
  REQUIRE_FALSE(outcome.ok());
  CHECK(outcome.error().stage == stage);
  CHECK(std::string(outcome.error().code) == code);
}

Result<OutputFile> Create(const std::string& path, OutputFile::Overwrite overwrite = OutputFile::Overwrite::kRefuse) {
  return OutputFile::Create(path, overwrite);
}

}  // namespace

TEST_CASE("file: reads by position, and nothing outside") {
  const Folder folder;
  Write(folder / "f", "0123456789");
  const auto file = File::Open(folder / "f");
  REQUIRE(file.ok());
  CHECK(file.value()->size() == 10);
  ByteBuffer out(4);
  REQUIRE(file.value()->ReadAt(6, out).ok());
  CHECK(AsText(out) == "6789");
  CheckRefused(file.value()->ReadAt(7, out), Stage::kIo, "truncated");
  CheckRefused(file.value()->ReadAt(11, {}), Stage::kIo, "truncated");
  CheckRefused(file.value()->ReadAt(~0ull, out), Stage::kIo, "truncated");
  CHECK(file.value()->ReadAt(10, {}).ok());
}

TEST_CASE("file: what is no regular file is refused without waiting") {
  const Folder folder;
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CheckRefused(File::Open(folder / "fifo"), Stage::kIo, "not_regular");
  CheckRefused(File::Open(folder.path()), Stage::kIo, "not_regular");
  CheckRefused(File::Open("/dev/zero"), Stage::kIo, "not_regular");
  CheckRefused(File::Open(folder / "missing"), Stage::kIo, "not_found");
  REQUIRE(symlink("loop", (folder / "loop").c_str()) == 0);
  CheckRefused(File::Open(folder / "loop"), Stage::kIo, "open_failed");
  const int socket_fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (folder / "s").c_str(), sizeof(address.sun_path) - 1);
  REQUIRE(bind(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  CheckRefused(File::Open(folder / "s"), Stage::kIo, "open_failed");
  close(socket_fd);
}

TEST_CASE("file: links are followed unless refused") {
  const Folder folder;
  Write(folder / "f", "text");
  REQUIRE(symlink("f", (folder / "link").c_str()) == 0);
  CHECK(File::Open(folder / "link").ok());
  CheckRefused(File::Open(folder / "link", File::Access::kRead, File::Links::kRefuse), Stage::kIo, "open_failed");
}

TEST_CASE("file: a change after open is seen, and a shorter file is no silent end") {
  const Folder folder;
  Write(folder / "f", "0123456789");
  const auto file = File::Open(folder / "f");
  REQUIRE(file.ok());
  CHECK(file.value()->CheckUnchanged().ok());
  fs::resize_file(folder / "f", 4);
  CheckRefused(file.value()->CheckUnchanged(), Stage::kIo, "changed");
  ByteBuffer out(8);
  CheckRefused(file.value()->ReadAt(0, out), Stage::kIo, "truncated");
}

TEST_CASE("file: a change is seen although its author sets the time of change back") {
  const Folder folder;
  Write(folder / "f", "0123456789");
  const auto file = File::Open(folder / "f");
  REQUIRE(file.ok());
  struct stat before {};
  REQUIRE(stat((folder / "f").c_str(), &before) == 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the clock of a file system is coarse
  {
    std::fstream writer(folder / "f", std::ios::binary | std::ios::in | std::ios::out);
    writer << "abc";
  }
  const timespec times[2] = {before.st_atim, before.st_mtim};
  REQUIRE(utimensat(AT_FDCWD, (folder / "f").c_str(), times, 0) == 0);
  CheckRefused(file.value()->CheckUnchanged(), Stage::kIo, "changed");
}

TEST_CASE("file: to be read is no change") {
  const Folder folder;
  Write(folder / "f", "0123456789");
  const auto file = File::Open(folder / "f");
  REQUIRE(file.ok());
  ByteBuffer out(10);
  REQUIRE(file.value()->ReadAt(0, out).ok());
  CHECK(Read(folder / "f") == "0123456789");
  CHECK(file.value()->CheckUnchanged().ok());
}

TEST_CASE("file: what was opened is read, whatever becomes of the name") {
  const Folder folder;
  Write(folder / "f", "first");
  const auto file = File::Open(folder / "f");
  REQUIRE(file.ok());
  Write(folder / "g", "other");
  fs::rename(folder / "g", folder / "f");
  ByteBuffer out(5);
  REQUIRE(file.value()->ReadAt(0, out).ok());
  CHECK(AsText(out) == "first");
}

TEST_CASE("file: identity tells names of one file") {
  const Folder folder;
  Write(folder / "f", "x");
  Write(folder / "g", "x");
  fs::create_hard_link(folder / "f", folder / "hard");
  REQUIRE(symlink("f", (folder / "soft").c_str()) == 0);
  const auto identity = [&](const char* name) {
    auto result = IdentityOf(folder / name);
    REQUIRE(result.ok());
    return result.value();
  };
  CHECK(identity("f") == identity("hard"));
  CHECK(identity("f") == identity("soft"));
  CHECK(identity("f") != identity("g"));
  CHECK_FALSE(identity("missing").has_value());
}

TEST_CASE("output: has no name before it is complete") {
  const Folder folder;
  auto output = Create(folder / "out");
  REQUIRE(output.ok());
  REQUIRE(output.value().Append(AsBytes("hello world")).ok());
  REQUIRE(output.value().WriteAt(0, AsBytes("J")).ok());
  CHECK_FALSE(fs::exists(folder / "out"));
  const auto reader = output.value().Reader();
  REQUIRE(reader.ok());
  REQUIRE(output.value().Commit().ok());
  CHECK(Read(folder / "out") == "Jello world");
  CHECK(folder.entries() == 1);
  ByteBuffer out(5);
  REQUIRE(reader.value()->ReadAt(0, out).ok());
  CHECK(AsText(out) == "Jello");
}

TEST_CASE("output: given up, it leaves nothing") {
  const Folder folder;
  Write(folder / "out", "old");
  {
    auto fresh = Create(folder / "new");
    REQUIRE(fresh.ok());
    REQUIRE(fresh.value().Append(AsBytes("half")).ok());
    auto replacing = Create(folder / "out", OutputFile::Overwrite::kReplace);
    REQUIRE(replacing.ok());
    REQUIRE(replacing.value().Append(AsBytes("half")).ok());
  }
  CHECK(folder.entries() == 1);
  CHECK(Read(folder / "out") == "old");
}

TEST_CASE("output: replaces only when asked to") {
  const Folder folder;
  Write(folder / "out", "old");
  CheckRefused(Create(folder / "out"), Stage::kUsage, "exists");
  auto output = Create(folder / "out", OutputFile::Overwrite::kReplace);
  REQUIRE(output.ok());
  REQUIRE(output.value().Append(AsBytes("new")).ok());
  CHECK(Read(folder / "out") == "old");
  REQUIRE(output.value().Commit().ok());
  CHECK(Read(folder / "out") == "new");
  CHECK(folder.entries() == 1);
}

TEST_CASE("output: a name taken meanwhile is not overwritten") {
  const Folder folder;
  auto output = Create(folder / "out");
  REQUIRE(output.ok());
  REQUIRE(output.value().Append(AsBytes("mine")).ok());
  Write(folder / "out", "theirs");
  CheckRefused(output.value().Commit(), Stage::kUsage, "exists");
  CHECK(Read(folder / "out") == "theirs");
}

TEST_CASE("output: never through a link, never over what is no file") {
  const Folder folder;
  Write(folder / "target", "precious");
  REQUIRE(symlink("target", (folder / "link").c_str()) == 0);
  CheckRefused(Create(folder / "link", OutputFile::Overwrite::kReplace), Stage::kIo, "not_regular");
  fs::create_directory(folder / "sub");
  CheckRefused(Create(folder / "sub", OutputFile::Overwrite::kReplace), Stage::kIo, "not_regular");
  CheckRefused(Create(folder / "missing/out"), Stage::kIo, "open_failed");
  CHECK(Read(folder / "target") == "precious");
}

TEST_CASE("output: mode is 0666 less the umask, or as stated, never executable") {
  const Folder folder;
  const mode_t old = umask(027);
  for (const auto& [name, mode, expected] : {std::tuple{"open", 0666u, 0640u}, std::tuple{"key", 0600u, 0600u}}) {
    auto output = OutputFile::Create(folder / name, OutputFile::Overwrite::kRefuse, mode);
    REQUIRE(output.ok());
    REQUIRE(output.value().Commit().ok());
    struct stat status {};
    REQUIRE(stat((folder / name).c_str(), &status) == 0);
    CHECK((status.st_mode & 07777u) == expected);
  }
  umask(old);
}

TEST_CASE("output: moved, it is still the same file") {
  const Folder folder;
  auto created = Create(folder / "out", OutputFile::Overwrite::kReplace);
  REQUIRE(created.ok());
  OutputFile output = std::move(created).value();
  REQUIRE(output.Append(AsBytes("a")).ok());
  OutputFile moved = std::move(output);
  REQUIRE(moved.Append(AsBytes("b")).ok());
  CHECK(moved.size() == 2);
  REQUIRE(moved.Commit().ok());
  CHECK(Read(folder / "out") == "ab");
  CHECK(folder.entries() == 1);
}

TEST_CASE("output: bytes can be changed only where there are some") {
  const Folder folder;
  auto output = Create(folder / "out");
  REQUIRE(output.ok());
  REQUIRE(output.value().Append(AsBytes("abc")).ok());
  CHECK_FALSE(output.value().WriteAt(2, AsBytes("xy")).ok());
  CHECK_FALSE(output.value().WriteAt(~0ull, AsBytes("x")).ok());
}

TEST_CASE("source: memory and slices read within their bounds") {
  const SharedSource memory = MakeMemorySource({'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'});
  const auto slice = MakeSliceSource(memory, 2, 5);
  REQUIRE(slice.ok());
  CHECK(slice.value()->size() == 5);
  ByteBuffer out(3);
  REQUIRE(slice.value()->ReadAt(2, out).ok());
  CHECK(AsText(out) == "456");
  CheckRefused(slice.value()->ReadAt(3, out), Stage::kIo, "truncated");
  CheckRefused(slice.value()->ReadAt(~0ull, out), Stage::kIo, "truncated");
  CheckRefused(memory->ReadAt(8, out), Stage::kIo, "truncated");
  const auto inner = MakeSliceSource(slice.value(), 1, 2);
  REQUIRE(inner.ok());
  ByteBuffer two(2);
  REQUIRE(inner.value()->ReadAt(0, two).ok());
  CHECK(AsText(two) == "34");
  CheckRefused(MakeSliceSource(memory, 8, 3), Stage::kMalformed, "outside_source");
  CheckRefused(MakeSliceSource(memory, 11, 0), Stage::kMalformed, "outside_source");
  CheckRefused(MakeSliceSource(memory, ~0ull, 2), Stage::kMalformed, "outside_source");
}

TEST_CASE("source: a range is compared with its limit, then with the source") {
  const SharedSource memory = MakeMemorySource(ByteBuffer(10, 7));
  CHECK(ReadRange(*memory, 2, 8, 8).value() == ByteBuffer(8, 7));
  CheckRefused(ReadRange(*memory, 2, 8, 7), Stage::kLimit, "too_large");
  CheckRefused(ReadRange(*memory, 0, ~0ull, 100), Stage::kLimit, "too_large");
  CheckRefused(ReadRange(*memory, 0, 11, 100), Stage::kIo, "truncated");
  CheckRefused(ReadRange(*memory, ~0ull, 2, 100), Stage::kIo, "truncated");
}

TEST_CASE("source: one file read by many threads") {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 100000; ++i) text += static_cast<char>('a' + i % 26);
  Write(folder / "f", text);
  const auto file = File::Open(folder / "f");
  REQUIRE(file.ok());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      ByteBuffer out(1000);
      for (std::uint64_t i = 0; i < 99; ++i) {
        const std::uint64_t offset = (i * 37 + t * 11) % 99 * 1000;
        if (!file.value()->ReadAt(offset, out).ok() || AsText(out) != std::string_view(text).substr(offset, 1000))
          ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace safemodel
