// SPDX-License-Identifier: Apache-2.0
#include "input_file.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace safemodel::cli {
namespace {

Error SystemRefused(const char* code, const char* text, const std::string& path) {
  const int number = errno;
  return {Stage::kIo, code, text, kNoOffset, path + ": " + std::error_code(number, std::generic_category()).message()};
}

}  // namespace

Result<std::string> ReadInputFile(const std::string& path, std::size_t most) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (file == nullptr)
    return SystemRefused(errno == ENOENT ? "not_found" : "open_failed", "the file cannot be opened", path);
  std::string bytes(most + 1, '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  if (std::ferror(file.get()) != 0) return SystemRefused("read_failed", "the file cannot be read", path);
  return bytes;
}

}  // namespace safemodel::cli
