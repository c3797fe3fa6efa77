// SPDX-License-Identifier: Apache-2.0
#include "model/folder_walk.h"

#include "model/fixture.h"

namespace safemodel {
namespace {

std::string CodeOf(const Status& status) { return status.ok() ? "ok" : status.error().code; }

}  // namespace

TEST_CASE("folder walk: names in order, limits at their edge") {
  const TempFolder temp;
  std::filesystem::create_directories(temp.Path("in/b/.GIT"));
  for (const char* file : {"in/b/x", "in/b/.GIT/config", "in/a", "in/c"}) testing::WriteText(temp.Path(file), "");
  const auto opened = Folder::Open(temp.Path("in"));
  REQUIRE(opened.ok());
  std::vector<std::string> seen;
  const auto visit = [&](const WalkEntry& entry) -> Status {
    seen.push_back(entry.path + (entry.kind == WalkEntry::Kind::kFile ? "" : " passed over"));
    return {};
  };
  CHECK(CodeOf(WalkFolder(*opened.value(), {5, 2}, visit)) == "ok");
  CHECK(seen == std::vector<std::string>{"a", "b/.GIT passed over", "b/x", "c"});
  CHECK(CodeOf(WalkFolder(*opened.value(), {4, 2}, visit)) == "many_files");
  CHECK(CodeOf(WalkFolder(*opened.value(), {5, 1}, visit)) == "deep_folder");
  CHECK(CodeOf(WalkFolder(*opened.value(), {}, [](const WalkEntry&) -> Status {
          return Error{Stage::kLimit, "enough"};
        })) == "enough");
}

}  // namespace safemodel
