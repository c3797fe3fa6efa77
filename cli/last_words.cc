// SPDX-License-Identifier: Apache-2.0
#include "last_words.h"

#include <exception>
#include <new>

#include "console.h"
#include "json_writer.h"

namespace safemodel::cli {
namespace {

constexpr const char* kOutOfMemory =
    "{\n  \"ok\": false,\n  \"stage\": \"io\",\n  \"code\": \"out_of_memory\",\n"
    "  \"message\": \"out of memory\",\n  \"exit\": 4\n}\n";
constexpr const char* kException =
    "{\n  \"ok\": false,\n  \"stage\": \"internal\",\n  \"code\": \"exception\",\n"
    "  \"message\": \"a bug in safemodel\",\n  \"exit\": 70\n}\n";
static_assert(kSystem == 4 && kBug == 70, "the documents above state the exit codes");

// PrintPlain keeps what a terminal shows as one plain line. EscapeForTerminal would need memory.
void PrintPlain(const char* text, std::FILE* log) {
  for (; *text != '\0'; ++text) std::fputc(*text >= ' ' && *text <= '~' ? *text : '?', log);
}

int Report(Output output, const char* document, int code, std::FILE* out) {
  if (output == Output::kJson && !JsonWriter::Begun()) std::fputs(document, out);
  std::fflush(out);
  return code;
}

}  // namespace

int ReportException(Output output, std::FILE* out, std::FILE* log) noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    std::fputs("safemodel: out of memory (io: out_of_memory)\n", log);
    return Report(output, kOutOfMemory, kSystem, out);
  } catch (const std::exception& error) {
    std::fputs("safemodel: a bug: ", log);
    PrintPlain(error.what(), log);
  } catch (...) {
    std::fputs("safemodel: a bug: an unknown exception", log);
  }
  std::fputs(" (internal: exception)\n", log);
  return Report(output, kException, kBug, out);
}

}  // namespace safemodel::cli
