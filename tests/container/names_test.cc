// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "container/fixture.h"
#include "container/names.h"
#include "container/paths.h"

namespace safemodel::container {
namespace {

std::string Repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("tensor names: UTF-8 without controls") {
  const std::string good[] = {
      "a", "layer.0/weight", "~i0", "..", "/", "\xC3\xA9", "\xF0\x9F\x98\x80", std::string(4096, 'n'), "__metadata__"};
  for (const std::string& name : good) CHECK(CheckTensorName(name, {}).ok());
  const std::string bad[] = {"",     "a\nb",         "\x1B[2J",  "\x7F",    "\xC2\x9B", std::string("a\0", 2),
                             "\xFF", "\xED\xA0\x80", "\xC0\x80", "\xE2\x82"};
  for (const std::string& name : bad) CheckRefused(CheckTensorName(name, {}), Stage::kMalformed, "bad_tensor_name");
  CheckRefused(CheckTensorName(std::string(4097, 'n'), {}), Stage::kLimit, "long_tensor_name");
}

TEST_CASE("file paths: harmless ones are accepted") {
  const std::string good[] = {"a",
                              "a/b.txt",
                              ".hidden",
                              "a b/c",
                              "..a",
                              "a..b",
                              "...x",
                              "console",
                              "com",
                              "com10.txt",
                              "nulled",
                              "x.nul",
                              ".github/x",
                              ".gitignore",
                              "git",
                              "a/.gitx",
                              "\xC3\xA9"
                              "t\xC3\xA9",
                              "COM0",
                              std::string(255, 'c'),
                              Repeat("a/", 31) + "a"};
  for (const std::string& path : good) {
    CAPTURE(path);
    CHECK(CheckFilePath(path, {}).ok());
  }
}

TEST_CASE("file paths: the others are refused") {
  const std::string bad[] = {"",
                             "/",
                             "/a",
                             "//h/s",
                             "a//b",
                             "a/",
                             "./a",
                             "a/.",
                             "..",
                             "a/../b",
                             "../a",
                             "a\\b",
                             "C:x",
                             "a:b",
                             "a\nb",
                             "\x7F",
                             "\xC2\x85",
                             "a.",
                             "a ",
                             "a./b",
                             "a /b",
                             "CON",
                             "nul",
                             "nul.txt",
                             "Aux.a.b",
                             "prn",
                             "COM1",
                             "lpt9.x",
                             "x/Con/y",
                             "NUL .txt",
                             "com\xC2\xB9",
                             "CONIN$",
                             "conout$.log",
                             "\xFF",
                             "\xED\xA0\x80",
                             std::string("a\0b", 3)};
  for (const std::string& path : bad) {
    CAPTURE(path);
    CheckRefused(CheckFilePath(path, {}), Stage::kMalformed, "bad_path");
  }
  CheckRefused(CheckFilePath(Repeat("a/", 32) + "a", {}), Stage::kLimit, "deep_path");
  CheckRefused(CheckFilePath("x/" + std::string(256, 'c'), {}), Stage::kLimit, "long_path_component");
  CheckRefused(CheckFilePath(std::string(100000, '/'), {}), Stage::kLimit, "deep_path");
  for (const std::string path : {".git", ".git/hooks/post-checkout", "a/.GIT/config", ".Git", "GIT~1/config"}) {
    CheckRefused(CheckFilePath(path, {}), Stage::kUnsafe, "git_folder");
  }
}

TEST_CASE("file paths: no two meet") {
  const std::vector<std::vector<std::string_view>> apart = {{},
                                                            {"a"},
                                                            {"a", "b"},
                                                            {"a/b", "a/c"},
                                                            {"a", "a.b", "a-b/c"},
                                                            {"ab", "a/b"},
                                                            {"A/x", "a/y"},
                                                            {"\xC3\xA9", "e\xCC\x81"}};
  for (const auto& paths : apart) CHECK(CheckPathsApart(paths).ok());
  const std::vector<std::vector<std::string_view>> meeting = {
      {"a", "a"},     {"a", "A"},      {"README", "b", "readme"}, {"a", "a/b"}, {"a", "a-b", "a.b", "a/b"},
      {"A", "a/b/c"}, {"x/Y", "x/y/z"}};
  for (const auto& paths : meeting) CheckRefused(CheckPathsApart(paths), Stage::kMalformed, "paths_meet");
}

}  // namespace safemodel::container
