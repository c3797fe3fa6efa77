// SPDX-License-Identifier: Apache-2.0
#include "cli/last_words.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

namespace {

bool memory_is_gone = false;  // NOLINT: the replaced operators have no other way to see it

}  // namespace

// NOLINTBEGIN(misc-new-delete-overloads): as in a process without memory; what is left frees with free.
void* operator new(std::size_t size) {
  if (memory_is_gone) std::abort();
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
// NOLINTEND(misc-new-delete-overloads)

namespace safemodel::cli {
namespace {

std::string TextOf(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

struct Said {
  int code;
  std::string out;
  std::string log;
};

template <typename Exception>
Said Say(Output output, const Exception& exception) {
  std::FILE* out = std::tmpfile();
  std::FILE* log = std::tmpfile();
  REQUIRE(out != nullptr);
  REQUIRE(log != nullptr);
  int code = 0;
  try {
    throw exception;
  } catch (...) {
    memory_is_gone = true;
    code = ReportException(output, out, log);
    memory_is_gone = false;
  }
  return {code, TextOf(out), TextOf(log)};
}

}  // namespace

TEST_CASE("last words: want of memory is exit code 4, with a document if one is asked for") {
  const Said json = Say(Output::kJson, std::bad_alloc());
  CHECK(json.code == 4);
  CHECK(json.out ==
        "{\n  \"ok\": false,\n  \"stage\": \"io\",\n  \"code\": \"out_of_memory\",\n  \"message\": \"out of memory\",\n"
        "  \"exit\": 4\n}\n");
  CHECK(json.log == "safemodel: out of memory (io: out_of_memory)\n");
  const Said text = Say(Output::kText, std::bad_alloc());
  CHECK(text.code == 4);
  CHECK(text.out.empty());
  CHECK(text.log == json.log);
}

TEST_CASE("last words: any other exception is a bug, and what it says cannot move a cursor") {
  const Said json = Say(Output::kJson, std::runtime_error("a\x1b[2Jb\n\xC3\xA4"));
  CHECK(json.code == 70);
  CHECK(json.out ==
        "{\n  \"ok\": false,\n  \"stage\": \"internal\",\n  \"code\": \"exception\",\n"
        "  \"message\": \"a bug in safemodel\",\n  \"exit\": 70\n}\n");
  CHECK(json.log == "safemodel: a bug: a?[2Jb??? (internal: exception)\n");
  const Said number = Say(Output::kText, 7);
  CHECK(number.code == 70);
  CHECK(number.out.empty());
  CHECK(number.log == "safemodel: a bug: an unknown exception (internal: exception)\n");
}

}  // namespace safemodel::cli
