// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/try.h"

namespace safemodel {
namespace {

FileState StateOf(const struct stat& status) {
  return {{static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino)},
          static_cast<std::uint64_t>(status.st_size),
          status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec,
          status.st_ctim.tv_sec,
          status.st_ctim.tv_nsec};
}

Error AlreadyExists(const std::string& path) {
  return {Stage::kUsage, "exists", "the output exists already; use --force to replace it", kNoOffset, path};
}

constexpr std::uint64_t kCopyBytes = 1u << 20;

// LinksAreMissing tells a system that makes no hard links, or none of this kind, from one where a link failed: FAT and
// many network and user-space file systems, sandboxes that forbid them (EACCES), a missing /proc (ENOENT).
bool LinksAreMissing(int error) {
  return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EACCES || error == ENOENT;
}

// RefuseLink names the file behind a link that was not to be followed, or returns `error` when there is none.
Error RefuseLink(const std::string& path, const Error& error) {
  std::error_code failure;
  const auto target = std::filesystem::canonical(path, failure);
  if (failure) return error;
  return {Stage::kIo, error.code, "this is a link; name the file that it leads to", kNoOffset,
          path + " leads to " + target.string()};
}

}  // namespace

std::string FolderOf(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

Status SyncFolder(const std::string& path) {
  const Descriptor descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.valid() && fsync(descriptor.get()) == 0) return {};
  return SystemError("write_failed", "the folder could not be written to disk", path);
}

bool WriteFully(int fd, std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return true;
}

bool TryLock(int fd) {
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

bool IsNamed(int fd, int folder, const std::string& name) {
  struct stat self {};
  struct stat named {};
  return fstat(fd, &self) == 0 && fstatat(folder, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         StateOf(self).identity == StateOf(named).identity;
}

Error UnsyncedError(Unsynced outcome, const std::string& path) {
  switch (outcome) {
    case Unsynced::kTakenBack: break;
    case Unsynced::kOthers:
      return SystemError(
          "write_failed",
          "the folder could not be written to disk, and something else has the name of the output by now", path);
    case Unsynced::kInPlace:
      return SystemError("not_durable",
                         "the output is complete and in its place, but its folder could not be written to disk: it may "
                         "not survive a power cut",
                         path);
  }
  return SystemError("write_failed", "the folder could not be written to disk; the output was removed", path);
}

Error SystemError(const char* code, const char* text, const std::string& path) {
  const int number = errno;
  return {Stage::kIo, code, text, kNoOffset, path + ": " + std::error_code(number, std::generic_category()).message()};
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Descriptor::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

File::File(Descriptor descriptor, FileState state, std::string path)
    : descriptor_(std::move(descriptor)), state_(state), path_(std::move(path)) {}

Result<std::shared_ptr<const File>> File::Open(const std::string& path, Access access, Links links) {
  // O_NONBLOCK: opening a FIFO without a writer must not hang; it is refused below.
  int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  flags |= access == Access::kReadWrite ? O_RDWR : O_RDONLY;
  if (links == Links::kRefuse) flags |= O_NOFOLLOW;
  Descriptor descriptor(open(path.c_str(), flags));
  if (!descriptor.valid()) {
    const bool is_link = errno == ELOOP && links == Links::kRefuse;
    const Error error = SystemError(errno == ENOENT ? "not_found" : "open_failed", "the file cannot be opened", path);
    return is_link ? RefuseLink(path, error) : error;
  }
  return FromDescriptor(std::move(descriptor), path);
}

Result<std::shared_ptr<const File>> File::FromDescriptor(Descriptor descriptor, const std::string& path) {
  struct stat status {};
  if (fstat(descriptor.get(), &status) != 0) return SystemError("open_failed", "the file cannot be examined", path);
  if (!S_ISREG(status.st_mode)) return Error{Stage::kIo, "not_regular", "this is not a regular file", kNoOffset, path};
  return std::make_shared<const File>(std::move(descriptor), StateOf(status), path);
}

Status File::ReadAt(std::uint64_t offset, MutableBytes out) const {
  if (offset > state_.size || out.size() > state_.size - offset) {
    return Error{Stage::kIo, "truncated", "a read leaves the file", offset, path_};
  }
  SAFEMODEL_TRY(CheckStop(path_));
  while (!out.empty()) {
    const ssize_t n = pread(descriptor_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("read_failed", "the file cannot be read", path_);
    if (n == 0) return Error{Stage::kIo, "truncated", "the file became shorter while it was read", offset, path_};
    out = out.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status File::CheckUnchanged() const {
  struct stat status {};
  if (fstat(descriptor_.get(), &status) != 0) return SystemError("read_failed", "the file cannot be examined", path_);
  if (StateOf(status) == state_) return {};
  return Error{Stage::kIo, "changed", "the file changed while it was read; try again", kNoOffset, path_};
}

Status CheckOnlyOwnerWrites(const File& file) {
  struct stat status {};
  if (fstat(file.descriptor(), &status) != 0)
    return SystemError("open_failed", "the file cannot be examined", file.path());
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return Error{Stage::kConfig, "writable_by_others",
               "others may write to this file, so it cannot say what is trusted; use chmod go-w", kNoOffset,
               file.path()};
}

Result<std::optional<FileIdentity>> IdentityOf(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0) return std::optional(StateOf(status).identity);
  if (errno == ENOENT) return std::optional<FileIdentity>();
  return SystemError("open_failed", "the file cannot be examined", path);
}

Result<OutputFile> OutputFile::Create(const std::string& path, Overwrite overwrite, unsigned mode) {
  OutputFile file;
  file.path_ = path;
  file.name_ = NameOf(path);
  file.overwrite_ = overwrite;
  const std::string folder = FolderOf(path);
  file.folder_ = Descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.folder_.valid()) return SystemError("open_failed", "the folder of the output cannot be opened", folder);
  struct stat status {};
  if (fstatat(file.folder_.get(), file.name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(status.st_mode))
      return Error{Stage::kIo, "not_regular", "the output is not a regular file", kNoOffset, path};
    if (overwrite == Overwrite::kRefuse) return AlreadyExists(path);
  }
  file.descriptor_ = Descriptor(openat(file.folder_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
  if (!file.descriptor_.valid()) {  // not every file system has O_TMPFILE
    SAFEMODEL_TRY(file.temporary_.Draw(path));
    file.descriptor_ = Descriptor(openat(file.folder_.get(), file.temporary_.text().c_str(),
                                         O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, mode));
  }
  if (!file.descriptor_.valid()) {
    file.temporary_.clear();
    return SystemError("open_failed", "the output cannot be created", path);
  }
  return file;
}

OutputFile::~OutputFile() {
  if (descriptor_.valid() && !temporary_.empty()) unlinkat(folder_.get(), temporary_.text().c_str(), 0);
}

Status OutputFile::Append(ByteView bytes) {
  SAFEMODEL_TRY(CheckStop(path_));
  if (!WriteFully(descriptor_.get(), size_, bytes)) return NotWritten();
  size_ += bytes.size();
  return {};
}

Result<std::uint64_t> OutputFile::Extend(std::uint64_t bytes) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  const std::uint64_t begin = size_;
  if (bytes > kMost - begin || ftruncate(descriptor_.get(), static_cast<off_t>(begin + bytes)) != 0) {
    return SystemError("write_failed", "the output could not be made longer", path_);
  }
  size_ = begin + bytes;
  return begin;
}

Status OutputFile::WriteAt(std::uint64_t offset, ByteView bytes) {
  if (offset > size_ || bytes.size() > size_ - offset)
    return Error{Stage::kInternal, "internal", "a patch leaves the output"};
  SAFEMODEL_TRY(CheckStop(path_));
  return WriteFully(descriptor_.get(), offset, bytes) ? Status() : NotWritten();
}

Result<std::shared_ptr<const File>> OutputFile::Reader() const {
  Descriptor copy(fcntl(descriptor_.get(), F_DUPFD_CLOEXEC, 0));
  struct stat status {};
  if (!copy.valid() || fstat(copy.get(), &status) != 0)
    return SystemError("open_failed", "the output cannot be read", path_);
  return std::make_shared<const File>(std::move(copy), StateOf(status), path_);
}

Status OutputFile::Sync() const {
  if (fsync(descriptor_.get()) == 0) return {};
  return SystemError("write_failed", "the output could not be written to disk", path_);
}

Error OutputFile::NotWritten() const { return SystemError("write_failed", "the output could not be written", path_); }

Error OutputFile::NotNamed() const { return SystemError("write_failed", "the output could not be named", path_); }

Status OutputFile::Commit() {
  SAFEMODEL_TRY(CheckStop(path_));
  SAFEMODEL_TRY(Sync());
  if (overwrite_ == Overwrite::kReplace) {
    SAFEMODEL_TRY(TakeTemporaryName());
    SAFEMODEL_TRY(Rename(folder_.get(), name_));
  } else {
    SAFEMODEL_TRY(TakeNewName(folder_.get(), name_));
  }
  if (fsync(folder_.get()) != 0) return NotSynced();
  return {};
}

Status OutputFile::CommitTo(int folder, const std::string& name) {
  SAFEMODEL_TRY(Sync());
  return TakeNewName(folder, name);
}

bool OutputFile::LinkNameless(int folder, const std::string& name) const {
  const std::string self = "/proc/self/fd/" + std::to_string(descriptor_.get());
  return linkat(AT_FDCWD, self.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

// TakeNewName gives the file a name unless something has it. A link does that everywhere where there are hard links,
// and a rename with a flag on most other file systems.
Status OutputFile::TakeNewName(int folder, const std::string& name) {
  if (temporary_.empty()) {
    if (LinkNameless(folder, name)) return {};
    if (errno == EEXIST) return AlreadyExists(path_);
    if (!LinksAreMissing(errno)) return NotNamed();
    SAFEMODEL_TRY(CopyToTemporary());
  }
  if (linkat(folder_.get(), temporary_.text().c_str(), folder, name.c_str(), 0) == 0) {
    unlinkat(folder_.get(), temporary_.text().c_str(), 0);
    temporary_.clear();
    return {};
  }
  if (errno == EEXIST) return AlreadyExists(path_);
  if (!LinksAreMissing(errno)) return NotNamed();
  if (renameat2(folder_.get(), temporary_.text().c_str(), folder, name.c_str(), RENAME_NOREPLACE) == 0) {
    temporary_.clear();
    return {};
  }
  if (errno == EEXIST) return AlreadyExists(path_);
  if (errno != EINVAL && !LinksAreMissing(errno)) return NotNamed();
  return ReserveName(folder, name);
}

// ReserveName is for file systems that have neither: it takes the name with an empty file, which only one process can
// make, and replaces that one. Whoever puts another file there meanwhile keeps it, but for the moment between the look
// and the rename.
Status OutputFile::ReserveName(int folder, const std::string& name) {
  const Descriptor place(openat(folder, name.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600));
  if (!place.valid()) return errno == EEXIST ? AlreadyExists(path_) : NotNamed();
  if (!IsNamed(place.get(), folder, name)) return AlreadyExists(path_);
  Status renamed = Rename(folder, name);
  if (!renamed.ok()) unlinkat(folder, name.c_str(), 0);
  return renamed;
}

// TakeTemporaryName: a nameless file can be linked but not renamed. To replace another one it first needs a name.
Status OutputFile::TakeTemporaryName() {
  if (!temporary_.empty()) return {};
  UnfinishedName drawn;
  SAFEMODEL_TRY(drawn.Draw(path_));
  if (LinkNameless(folder_.get(), drawn.text())) {
    temporary_ = std::move(drawn);
    return {};
  }
  return LinksAreMissing(errno) ? CopyToTemporary() : Status(NotNamed());
}

// CopyToTemporary makes a file with a temporary name of a nameless one that cannot be linked: without hard links, or
// without /proc. What Reader returned before goes on reading the nameless one, which has the same bytes.
Status OutputFile::CopyToTemporary() {
  struct stat status {};
  if (fstat(descriptor_.get(), &status) != 0)
    return SystemError("write_failed", "the output cannot be examined", path_);
  UnfinishedName drawn;
  SAFEMODEL_TRY(drawn.Draw(path_));
  Descriptor copy(openat(folder_.get(), drawn.text().c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC,
                         status.st_mode & 0777));
  if (!copy.valid()) return SystemError("open_failed", "the output cannot be created", path_);
  const Descriptor nameless = std::exchange(descriptor_, std::move(copy));
  temporary_ = std::move(drawn);
  ByteBuffer block(static_cast<std::size_t>(std::min<std::uint64_t>(size_, kCopyBytes)));
  for (std::uint64_t offset = 0; offset < size_;) {
    const ssize_t n = pread(nameless.get(), block.data(), block.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return SystemError("write_failed", "the output could not be copied", path_);
    SAFEMODEL_TRY(CheckStop(path_));
    const auto read = static_cast<std::size_t>(n);
    if (!WriteFully(descriptor_.get(), offset, ByteView(block).first(read))) return NotWritten();
    offset += read;
  }
  return Sync();
}

// Rename replaces what has the name.
Status OutputFile::Rename(int folder, const std::string& name) {
  if (renameat(folder_.get(), temporary_.text().c_str(), folder, name.c_str()) != 0) return NotNamed();
  temporary_.clear();
  return {};
}

// NotSynced takes a new name back. After it replaced a file there is nothing to go back to.
Error OutputFile::NotSynced() const {
  const int reason = errno;
  Unsynced outcome = Unsynced::kTakenBack;
  if (!IsNamed(descriptor_.get(), folder_.get(), name_)) {
    outcome = Unsynced::kOthers;
  } else if (overwrite_ == Overwrite::kReplace || unlinkat(folder_.get(), name_.c_str(), 0) != 0) {
    outcome = Unsynced::kInPlace;
  }
  errno = reason;
  return UnsyncedError(outcome, path_);
}

}  // namespace safemodel
