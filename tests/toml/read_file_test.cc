// SPDX-License-Identifier: Apache-2.0
#include "toml/read_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace safemodel::toml {
namespace {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "safemodel-toml-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string Write(const std::string& text, mode_t mode) const {
    const std::string path = path_ + "/policy.toml";
    std::ofstream(path, std::ios::binary) << text;
    REQUIRE(chmod(path.c_str(), mode) == 0);
    return path;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string CodeOf(const Result<Table>& result) {
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().stage == Stage::kConfig);
  return result.error().code;
}

TEST_CASE("toml: a file of one's own is read, errors name it") {
  const Folder folder;
  CHECK(ParseFile(folder.Write("a = 1\n", 0644)).value().RequiredInteger("a").value() == 1);
  CHECK(ParseFile(folder.Write("", 0400)).ok());
  const std::string path = folder.Write("a = \n", 0644);
  CHECK(ParseFile(path).error().subject.substr(0, path.size() + 3) == path + ":1:");
}

TEST_CASE("toml: files that cannot say what is trusted") {
  const Folder folder;
  CHECK(CodeOf(ParseFile(folder.path() + "/absent")) == "not_found");
  CHECK(CodeOf(ParseFile(folder.path())) == "not_regular");
  CHECK(CodeOf(ParseFile("/dev/null")) == "not_regular");
  CHECK(CodeOf(ParseFile(folder.Write("a = 1\n", 0664))) == "writable_by_others");
  CHECK(CodeOf(ParseFile(folder.Write("a = 1\n", 0646))) == "writable_by_others");
  CHECK(CodeOf(ParseFile(folder.Write(std::string((1 << 20) + 1, '\n'), 0644))) == "too_large");
}

TEST_CASE("toml: a FIFO without a writer does not hang") {
  const Folder folder;
  const std::string path = folder.path() + "/fifo";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  CHECK(CodeOf(ParseFile(path)) == "not_regular");
}

}  // namespace
}  // namespace safemodel::toml
