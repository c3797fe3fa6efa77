// SPDX-License-Identifier: Apache-2.0
#include "toml/read_file.h"

#include <utility>

#include "base/file.h"
#include "base/try.h"

namespace safemodel::toml {
namespace {

Error AsConfig(Error error) {
  error.stage = Stage::kConfig;
  return error;
}

Result<ByteBuffer> ReadWhole(const std::string& path, const Limits& limits) {
  SAFEMODEL_ASSIGN(const auto file, File::Open(path));
  SAFEMODEL_TRY(CheckOnlyOwnerWrites(*file));
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
