// SPDX-License-Identifier: Apache-2.0
#include "toml/read_file.h"

#include <sys/stat.h>

#include <utility>

#include "base/file.h"
#include "base/try.h"

namespace safemodel::toml {
namespace {

Error AsConfig(Error error) {
  error.stage = Stage::kConfig;
  return error;
}

// CheckMode looks at the file that was opened, so that no other can take its place in between.
Status CheckMode(const File& file) {
  struct stat status {};
  if (fstat(file.descriptor(), &status) != 0) {
    return SystemError("open_failed", "the file cannot be examined", file.path());
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return Error{Stage::kConfig, "writable_by_others",
               "others may write to this file, so it cannot say what is trusted; use chmod go-w", kNoOffset,
               file.path()};
}

Result<ByteBuffer> ReadWhole(const std::string& path, const Limits& limits) {
  SAFEMODEL_ASSIGN(const auto file, File::Open(path));
  SAFEMODEL_TRY(CheckMode(*file));
  if (file->size() > limits.bytes) {
    return Error{Stage::kConfig, "too_large", "this configuration is longer than its limit", kNoOffset, path};
  }
  SAFEMODEL_ASSIGN(ByteBuffer bytes, ReadRange(*file, 0, file->size(), limits.bytes));
  SAFEMODEL_TRY(file->CheckUnchanged());
  return bytes;
}

}  // namespace

Result<ByteBuffer> ReadFile(const std::string& path, const Limits& limits) {
  auto bytes = ReadWhole(path, limits);
  if (!bytes.ok()) return AsConfig(bytes.error());
  return bytes;
}

Result<Table> ParseFile(const std::string& path, const Limits& limits) {
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ReadFile(path, limits));
  return Parse(bytes, path, limits);
}

}  // namespace safemodel::toml
