// SPDX-License-Identifier: Apache-2.0
// Files: opened once, read by position, written under a temporary name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/source.h"
#include "base/stop.h"

namespace safemodel {

// Descriptor owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { Reset(); }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  void Reset();

 private:
  int fd_ = -1;
};

// FileIdentity tells whether two names are one file.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

// FileState is what a file looked like. Two equal states mean that nobody wrote to it in between, as far as a system
// tells: the time of change moves with every write, and no owner sets it back. What is not seen is a write within one
// tick of the file system's clock (some milliseconds), through a mapping before the system takes note, or after the
// clock was set back. A new name, owner or mode counts as a change too.
struct FileState {
  FileIdentity identity;
  std::uint64_t size = 0;
  std::int64_t modified_seconds = 0;
  std::int64_t modified_nanoseconds = 0;
  std::int64_t changed_seconds = 0;
  std::int64_t changed_nanoseconds = 0;
  bool operator==(const FileState&) const = default;
};

// File is a regular file opened for reading. Its size is the one at open. Safe to read from several threads.
class File final : public ByteSource {
 public:
  enum class Access : std::uint8_t { kRead, kReadWrite };
  enum class Links : std::uint8_t { kFollow, kRefuse };
  // Open refuses (kIo) what is not a regular file, without ever blocking. Codes: "not_found", "not_regular",
  // "open_failed".
  static Result<std::shared_ptr<const File>> Open(const std::string& path, Access access = Access::kRead,
                                                  Links links = Links::kFollow);
  // FromDescriptor takes over what was opened elsewhere, with O_NONBLOCK; `path` is for messages.
  static Result<std::shared_ptr<const File>> FromDescriptor(Descriptor descriptor, const std::string& path);

  File(Descriptor descriptor, FileState state, std::string path);
  [[nodiscard]] std::uint64_t size() const override { return state_.size; }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override;
  [[nodiscard]] const FileState& state() const { return state_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return descriptor_.get(); }
  // CheckUnchanged fails with kIo "changed" when size or times differ from those at open.
  [[nodiscard]] Status CheckUnchanged() const;

 private:
  Descriptor descriptor_;
  FileState state_;
  std::string path_;
};

// CheckOnlyOwnerWrites refuses (kConfig "writable_by_others") an open file that its group or everybody may write to:
// whoever may change what is trusted is trusted with everything. kIo.
Status CheckOnlyOwnerWrites(const File& file);

// IdentityOf returns the identity of what a path names, or nothing when there is no such file.
Result<std::optional<FileIdentity>> IdentityOf(const std::string& path);

// OutputFile is a new file that gets its name only when it is complete. Where the file system allows it has no name at
// all before (O_TMPFILE), so that even a killed process leaves nothing behind. Mode 0666 less the umask unless stated.
// Needs no hard links.
class OutputFile {
 public:
  enum class Overwrite : std::uint8_t { kRefuse, kReplace };
  // Create fails with kUsage "exists" when there is a file and overwrite is refused.
  static Result<OutputFile> Create(const std::string& path, Overwrite overwrite, unsigned mode = 0666);
  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) noexcept = default;
  ~OutputFile();

  // Append writes at the end.
  [[nodiscard]] Status Append(ByteView bytes);
  // Extend appends `bytes` zeros without writing them, and returns where they start.
  [[nodiscard]] Result<std::uint64_t> Extend(std::uint64_t bytes);
  // WriteAt overwrites bytes that are there already. Several threads may call it at once, on ranges that do not meet.
  [[nodiscard]] Status WriteAt(std::uint64_t offset, ByteView bytes);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Reader returns a source over what was written so far, valid after Commit too; Commit is a change of the file.
  [[nodiscard]] Result<std::shared_ptr<const File>> Reader() const;
  // Commit syncs the file, gives it its name and syncs the folder. After an error the name does not exist, or names
  // what it named before. One error is different: kIo "not_durable" says that the output is complete and has its name,
  // but that the folder could not be synced, so that a power cut may undo the naming. That is the answer where the name
  // could not be taken back, as when it replaced another file, which is gone.
  [[nodiscard]] Status Commit();
  // CommitTo syncs the file and gives it a name in another folder of the same file system; kUsage "exists" where
  // something has it already. The caller syncs that folder.
  [[nodiscard]] Status CommitTo(int folder, const std::string& name);

 private:
  OutputFile() = default;
  [[nodiscard]] Status Sync() const;
  [[nodiscard]] bool LinkNameless(int folder, const std::string& name) const;
  [[nodiscard]] Status TakeNewName(int folder, const std::string& name);
  [[nodiscard]] Status ReserveName(int folder, const std::string& name);
  [[nodiscard]] Status TakeTemporaryName();
  [[nodiscard]] Status CopyToTemporary();
  [[nodiscard]] Status Rename(int folder, const std::string& name);
  [[nodiscard]] Error NotWritten() const;
  [[nodiscard]] Error NotNamed() const;
  [[nodiscard]] Error NotSynced() const;

  Descriptor descriptor_;
  Descriptor folder_;
  std::string path_;
  std::string name_;
  UnfinishedName temporary_;  // empty: the file has no name yet
  Overwrite overwrite_ = Overwrite::kRefuse;
  std::uint64_t size_ = 0;
};

// FolderOf returns what stands before the last slash of a path, "." when there is none; NameOf what stands behind it.
std::string FolderOf(const std::string& path);
std::string NameOf(const std::string& path);

// SyncFolder writes a folder to the disk: names that were given or taken in it. kIo "write_failed".
[[nodiscard]] Status SyncFolder(const std::string& path);

// WriteFully writes all bytes at a place of an open file; false, and errno, where the system refuses some of them.
[[nodiscard]] bool WriteFully(int fd, std::uint64_t offset, ByteView bytes);

// TryLock takes the lock of an open file that no two processes hold, without waiting; closing the descriptor gives it
// back. False, and errno: EWOULDBLOCK when somebody has it.
[[nodiscard]] bool TryLock(int fd);

// IsNamed says whether a name in an open folder is that of an open file or folder.
bool IsNamed(int fd, int folder, const std::string& name);

// Unsynced is what became of an output whose name could not be written to disk: the name was taken back, something else
// has it by now, or it is complete and in its place.
enum class Unsynced : std::uint8_t { kTakenBack, kOthers, kInPlace };
// UnsyncedError turns that and errno into kIo "write_failed", or "not_durable" when it is in its place.
Error UnsyncedError(Unsynced outcome, const std::string& path);

// SystemError turns errno into an error of stage kIo.
Error SystemError(const char* code, const char* text, const std::string& path);

}  // namespace safemodel
