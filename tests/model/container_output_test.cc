// SPDX-License-Identifier: Apache-2.0
#include "model/container_output.h"

#include "model/fixture.h"
#include "model/seams.h"

namespace safemodel {
namespace {

using testing::ReadText;
using testing::WriteText;

ContainerOutput Replacing(const std::string& path) {
  auto output = ContainerOutput::Create(path, OutputFile::Overwrite::kReplace, {});
  REQUIRE(output.ok());
  REQUIRE(output.value().file().Append(AsBytes("new")).ok());
  return std::move(output).value();
}

}  // namespace

TEST_CASE("container output: the envelope of what it replaces goes away") {
  const TempFolder folder;
  WriteText(folder.Path("m"), "old");
  WriteText(folder.Path("m.envelope"), "old");
  CHECK(Code(Replacing(folder.Path("m")).Commit()) == "ok");
  CHECK(ReadText(folder.Path("m")) == "new");
  CHECK_FALSE(std::filesystem::exists(folder.Path("m.envelope")));
}

TEST_CASE("container output: an old envelope is not left beside a new core whose name may not last") {
  const TempFolder folder;
  WriteText(folder.Path("m"), "old");
  WriteText(folder.Path("m.envelope"), "old");
  ContainerOutput output = Replacing(folder.Path("m"));
  const seams::FailFolderSyncs failing;
  CHECK(Code(output.Commit()) == "not_durable");
  CHECK(ReadText(folder.Path("m")) == "new");
  CHECK_FALSE(std::filesystem::exists(folder.Path("m.envelope")));
}

TEST_CASE("container output: the envelope stays when the new core does not get its name") {
  const TempFolder folder;
  ContainerOutput output = Replacing(folder.Path("m"));
  std::filesystem::create_directory(folder.Path("m"));  // no file can replace it
  WriteText(folder.Path("m.envelope"), "theirs");
  CHECK(Code(output.Commit()) == "write_failed");
  CHECK(ReadText(folder.Path("m.envelope")) == "theirs");
}

}  // namespace safemodel
