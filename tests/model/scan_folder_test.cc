// SPDX-License-Identifier: Apache-2.0
// What a scan of a folder looks at, and what it says of the rest.
#include "model/scan_folder.h"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "testing/temp_folder.h"

namespace safemodel {
namespace {

std::vector<std::string> Shown(const std::string& folder, const ScanWalkLimits& limits) {
  const auto found = FindBelow(folder, limits);
  REQUIRE(found.ok());
  std::vector<std::string> shown;
  for (const FoundBelow& one : found.value()) {
    const std::string path = one.path == folder ? "." : one.path.substr(folder.size() + 1);
    shown.push_back(one.unread ? path + " " + one.unread->code : path);
  }
  return shown;
}

}  // namespace

TEST_CASE("scan folder: limits are told, and what lies in front of them is found") {
  const testing::TempFolder temp;
  const std::string folder = temp.path();
  std::filesystem::create_directories(folder + "/a/b");
  for (const char* name : {"/a/1", "/a/b/2", "/c"}) std::ofstream(folder + name) << "x";
  std::filesystem::create_directory_symlink("/", folder + "/d");
  using Paths = std::vector<std::string>;
  CHECK(Shown(folder, {}) == Paths{"a/1", "a/b/2", "c", "d FILE-LINK"});
  CHECK(Shown(folder, {.entries = 6, .depth = 3}) == Paths{"a/1", "a/b/2", "c", "d FILE-LINK"});
  CHECK(Shown(folder, {.entries = 6, .depth = 2}) == Paths{"a/1", "a/b LIMIT-DEPTH", "c", "d FILE-LINK"});
  // Links that lead back, wherever they begin, hide nothing.
  std::filesystem::create_directory_symlink(folder, folder + "/a/b/3");
  std::filesystem::create_directory_symlink("a/b/3/a/b", folder + "/e");
  CHECK(Shown(folder, {}) == Paths{"a/1", "a/b/2", "c", "d FILE-LINK"});
  CHECK(Shown(folder + "/a", {}) == Paths{"1", "b/2", "b/3 FILE-LINK"});
  const Paths few = Shown(folder, {.entries = 5});
  REQUIRE(!few.empty());
  CHECK(few.front() == ". LIMIT-COUNT");
  CHECK(FindBelow(folder + "/none").error().stage == Stage::kIo);
}

}  // namespace safemodel
