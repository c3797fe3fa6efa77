// SPDX-License-Identifier: Apache-2.0
// A new folder that gets its name only when all of it is on disk.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/file.h"

namespace safemodel {

// OutputFolder writes files below a folder that lies in one with a temporary name beside its own, without ever
// following a link or opening what is there already. Until Commit nothing has the final name, nobody but the owner may
// look in (what is written may be secret, and a process that is killed leaves it), and what was written goes away with
// the object. Folders have mode 0777 and files 0666, less the umask.
class OutputFolder {
 public:
  // CheckFree refuses a name that is taken: kUsage "exists" for a file or folder, which is never replaced (too much
  // would go with it), kIo "not_regular" for anything else.
  static Status CheckFree(const std::string& path);
  // Create makes the temporary folder. `path` has no slash at its end.
  static Result<OutputFolder> Create(const std::string& path);
  OutputFolder(OutputFolder&& other) noexcept;
  OutputFolder& operator=(OutputFolder&&) = delete;
  ~OutputFolder();

  using Append = std::function<Status(ByteView)>;
  // AddFile creates a file, makes the folders in its path where they are missing, and lets `write` fill it.
  // kUnsafe "FILE-PATH"; kIo "write_failed" also when the name is taken, as on file systems that ignore case.
  Status AddFile(const std::string& below, const std::function<Status(const Append&)>& write);
  // Adopt gives a file that was written elsewhere on the same file system a name in the folder. kIo; kUsage "exists".
  Status Adopt(OutputFile& file, const std::string& name);
  // Commit syncs all folders and renames. kUsage "exists"; kIo, and after an error nothing has the name. One error is
  // different: "not_durable" says that the folder is complete and has its name, which a power cut may undo, and could
  // not be taken back.
  Status Commit();

 private:
  OutputFolder() = default;
  struct Made {
    std::vector<std::string> components;
    bool is_folder = false;
  };
  Status MakeFolders(const std::vector<std::string>& components);
  void ForgetLast();
  Error NotSynced();
  void RemoveAll() noexcept;
  void RemoveTemporary() noexcept;

  Descriptor parent_;
  Descriptor root_;  // the folder itself
  std::string path_;
  UnfinishedName temporary_;  // of the private folder that it lies in; empty once there is nothing to remove
  std::string unnamed_;       // where it is below the parent until it has its name
  std::vector<Made> made_;    // noted before it is made, so that nothing is left behind when memory runs out
};

}  // namespace safemodel
