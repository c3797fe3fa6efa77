// SPDX-License-Identifier: Apache-2.0
// What must not stand in the sources of the parser.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

namespace fs = std::filesystem;

std::string TextOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// CheckAbsent returns the number of files looked at: a lint that finds no files proves nothing.
std::size_t CheckAbsent(const fs::path& folder, const std::string& suffix, const std::string& word) {
  std::size_t files = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != suffix) continue;
    ++files;
    CAPTURE(entry.path().string());
    CHECK(TextOf(entry.path()).find(word) == std::string::npos);
  }
  return files;
}

fs::path Sources() {
  const char* root = std::getenv("SAFEMODEL_SOURCE_DIR");
  return fs::path(root == nullptr ? "." : root) / "libsafemodel";
}

}  // namespace

TEST_CASE("sources: nobody searches an unsorted vector by halves") {
  // In a vector that is not in order it finds another entry than a scan does.
  CHECK(CheckAbsent(Sources(), ".cc", "LookupByKey") > 10);
  CHECK(CheckAbsent(Sources(), ".h", "LookupByKey") > 10);
}

TEST_CASE("schemas: no nested buffer, no union, no search key, no byte-wise enum") {
  // Nested buffers are verified with default limits; unions and keys would need checks of their own.
  for (const std::string word : {"nested_flatbuffer", "union ", "(key)", "enum "}) {
    CHECK(CheckAbsent(Sources() / "container", ".fbs", word) == 2);
  }
}
