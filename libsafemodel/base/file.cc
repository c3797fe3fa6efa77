// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/random.h>
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
          status.st_mtim.tv_nsec};
}

Error AlreadyExists(const std::string& path) {
  return {Stage::kUsage, "exists", "the output exists already; use --force to replace it", kNoOffset, path};
}

Status WriteFully(int fd, std::uint64_t offset, ByteView bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return SystemError("write_failed", "the output could not be written", path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
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

std::string TemporaryName() {
  std::array<std::uint8_t, 8> random{};
  // A collision is caught by O_EXCL, so a short read only makes one more likely.
  if (getrandom(random.data(), random.size(), 0) < 0) random[0] = static_cast<std::uint8_t>(getpid());
  std::string name = ".safemodel-";
  for (const std::uint8_t byte : random) {
    constexpr const char* kHex = "0123456789abcdef";
    name += kHex[byte >> 4];
    name += kHex[byte & 15];
  }
  return name + ".tmp";
}

Status SyncFolder(const std::string& path) {
  const Descriptor descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.valid() && fsync(descriptor.get()) == 0) return {};
  return SystemError("write_failed", "the folder could not be written to disk", path);
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
    file.temporary_ = TemporaryName();
    file.descriptor_ = Descriptor(
        openat(file.folder_.get(), file.temporary_.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, mode));
  }
  if (!file.descriptor_.valid()) {
    file.temporary_.clear();
    return SystemError("open_failed", "the output cannot be created", path);
  }
  return file;
}

OutputFile::~OutputFile() {
  if (descriptor_.valid() && !temporary_.empty()) unlinkat(folder_.get(), temporary_.c_str(), 0);
}

Status OutputFile::Append(ByteView bytes) {
  SAFEMODEL_TRY(WriteFully(descriptor_.get(), size_, bytes, path_));
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
  return WriteFully(descriptor_.get(), offset, bytes, path_);
}

Result<std::shared_ptr<const File>> OutputFile::Reader() const {
  Descriptor copy(fcntl(descriptor_.get(), F_DUPFD_CLOEXEC, 0));
  struct stat status {};
  if (!copy.valid() || fstat(copy.get(), &status) != 0)
    return SystemError("open_failed", "the output cannot be read", path_);
  return std::make_shared<const File>(std::move(copy), StateOf(status), path_);
}

Status OutputFile::Commit() {
  if (fsync(descriptor_.get()) != 0)
    return SystemError("write_failed", "the output could not be written to disk", path_);
  SAFEMODEL_TRY(TakeName());
  if (fsync(folder_.get()) != 0) return NotSynced();
  return {};
}

Status OutputFile::TakeName() {
  const bool replace = overwrite_ == Overwrite::kReplace;
  if (temporary_.empty()) {
    // A nameless file can be linked but not renamed: to replace, it first gets a temporary name.
    const std::string target = replace ? TemporaryName() : name_;
    const std::string self = "/proc/self/fd/" + std::to_string(descriptor_.get());
    if (linkat(AT_FDCWD, self.c_str(), folder_.get(), target.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      if (!replace) return {};
      temporary_ = target;
    } else {
      if (errno == EEXIST) return AlreadyExists(path_);
      if (!LinksAreMissing(errno)) return SystemError("write_failed", "the output could not be named", path_);
      SAFEMODEL_TRY(CopyToTemporary());
    }
  }
  return replace ? Replace() : TakeNewName();
}

// TakeNewName gives the temporary file its name unless there is such a file. A link does that everywhere where there
// are hard links, and a rename with a flag on most other file systems.
Status OutputFile::TakeNewName() {
  if (linkat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str(), 0) == 0) {
    unlinkat(folder_.get(), temporary_.c_str(), 0);
    temporary_.clear();
    return {};
  }
  if (errno == EEXIST) return AlreadyExists(path_);
  if (!LinksAreMissing(errno)) return SystemError("write_failed", "the output could not be named", path_);
  if (renameat2(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str(), RENAME_NOREPLACE) == 0) {
    temporary_.clear();
    return {};
  }
  if (errno == EEXIST) return AlreadyExists(path_);
  if (errno != EINVAL && !LinksAreMissing(errno))
    return SystemError("write_failed", "the output could not be named", path_);
  return ReserveName();
}

// ReserveName is for file systems that have neither: it takes the name with an empty file, which only one process can
// make, and replaces that one. Whoever puts another file there meanwhile keeps it, but for the moment between the look
// and the rename.
Status OutputFile::ReserveName() {
  struct stat reserved {};
  struct stat named {};
  const Descriptor place(
      openat(folder_.get(), name_.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600));
  if (!place.valid() && errno == EEXIST) return AlreadyExists(path_);
  if (!place.valid() || fstat(place.get(), &reserved) != 0)
    return SystemError("write_failed", "the output could not be named", path_);
  if (fstatat(folder_.get(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      StateOf(named).identity != StateOf(reserved).identity) {
    return AlreadyExists(path_);
  }
  Status replaced = Replace();
  if (!replaced.ok()) unlinkat(folder_.get(), name_.c_str(), 0);
  return replaced;
}

Status OutputFile::Replace() {
  if (renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0) {
    return SystemError("write_failed", "the output could not be named", path_);
  }
  temporary_.clear();
  return {};
}

// CopyToTemporary makes a file with a temporary name of a nameless one that cannot be linked: without hard links, or
// without /proc. What Reader returned before goes on reading the nameless one, which has the same bytes.
Status OutputFile::CopyToTemporary() {
  struct stat status {};
  if (fstat(descriptor_.get(), &status) != 0)
    return SystemError("write_failed", "the output cannot be examined", path_);
  const std::string temporary = TemporaryName();
  Descriptor copy(openat(folder_.get(), temporary.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC,
                         status.st_mode & 0777));
  if (!copy.valid()) return SystemError("open_failed", "the output cannot be created", path_);
  const Descriptor nameless = std::exchange(descriptor_, std::move(copy));
  temporary_ = temporary;
  ByteBuffer block(static_cast<std::size_t>(std::min<std::uint64_t>(size_, kCopyBytes)));
  for (std::uint64_t offset = 0; offset < size_;) {
    const ssize_t n = pread(nameless.get(), block.data(), block.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return SystemError("write_failed", "the output could not be copied", path_);
    const auto read = static_cast<std::size_t>(n);
    SAFEMODEL_TRY(WriteFully(descriptor_.get(), offset, ByteView(block).first(read), path_));
    offset += read;
  }
  if (fsync(descriptor_.get()) != 0)
    return SystemError("write_failed", "the output could not be written to disk", path_);
  return {};
}

bool OutputFile::HasName() const {
  struct stat self {};
  struct stat named {};
  return fstat(descriptor_.get(), &self) == 0 &&
         fstatat(folder_.get(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         StateOf(self).identity == StateOf(named).identity;
}

// NotSynced takes a new name back. After it replaced a file there is nothing to go back to.
Error OutputFile::NotSynced() const {
  Error error = SystemError("write_failed", "the folder could not be written to disk; the output was removed", path_);
  if (!HasName()) {
    error.text = "the folder could not be written to disk, and another file has the name of the output by now";
  } else if (overwrite_ == Overwrite::kReplace || unlinkat(folder_.get(), name_.c_str(), 0) != 0) {
    error.code = "not_durable";
    error.text =
        "the output is complete and in its place, but its folder could not be written to disk: it may not survive a "
        "power cut";
  }
  return error;
}

Status OutputFile::CommitTo(int folder, const std::string& name) {
  if (fsync(descriptor_.get()) != 0)
    return SystemError("write_failed", "the output could not be written to disk", path_);
  const std::string self = "/proc/self/fd/" + std::to_string(descriptor_.get());
  const int linked = temporary_.empty() ? linkat(AT_FDCWD, self.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW)
                                        : linkat(folder_.get(), temporary_.c_str(), folder, name.c_str(), 0);
  if (linked != 0) return SystemError("write_failed", "the output could not be named", path_);
  if (!temporary_.empty()) unlinkat(folder_.get(), temporary_.c_str(), 0);
  temporary_.clear();
  return {};
}

}  // namespace safemodel
