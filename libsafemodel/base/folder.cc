// SPDX-License-Identifier: Apache-2.0
#include "base/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string_view>
#include <utility>

#include "base/try.h"

namespace safemodel {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr int kMostLinks = 8;  // from one name to the next; real folders need one

Error BadPath(const std::string& path) {
  return {Stage::kUnsafe, "FILE-PATH", "a file is named by a path that is not plainly below its folder", kNoOffset,
          path};
}

Error LeavesFolder(const std::string& path) {
  return {Stage::kUnsafe, "FILE-PATH",
          "a link leads out of the folder; copy the file here if it is meant to be part of the model", kNoOffset, path};
}

Error LeadsToItself(const std::string& path) {
  return {Stage::kUnsafe, "FILE-PATH", "a link leads to the folder itself, which would have no end; remove the link",
          kNoOffset, path};
}

std::string Join(const std::vector<std::string>& components) {
  std::string path;
  for (const std::string& component : components) path += (path.empty() ? "" : "/") + component;
  return path;
}

Result<std::string> ReadLink(int folder, const std::string& name, const std::string& shown) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = readlinkat(folder, name.c_str(), target.data(), target.size());
  if (length < 0) return SystemError("open_failed", "the link cannot be read", shown);
  target.resize(static_cast<std::size_t>(length));
  return target;
}

// FollowLink returns where a link in the folder `parents` leads, as a path below the root. The ".." of its text are
// resolved by the text: no component on the way is a link, so that is what the system would do.
Result<std::string> FollowLink(std::vector<std::string> parents, const std::string& target, const std::string& shown) {
  if (target.empty() || target.front() == '/') return LeavesFolder(shown);
  std::string_view rest = target;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view component = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (component.empty() || component == ".") continue;
    if (component != "..") {
      parents.emplace_back(component);
    } else if (parents.empty()) {
      return LeavesFolder(shown);
    } else {
      parents.pop_back();
    }
  }
  if (parents.empty()) return LeadsToItself(shown);
  return Join(parents);
}

// BlobName returns the name of the blob when a link at this depth has the form of the Hub's cache, else nothing.
std::string BlobName(std::size_t depth, const std::string& target) {
  std::string prefix;
  for (std::size_t i = 0; i < depth + 2; ++i) prefix += "../";
  prefix += "blobs/";
  if (target.compare(0, prefix.size(), prefix) != 0) return {};
  std::string name = target.substr(prefix.size());
  const bool bare = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
  return bare ? name : std::string();
}

Folder::Kind KindOf(int folder, const dirent& entry) {
  switch (entry.d_type) {
    case DT_REG: return Folder::Kind::kFile;
    case DT_DIR: return Folder::Kind::kFolder;
    case DT_LNK: return Folder::Kind::kLink;
    case DT_UNKNOWN: break;  // not every file system tells
    default: return Folder::Kind::kOther;
  }
  struct stat status {};
  if (fstatat(folder, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return Folder::Kind::kOther;
  if (S_ISREG(status.st_mode)) return Folder::Kind::kFile;
  if (S_ISDIR(status.st_mode)) return Folder::Kind::kFolder;
  return S_ISLNK(status.st_mode) ? Folder::Kind::kLink : Folder::Kind::kOther;
}

int OpenRegular(int folder, const std::string& name) {
  return openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

Error CannotOpen(const std::string& shown) {
  return SystemError(errno == ENOENT ? "not_found" : "open_failed", "the file cannot be opened", shown);
}

}  // namespace

Result<std::vector<std::string>> ComponentsBelow(const std::string& path) {
  std::vector<std::string> components;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    components.push_back(path.substr(begin, end - begin));
    const std::string& component = components.back();
    if (component.empty() || component == "." || component == ".." || component.find('\0') != std::string::npos)
      return BadPath(path);
    begin = end + 1;
  }
  return components;
}

Descriptor DescendBelow(int root, std::span<const std::string> components) noexcept {
  Descriptor folder(openat(root, ".", kFolderFlags));
  for (const std::string& component : components) {
    if (!folder.valid()) break;
    folder = Descriptor(openat(folder.get(), component.c_str(), kFolderFlags));
  }
  return folder;
}

Result<Descriptor> OpenFolderBelow(int root, const std::vector<std::string>& components, const std::string& path) {
  Descriptor folder = DescendBelow(root, components);
  if (!folder.valid())
    return SystemError(errno == ENOENT ? "not_found" : "open_failed", "the folder cannot be opened", path);
  return folder;
}

Result<std::shared_ptr<const Folder>> Folder::Open(const std::string& path) {
  Descriptor descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.valid()) {
    return SystemError(errno == ENOENT ? "not_found" : "open_failed", "the folder cannot be opened", path);
  }
  return std::make_shared<const Folder>(std::move(descriptor), path);
}

Result<std::vector<Folder::Entry>> Folder::List(const std::string& below, std::size_t most) const {
  std::vector<std::string> components;
  if (!below.empty()) {
    SAFEMODEL_ASSIGN(components, ComponentsBelow(below));
  }
  const std::string shown = below.empty() ? path_ : PathOf(below);
  SAFEMODEL_ASSIGN(Descriptor folder, OpenFolderBelow(descriptor_.get(), components, shown));
  const int copy = fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);  // closedir closes it
  DIR* stream = copy < 0 ? nullptr : fdopendir(copy);
  if (stream == nullptr) {
    if (copy >= 0) close(copy);
    return SystemError("open_failed", "the folder cannot be read", shown);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> guard(stream, closedir);
  std::vector<Entry> entries;
  errno = 0;
  while (const dirent* entry = readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (entries.size() == most) {
      return Error{Stage::kLimit, "many_files", "the folder has more files than the limit", kNoOffset, shown};
    }
    entries.push_back({std::string(name), KindOf(folder.get(), *entry)});
    errno = 0;
  }
  if (errno != 0) return SystemError("read_failed", "the folder cannot be read", shown);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

Result<std::shared_ptr<const File>> Folder::OpenFile(const std::string& below) const {
  const std::string shown = PathOf(below);
  std::string current = below;
  for (int links = 0; links < kMostLinks; ++links) {
    SAFEMODEL_ASSIGN(std::vector<std::string> parents, ComponentsBelow(current));
    const std::string name = std::move(parents.back());
    parents.pop_back();
    SAFEMODEL_ASSIGN(const Descriptor folder, OpenFolderBelow(descriptor_.get(), parents, shown));
    Descriptor file(OpenRegular(folder.get(), name));
    if (file.valid()) return File::FromDescriptor(std::move(file), shown);
    if (errno != ELOOP) return CannotOpen(shown);
    SAFEMODEL_ASSIGN(const std::string target, ReadLink(folder.get(), name, shown));
    const std::string blob = BlobName(parents.size(), target);
    if (!blob.empty()) return OpenBlob(blob, shown);
    SAFEMODEL_ASSIGN(current, FollowLink(std::move(parents), target, shown));
  }
  return Error{Stage::kIo, "link_loop", "links lead from one to the next without an end", kNoOffset, shown};
}

// A blob is a file itself: what lies in the cache's folder may not lead on.
Result<std::shared_ptr<const File>> Folder::OpenBlob(const std::string& name, const std::string& shown) const {
  const Descriptor blobs(openat(descriptor_.get(), "../../blobs", kFolderFlags));
  if (!blobs.valid()) return CannotOpen(shown);
  Descriptor file(OpenRegular(blobs.get(), name));
  if (file.valid()) return File::FromDescriptor(std::move(file), shown);
  return errno == ELOOP ? LeavesFolder(shown) : CannotOpen(shown);
}

Result<std::shared_ptr<const FileBelow>> FileBelow::Open(std::shared_ptr<const Folder> folder,
                                                         const std::string& below) {
  SAFEMODEL_ASSIGN(const std::shared_ptr<const File> file, folder->OpenFile(below));
  return std::make_shared<const FileBelow>(std::move(folder), below, file->state());
}

Result<std::shared_ptr<const File>> FileBelow::OpenAgain() const {
  SAFEMODEL_ASSIGN(std::shared_ptr<const File> file, folder_->OpenFile(below_));
  if (file->state() == state_) return file;
  return Error{Stage::kIo, "changed", "the file changed while it was read; try again", kNoOffset,
               folder_->PathOf(below_)};
}

Status FileBelow::ReadAt(std::uint64_t offset, MutableBytes out) const {
  SAFEMODEL_ASSIGN(const std::shared_ptr<const File> file, OpenAgain());
  return file->ReadAt(offset, out);
}

Status FileBelow::CheckUnchanged() const {
  SAFEMODEL_TRY(OpenAgain());
  return {};
}

}  // namespace safemodel
