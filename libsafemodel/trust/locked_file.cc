// SPDX-License-Identifier: Apache-2.0
#include "trust/locked_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/cursor.h"
#include "base/try.h"

namespace safemodel::trust {
namespace {

// Whoever holds the lock writes a small file and goes: one that is held for longer is stuck.
constexpr int kLockAttempts = 1000;
constexpr auto kLockPause = std::chrono::milliseconds(10);

Error Refuse(const char* code, const char* text, const std::string& path) {
  return {Stage::kConfig, code, text, kNoOffset, path};
}

}  // namespace

Result<std::shared_ptr<const File>> LockNamed(const std::string& path) {
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    // No link: replacing the name would leave the file that it points to as it is.
    auto file = File::Open(path, File::Access::kReadWrite, File::Links::kRefuse);
    if (!file.ok()) return file;
    if (TryLock(file.value()->descriptor())) {
      SAFEMODEL_ASSIGN(const auto named, IdentityOf(path));
      if (named == file.value()->state().identity) return file;
    } else if (errno == EWOULDBLOCK) {
      std::this_thread::sleep_for(kLockPause);
    } else {
      return SystemError("open_failed", "the file cannot be locked", path);
    }
  }
  return Refuse("locked", "another process holds the lock of this file", path);
}

Result<std::string> ReadOwned(const File& file, std::uint64_t most_bytes) {
  SAFEMODEL_TRY(CheckOnlyOwnerWrites(file));
  if (file.size() > most_bytes) return Refuse("too_large", "the file is larger than any of its kind", file.path());
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  SAFEMODEL_TRY(file.ReadAt(0, MutableBytes(reinterpret_cast<std::uint8_t*>(text.data()), text.size())));
  return text;
}

Status ReplaceFile(const File& locked, const std::string& text) {
  struct stat status {};
  if (fstat(locked.descriptor(), &status) != 0)
    return SystemError("open_failed", "the file cannot be examined", locked.path());
  SAFEMODEL_ASSIGN(OutputFile output,
                   OutputFile::Create(locked.path(), OutputFile::Overwrite::kReplace, status.st_mode & 0777));
  SAFEMODEL_TRY(output.Append(AsBytes(text)));
  return output.Commit();
}

}  // namespace safemodel::trust
