// SPDX-License-Identifier: Apache-2.0
#include "base/folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/output_folder.h"
#include "testing/temp_folder.h"

namespace safemodel {
namespace {

namespace fs = std::filesystem;
using testing::ReadText;
using testing::TempFolder;
using testing::WriteText;

template <typename T>
std::string Outcome(const T& outcome) {
  return outcome.ok() ? "ok" : std::string(StageName(outcome.error().stage)) + " " + outcome.error().code;
}

// Snapshot is a folder "snap/rev" with "snap/../blobs", as the cache of the Hub lays them out.
struct Snapshot {
  Snapshot() {
    fs::create_directories(temp.Path("repo/snapshots/rev/sub"));
    fs::create_directories(temp.Path("repo/blobs"));
    WriteText(temp.Path("repo/blobs/abc"), "blob");
    WriteText(temp.Path("repo/secret"), "secret");
    auto opened = Folder::Open(temp.Path("repo/snapshots/rev"));
    REQUIRE(opened.ok());
    folder = std::move(opened).value();
  }
  void Link(const std::string& name, const std::string& target) const {
    REQUIRE(symlink(target.c_str(), temp.Path("repo/snapshots/rev/" + name).c_str()) == 0);
  }
  TempFolder temp;
  std::shared_ptr<const Folder> folder;
};

Status AddText(OutputFolder& folder, const std::string& path, const std::string& text) {
  return folder.AddFile(path, [&](const OutputFolder::Append& append) {
    return append(ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  });
}

}  // namespace

TEST_CASE("folder: files are opened below it, by plain names alone") {
  const Snapshot snapshot;
  WriteText(snapshot.temp.Path("repo/snapshots/rev/sub/x"), "inside");
  CHECK(Outcome(snapshot.folder->OpenFile("sub/x")) == "ok");
  for (const char* path : {"", ".", "..", "../secret", "sub/../sub/x", "./sub/x", "/etc/passwd", "sub//x", "sub/x/"}) {
    CAPTURE(path);
    CHECK(Outcome(snapshot.folder->OpenFile(path)) == "unsafe FILE-PATH");
  }
  CHECK(Outcome(snapshot.folder->OpenFile(std::string("sub/x\0y", 7))) == "unsafe FILE-PATH");
  CHECK(Outcome(snapshot.folder->OpenFile("missing")) == "io not_found");
  CHECK(Outcome(snapshot.folder->OpenFile("sub")) == "io not_regular");
}

TEST_CASE("folder: links are followed inside, and to the blobs of the Hub's cache") {
  const Snapshot snapshot;
  WriteText(snapshot.temp.Path("repo/snapshots/rev/x"), "inside");
  REQUIRE(symlink("/etc/passwd", snapshot.temp.Path("repo/blobs/onward").c_str()) == 0);
  struct Row {
    const char* name;
    const char* target;
    const char* expected;
  };
  const Row rows[] = {
      {"inside", "x", "ok"},
      {"dotted", "sub/.././x", "ok"},
      {"sub/up", "../x", "ok"},
      {"twice", "inside", "ok"},
      {"blob", "../../blobs/abc", "ok"},
      {"sub/blob", "../../../blobs/abc", "ok"},
      {"onward", "../../blobs/onward", "unsafe FILE-PATH"},
      {"nothing", "../../blobs/none", "io not_found"},
      {"sub/short", "../../blobs/abc", "unsafe FILE-PATH"},
      {"slash", "../../blobs/../secret", "unsafe FILE-PATH"},
      {"parent", "../../blobs/..", "unsafe FILE-PATH"},
      {"secret", "../../secret", "unsafe FILE-PATH"},
      {"sneaky", "sub/../../../secret", "unsafe FILE-PATH"},
      {"absolute", "/etc/passwd", "unsafe FILE-PATH"},
      {"folder", "sub", "io not_regular"},
      {"itself", "itself", "io link_loop"},
      {"ping", "pong", "io link_loop"},
      {"pong", "ping", "io link_loop"},
      {"tofolder", "sub/", "io not_regular"},
  };
  for (const Row& row : rows) snapshot.Link(row.name, row.target);
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(Outcome(snapshot.folder->OpenFile(row.name)) == row.expected);
  }
  // A link to a folder is not gone through either.
  CHECK(Outcome(snapshot.folder->OpenFile("folder/up")).substr(0, 2) == "io");
}

TEST_CASE("folder: what is listed, and what is neither file nor folder") {
  const Snapshot snapshot;
  REQUIRE(mkfifo(snapshot.temp.Path("repo/snapshots/rev/fifo").c_str(), 0600) == 0);
  snapshot.Link("link", "x");
  WriteText(snapshot.temp.Path("repo/snapshots/rev/a"), "");
  const auto entries = snapshot.folder->List("", 4);
  REQUIRE_MESSAGE(entries.ok(), entries.error().code);
  REQUIRE(entries.value().size() == 4);
  CHECK(entries.value()[0].kind == Folder::Kind::kFile);
  CHECK(entries.value()[1].kind == Folder::Kind::kOther);
  CHECK(entries.value()[2].kind == Folder::Kind::kLink);
  CHECK(entries.value()[3].kind == Folder::Kind::kFolder);
  CHECK(Outcome(snapshot.folder->List("", 3)) == "limit many_files");
  CHECK(Outcome(snapshot.folder->OpenFile("fifo")) == "io not_regular");  // and nobody waits for a writer
}

TEST_CASE("folder: a file that is open only while it is read, is the same each time") {
  const Snapshot snapshot;
  const std::string path = snapshot.temp.Path("repo/snapshots/rev/x");
  WriteText(path, "before");
  const auto file = FileBelow::Open(snapshot.folder, "x");
  REQUIRE(file.ok());
  CHECK(file.value()->size() == 6);
  ByteBuffer bytes(6);
  CHECK(file.value()->ReadAt(0, bytes).ok());
  CHECK(file.value()->CheckUnchanged().ok());
  WriteText(snapshot.temp.Path("other"), "behind");
  fs::rename(snapshot.temp.Path("other"), path);
  CHECK(Outcome(file.value()->ReadAt(0, bytes)) == "io changed");
  CHECK(Outcome(file.value()->CheckUnchanged()) == "io changed");
}

TEST_CASE("output folder: gets its name when it is complete") {
  const TempFolder temp;
  const mode_t before = umask(027);
  {
    auto folder = OutputFolder::Create(temp.Path("out"));
    REQUIRE(folder.ok());
    CHECK(AddText(folder.value(), "a/b/c", "text").ok());
    CHECK(AddText(folder.value(), "a/d", "").ok());
    CHECK_FALSE(fs::exists(temp.Path("out")));
    CHECK(folder.value().Commit().ok());
  }
  umask(before);
  CHECK(ReadText(temp.Path("out/a/b/c")) == "text");
  CHECK(fs::exists(temp.Path("out/a/d")));
  CHECK(fs::status(temp.Path("out/a/b/c")).permissions() == fs::perms(0640));
  CHECK(fs::status(temp.Path("out/a")).permissions() == fs::perms(0750));
  CHECK(std::distance(fs::directory_iterator(temp.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("output folder: nobody else may look in before it is complete") {
  const TempFolder temp;
  const mode_t before = umask(0);
  auto folder = OutputFolder::Create(temp.Path("out"));
  umask(before);
  REQUIRE(folder.ok());
  REQUIRE(AddText(folder.value(), "secret", "text").ok());
  const auto hidden = fs::directory_iterator(temp.path())->path();
  CHECK(fs::status(hidden).permissions() == fs::perms(0700));
  CHECK(folder.value().Commit().ok());
  CHECK_FALSE(fs::exists(hidden));
  CHECK(fs::status(temp.Path("out")).permissions() == fs::perms(0777));
}

TEST_CASE("output folder: nothing is left when it is not completed") {
  const TempFolder temp;
  {
    auto folder = OutputFolder::Create(temp.Path("out"));
    REQUIRE(folder.ok());
    CHECK(AddText(folder.value(), "a/b/c", "text").ok());
    CHECK(Outcome(AddText(folder.value(), "a/b/c", "again")) == "io write_failed");
    CHECK(Outcome(AddText(folder.value(), "a/b/c/d", "")) == "io open_failed");
    for (const char* path : {"../x", "/x", "a/../../x", "", "a//b"}) {
      CHECK(Outcome(AddText(folder.value(), path, "")) == "unsafe FILE-PATH");
    }
  }
  CHECK(fs::is_empty(temp.path()));
}

TEST_CASE("output folder: a name that is taken is refused, whoever took it and when") {
  const TempFolder temp;
  WriteText(temp.Path("file"), "");
  fs::create_directory(temp.Path("folder"));
  REQUIRE(symlink("nowhere", temp.Path("link").c_str()) == 0);
  REQUIRE(mkfifo(temp.Path("fifo").c_str(), 0600) == 0);
  CHECK(Outcome(OutputFolder::Create(temp.Path("file"))) == "usage exists");
  CHECK(Outcome(OutputFolder::Create(temp.Path("folder"))) == "usage exists");
  CHECK(Outcome(OutputFolder::Create(temp.Path("link"))) == "io not_regular");
  CHECK(Outcome(OutputFolder::Create(temp.Path("fifo"))) == "io not_regular");
  CHECK(Outcome(OutputFolder::Create(temp.Path("no/such"))) == "io open_failed");
  auto folder = OutputFolder::Create(temp.Path("late"));
  REQUIRE(folder.ok());
  fs::create_directory(temp.Path("late"));
  CHECK(Outcome(folder.value().Commit()) == "usage exists");
}

TEST_CASE("output folder: a folder that becomes a link leads nowhere") {
  const TempFolder temp;
  fs::create_directory(temp.Path("outside"));
  auto folder = OutputFolder::Create(temp.Path("out"));
  REQUIRE(folder.ok());
  REQUIRE(AddText(folder.value(), "a/first", "x").ok());
  std::string hidden;
  for (const auto& entry : fs::directory_iterator(temp.path())) {
    if (entry.path().filename().string().starts_with(".safemodel-")) hidden = (entry.path() / "folder").string();
  }
  REQUIRE_FALSE(hidden.empty());
  std::atomic<bool> stop = false;
  std::thread racer([&] {
    while (!stop) {
      rename((hidden + "/a").c_str(), (hidden + "/kept").c_str());
      if (symlink(temp.Path("outside").c_str(), (hidden + "/a").c_str()) == 0) unlink((hidden + "/a").c_str());
      rename((hidden + "/kept").c_str(), (hidden + "/a").c_str());
    }
  });
  std::size_t written = 0;
  for (int round = 0; round < 10000; ++round) {
    if (AddText(folder.value(), "a/" + std::to_string(round), "x").ok()) ++written;
  }
  stop = true;
  racer.join();
  CHECK(fs::is_empty(temp.Path("outside")));
  MESSAGE(written << " of 10000 files met the folder in place");
}

}  // namespace safemodel
