// SPDX-License-Identifier: Apache-2.0
#include "base/output_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <span>
#include <utility>

#include "base/folder.h"
#include "base/try.h"

namespace safemodel {
namespace {

// The name of the folder in the private one.
constexpr const char* kInside = "folder";

Error NotWritten(const std::string& path) {
  return SystemError("write_failed", "a file of the output folder could not be written", path);
}

Error Exists(const std::string& path) {
  return {Stage::kUsage, "exists", "the output exists already; a folder is never replaced, so choose another name",
          kNoOffset, path};
}

// RenameNew gives a folder its name. Where the system cannot refuse to replace, a look comes first; only an empty
// folder that appears in between could be lost.
int RenameNew(int parent, const std::string& from, const std::string& to) {
  if (renameat2(parent, from.c_str(), parent, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  struct stat status {};
  if (fstatat(parent, to.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    errno = EEXIST;
    return -1;
  }
  return renameat(parent, from.c_str(), parent, to.c_str());
}

}  // namespace

Status OutputFolder::CheckFree(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return SystemError("open_failed", "the output cannot be examined", path);
  }
  if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) return Exists(path);
  return Error{Stage::kIo, "not_regular", "the output is neither a file nor a folder", kNoOffset, path};
}

Result<OutputFolder> OutputFolder::Create(const std::string& path) {
  SAFEMODEL_TRY(CheckFree(path));
  OutputFolder folder;
  folder.path_ = path;
  folder.parent_ = Descriptor(open(FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.parent_.valid())
    return SystemError("open_failed", "the folder of the output cannot be opened", FolderOf(path));
  SAFEMODEL_TRY(folder.temporary_.Draw(path));
  folder.unnamed_ = folder.temporary_.text() + "/" + kInside;
  if (mkdirat(folder.parent_.get(), folder.temporary_.text().c_str(), 0700) != 0) {
    Error error = SystemError("open_failed", "the output cannot be created", path);
    folder.temporary_.clear();  // nothing was made that could be removed
    return error;
  }
  if (mkdirat(folder.parent_.get(), folder.unnamed_.c_str(), 0777) != 0)
    return SystemError("open_failed", "the output cannot be created", path);
  SAFEMODEL_ASSIGN(folder.root_, OpenFolderBelow(folder.parent_.get(), {folder.temporary_.text(), kInside}, path));
  return folder;
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : parent_(std::move(other.parent_)),
      root_(std::move(other.root_)),
      path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      unnamed_(std::move(other.unnamed_)),
      made_(std::move(other.made_)) {}

OutputFolder::~OutputFolder() {
  if (!temporary_.empty()) RemoveAll();
}

// RemoveAll takes away what was made, newest first, and nothing else. It allocates nothing.
void OutputFolder::RemoveAll() noexcept {
  for (auto made = made_.rbegin(); made != made_.rend(); ++made) {
    const std::span<const std::string> components(made->components);
    const Descriptor folder = DescendBelow(root_.get(), components.first(components.size() - 1));
    if (folder.valid()) unlinkat(folder.get(), components.back().c_str(), made->is_folder ? AT_REMOVEDIR : 0);
  }
  unlinkat(parent_.get(), unnamed_.c_str(), AT_REMOVEDIR);
  RemoveTemporary();
}

void OutputFolder::RemoveTemporary() noexcept {
  unlinkat(parent_.get(), temporary_.text().c_str(), AT_REMOVEDIR);
  temporary_.clear();
}

// ForgetLast is for what could not be made; errno stays as it is.
void OutputFolder::ForgetLast() {
  const int reason = errno;
  made_.pop_back();
  errno = reason;
}

Status OutputFolder::MakeFolders(const std::vector<std::string>& components) {
  std::vector<std::string> parents;
  for (const std::string& component : components) {
    SAFEMODEL_ASSIGN(const Descriptor folder, OpenFolderBelow(root_.get(), parents, path_));
    parents.push_back(component);
    made_.push_back({parents, true});
    if (mkdirat(folder.get(), component.c_str(), 0777) == 0) continue;
    ForgetLast();
    if (errno != EEXIST) return NotWritten(path_);
  }
  return {};
}

Status OutputFolder::AddFile(const std::string& below, const std::function<Status(const Append&)>& write) {
  SAFEMODEL_TRY(CheckStop(path_));
  SAFEMODEL_ASSIGN(const std::vector<std::string> components, ComponentsBelow(below));
  const std::vector<std::string> parents(components.begin(), components.end() - 1);
  SAFEMODEL_TRY(MakeFolders(parents));
  const std::string shown = path_ + "/" + below;
  SAFEMODEL_ASSIGN(const Descriptor folder, OpenFolderBelow(root_.get(), parents, shown));
  made_.push_back({components, false});
  const Descriptor file(
      openat(folder.get(), components.back().c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666));
  if (!file.valid()) {
    ForgetLast();
    return NotWritten(shown);
  }
  std::uint64_t size = 0;
  const auto append = [&](ByteView bytes) -> Status {
    SAFEMODEL_TRY(CheckStop(shown));
    if (!WriteFully(file.get(), size, bytes)) return NotWritten(shown);
    size += bytes.size();
    return {};
  };
  SAFEMODEL_TRY(write(append));
  return fsync(file.get()) == 0 ? Status() : NotWritten(shown);
}

Status OutputFolder::Adopt(OutputFile& file, const std::string& name) {
  made_.push_back({{name}, false});
  Status named = file.CommitTo(root_.get(), name);
  if (!named.ok()) ForgetLast();
  return named;
}

Status OutputFolder::Commit() {
  SAFEMODEL_TRY(CheckStop(path_));
  for (const Made& made : made_) {
    if (!made.is_folder) continue;
    SAFEMODEL_ASSIGN(const Descriptor folder, OpenFolderBelow(root_.get(), made.components, path_));
    if (fsync(folder.get()) != 0) return NotWritten(path_);
  }
  if (fsync(root_.get()) != 0) return NotWritten(path_);
  if (RenameNew(parent_.get(), unnamed_, NameOf(path_)) != 0) {
    return errno == EEXIST || errno == ENOTEMPTY ? Exists(path_) : NotWritten(path_);
  }
  if (fsync(parent_.get()) != 0) return NotSynced();
  RemoveTemporary();
  return {};
}

// NotSynced takes the name back, so that the folder goes away with the object.
Error OutputFolder::NotSynced() {
  const int reason = errno;
  const std::string name = NameOf(path_);
  Unsynced outcome = Unsynced::kTakenBack;
  if (!IsNamed(root_.get(), parent_.get(), name)) {
    outcome = Unsynced::kOthers;
  } else if (RenameNew(parent_.get(), name, unnamed_) != 0) {
    outcome = Unsynced::kInPlace;
  }
  if (outcome != Unsynced::kTakenBack) RemoveTemporary();
  errno = reason;
  return UnsyncedError(outcome, path_);
}

}  // namespace safemodel
