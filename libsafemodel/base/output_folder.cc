// SPDX-License-Identifier: Apache-2.0
#include "base/output_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>
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

Status WriteAll(int fd, ByteView bytes, const std::string& path) {
  SAFEMODEL_TRY(CheckStop(path));
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return NotWritten(path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
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
  const std::string& temporary = folder.temporary_.text();
  if (mkdirat(folder.parent_.get(), temporary.c_str(), 0700) != 0 ||
      mkdirat(folder.parent_.get(), folder.Unnamed().c_str(), 0777) != 0)
    return SystemError("open_failed", "the output cannot be created", path);
  SAFEMODEL_ASSIGN(folder.root_, OpenFolderBelow(folder.parent_.get(), {temporary, kInside}, path));
  return folder;
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : parent_(std::move(other.parent_)),
      root_(std::move(other.root_)),
      path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      made_(std::move(other.made_)) {}

std::string OutputFolder::Unnamed() const { return temporary_.text() + "/" + kInside; }

OutputFolder::~OutputFolder() {
  if (!temporary_.empty()) RemoveAll();
}

// RemoveAll takes away what was made, newest first, and nothing else.
void OutputFolder::RemoveAll() {
  for (auto made = made_.rbegin(); made != made_.rend(); ++made) {
    std::vector<std::string> parents = made->components;
    const std::string name = parents.back();
    parents.pop_back();
    const auto folder = OpenFolderBelow(root_.get(), parents, path_);
    if (folder.ok()) unlinkat(folder.value().get(), name.c_str(), made->is_folder ? AT_REMOVEDIR : 0);
  }
  unlinkat(parent_.get(), Unnamed().c_str(), AT_REMOVEDIR);
  RemoveTemporary();
}

void OutputFolder::RemoveTemporary() {
  unlinkat(parent_.get(), temporary_.text().c_str(), AT_REMOVEDIR);
  temporary_.clear();
}

Status OutputFolder::MakeFolders(const std::vector<std::string>& components) {
  std::vector<std::string> parents;
  for (const std::string& component : components) {
    SAFEMODEL_ASSIGN(const Descriptor folder, OpenFolderBelow(root_.get(), parents, path_));
    parents.push_back(component);
    if (mkdirat(folder.get(), component.c_str(), 0777) == 0) {
      made_.push_back({parents, true});
    } else if (errno != EEXIST) {
      return NotWritten(path_);
    }
  }
  return {};
}

Status OutputFolder::AddFile(const std::string& below, const std::function<Status(const Append&)>& write) {
  SAFEMODEL_TRY(CheckStop(path_));
  SAFEMODEL_ASSIGN(std::vector<std::string> components, ComponentsBelow(below));
  std::vector<std::string> parents(components.begin(), components.end() - 1);
  SAFEMODEL_TRY(MakeFolders(parents));
  const std::string shown = path_ + "/" + below;
  SAFEMODEL_ASSIGN(const Descriptor folder, OpenFolderBelow(root_.get(), parents, shown));
  const Descriptor file(
      openat(folder.get(), components.back().c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666));
  if (!file.valid()) return NotWritten(shown);
  made_.push_back({std::move(components), false});
  SAFEMODEL_TRY(write([&](ByteView bytes) { return WriteAll(file.get(), bytes, shown); }));
  return fsync(file.get()) == 0 ? Status() : NotWritten(shown);
}

Status OutputFolder::Adopt(OutputFile& file, const std::string& name) {
  SAFEMODEL_TRY(file.CommitTo(root_.get(), name));
  made_.push_back({{name}, false});
  return {};
}

Status OutputFolder::Commit() {
  SAFEMODEL_TRY(CheckStop(path_));
  for (const Made& made : made_) {
    if (!made.is_folder) continue;
    SAFEMODEL_ASSIGN(const Descriptor folder, OpenFolderBelow(root_.get(), made.components, path_));
    if (fsync(folder.get()) != 0) return NotWritten(path_);
  }
  if (fsync(root_.get()) != 0) return NotWritten(path_);
  if (RenameNew(parent_.get(), Unnamed(), NameOf(path_)) != 0) {
    return errno == EEXIST || errno == ENOTEMPTY ? Exists(path_) : NotWritten(path_);
  }
  RemoveTemporary();
  if (fsync(parent_.get()) != 0) return SystemError("write_failed", "the folder could not be written to disk", path_);
  return {};
}

}  // namespace safemodel
