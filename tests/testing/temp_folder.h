// SPDX-License-Identifier: Apache-2.0
// A folder for one test, and whole files as strings.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace safemodel::testing {

// TempFolder is removed with everything in it.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "safemodel-test-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  // Path returns the path of `name` in the folder.
  [[nodiscard]] std::string Path(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string ReadText(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline void WriteText(const std::string& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  REQUIRE(stream.good());
}

// CorpusPath returns a path in the corpus of public test data, or nothing (after a message) when it is not there.
inline std::string CorpusPath(const std::string& name) {
  const char* source = std::getenv("SAFEMODEL_SOURCE_DIR");
  const std::string path = std::string(source != nullptr ? source : ".") + "/../shared/corpus/" + name;
  if (std::filesystem::exists(path)) return path;
  MESSAGE("skipped: the corpus has no " << name);
  return {};
}

}  // namespace safemodel::testing
