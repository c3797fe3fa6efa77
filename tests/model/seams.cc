// SPDX-License-Identifier: Apache-2.0
// The functions of libsodium and of the C library are defined here again, so that the library's calls come through this
// file; they do what they always do.
#include "model/seams.h"
#include "testing/creation_mode.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace safemodel::seams {
namespace {

std::mutex mutex;
Recorded recorded;
std::function<void(ByteView)> watcher;
std::function<void(std::string_view)> open_watcher;
std::atomic<bool> folder_syncs_fail{false};

using Aead = int(unsigned char*, unsigned long long*, const unsigned char*, unsigned long long, const unsigned char*,
                 unsigned long long, const unsigned char*, const unsigned char*, const unsigned char*);
using AeadOpen = int(unsigned char*, unsigned long long*, unsigned char*, const unsigned char*, unsigned long long,
                     const unsigned char*, unsigned long long, const unsigned char*, const unsigned char*);

template <typename Function>
Function* Real(const char* name) {
  auto* found = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
  if (found == nullptr) std::abort();
  return found;
}

void RecordSealed(const unsigned char* nonce, const unsigned char* key) {
  KeyAndNonce pair;
  // Masked, and not as the test does that looks for keys in memory: its copies must not become keys.
  std::transform(key, key + pair.first.size(), pair.first.begin(),
                 [](unsigned char byte) { return static_cast<std::uint8_t>(byte ^ 0xA7); });
  std::copy_n(nonce, pair.second.size(), pair.second.begin());
  const std::lock_guard lock(mutex);
  if (!recorded.sealed.insert(pair).second) ++recorded.repeated;
}

void Look(const void* bytes, std::size_t size) {
  const std::lock_guard lock(mutex);
  if (watcher) watcher(ByteView(static_cast<const std::uint8_t*>(bytes), size));
}

}  // namespace

void Reset() {
  const std::lock_guard lock(mutex);
  recorded = {};
}

Recorded Take() {
  const std::lock_guard lock(mutex);
  return recorded;
}

Watch::Watch(std::function<void(ByteView)> look) {
  const std::lock_guard lock(mutex);
  watcher = std::move(look);
}

Watch::~Watch() {
  const std::lock_guard lock(mutex);
  watcher = nullptr;
}

WatchOpens::WatchOpens(std::function<void(std::string_view)> look) { open_watcher = std::move(look); }
WatchOpens::~WatchOpens() { open_watcher = nullptr; }

FailFolderSyncs::FailFolderSyncs() { folder_syncs_fail.store(true); }
FailFolderSyncs::~FailFolderSyncs() { folder_syncs_fail.store(false); }

}  // namespace safemodel::seams

extern "C" {

int crypto_aead_xchacha20poly1305_ietf_encrypt(unsigned char* sealed, unsigned long long* sealed_size,
                                               const unsigned char* plain, unsigned long long plain_size,
                                               const unsigned char* associated, unsigned long long associated_size,
                                               const unsigned char* unused, const unsigned char* nonce,
                                               const unsigned char* key) {
  static auto* real = safemodel::seams::Real<safemodel::seams::Aead>("crypto_aead_xchacha20poly1305_ietf_encrypt");
  safemodel::seams::RecordSealed(nonce, key);
  return real(sealed, sealed_size, plain, plain_size, associated, associated_size, unused, nonce, key);
}

int crypto_aead_xchacha20poly1305_ietf_decrypt(unsigned char* plain, unsigned long long* plain_size,
                                               unsigned char* unused, const unsigned char* sealed,
                                               unsigned long long sealed_size, const unsigned char* associated,
                                               unsigned long long associated_size, const unsigned char* nonce,
                                               const unsigned char* key) {
  static auto* real = safemodel::seams::Real<safemodel::seams::AeadOpen>("crypto_aead_xchacha20poly1305_ietf_decrypt");
  {
    const std::lock_guard lock(safemodel::seams::mutex);
    ++safemodel::seams::recorded.opened;
  }
  return real(plain, plain_size, unused, sealed, sealed_size, associated, associated_size, nonce, key);
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  safemodel::seams::Look(bytes, size);
  return syscall(SYS_pwrite64, file, bytes, size, offset);
}

ssize_t write(int file, const void* bytes, size_t size) {
  safemodel::seams::Look(bytes, size);
  return syscall(SYS_write, file, bytes, size);
}

int openat(int folder, const char* name, int flags, ...) {
  if (safemodel::seams::open_watcher) safemodel::seams::open_watcher(name);
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = safemodel::testing::CreationMode(flags, arguments);
  va_end(arguments);
  return static_cast<int>(syscall(SYS_openat, folder, name, flags, mode));
}

int fsync(int file) {
  struct stat status {};
  if (safemodel::seams::folder_syncs_fail.load() && fstat(file, &status) == 0 && S_ISDIR(status.st_mode)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fsync, file));
}

}  // extern "C"
