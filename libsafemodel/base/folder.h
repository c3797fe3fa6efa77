// SPDX-License-Identifier: Apache-2.0
// Reading below one folder, and nowhere else.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace safemodel {

// ComponentsBelow splits a relative path at its slashes. kUnsafe "FILE-PATH" unless each part is a bare name: not
// empty, not "." or "..", without NUL.
Result<std::vector<std::string>> ComponentsBelow(const std::string& path);

// OpenFolderBelow opens a folder below another one, component by component and without following a link anywhere: the
// one way in which this library goes down. (It is what openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS does, and
// the same on every kernel.)
Result<Descriptor> OpenFolderBelow(int root, const std::vector<std::string>& components, const std::string& path);
// DescendBelow is the same for those who must not fail for want of memory: no descriptor, and errno, where it fails.
Descriptor DescendBelow(int root, std::span<const std::string> components) noexcept;

// Folder is an open folder. What it opens lies in it, whoever moves files about meanwhile. Links are followed only when
// they stay below the folder, and in the form that the cache of the Hugging Face Hub has: a snapshot is a folder of
// links "../../blobs/NAME". Safe to use from several threads.
class Folder {
 public:
  // Open follows links in the path itself, which the user chose. kIo "not_found", "open_failed".
  static Result<std::shared_ptr<const Folder>> Open(const std::string& path);
  Folder(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  enum class Kind : std::uint8_t { kFile, kFolder, kLink, kOther };
  struct Entry {
    std::string name;
    Kind kind = Kind::kOther;
  };
  // List returns what lies in a folder below (empty: in this one), names ascending by bytes. More than `most` entries:
  // kLimit "many_files".
  [[nodiscard]] Result<std::vector<Entry>> List(const std::string& below, std::size_t most) const;
  // OpenFile opens a regular file. kUnsafe "FILE-PATH" for a path that is not below, and for a link that leaves
  // the folder; kIo "not_found", "open_failed", "not_regular", "link_loop".
  [[nodiscard]] Result<std::shared_ptr<const File>> OpenFile(const std::string& below) const;

  [[nodiscard]] const std::string& path() const { return path_; }
  // PathOf returns the path of something below, for messages.
  [[nodiscard]] std::string PathOf(const std::string& below) const { return path_ + "/" + below; }

 private:
  [[nodiscard]] Result<std::shared_ptr<const File>> OpenBlob(const std::string& name, const std::string& shown) const;

  Descriptor descriptor_;
  std::string path_;
};

// FileBelow is a file of a folder that is open only while it is read: a folder may have more files than a process may
// have descriptors. Each read fails (kIo "changed") when the file is not the one that was there first. Safe to read
// from several threads.
class FileBelow final : public ByteSource {
 public:
  static Result<std::shared_ptr<const FileBelow>> Open(std::shared_ptr<const Folder> folder, const std::string& below);

  FileBelow(std::shared_ptr<const Folder> folder, std::string below, const FileState& state)
      : folder_(std::move(folder)), below_(std::move(below)), state_(state) {}
  [[nodiscard]] std::uint64_t size() const override { return state_.size; }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override;
  [[nodiscard]] const FileState& state() const { return state_; }
  [[nodiscard]] Status CheckUnchanged() const;

 private:
  [[nodiscard]] Result<std::shared_ptr<const File>> OpenAgain() const;

  std::shared_ptr<const Folder> folder_;
  std::string below_;
  FileState state_;
};

}  // namespace safemodel
