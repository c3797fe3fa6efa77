// SPDX-License-Identifier: Apache-2.0
#include "model/scan_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace safemodel {
namespace {

namespace fs = std::filesystem;

Error NotRead(const std::string& folder) {
  return {Stage::kIo, "read_failed", "the folder could not be read", kNoOffset, folder};
}

Error NotEntered(Stage stage, const char* code, const char* text) { return {stage, code, text}; }

// LinkedFolder returns the folder that a link leads to; nothing when it leads to something else.
std::optional<fs::path> LinkedFolder(const fs::directory_entry& entry, fs::file_type type) {
  std::error_code error;
  if (type != fs::file_type::symlink || !fs::is_directory(entry.path(), error)) return std::nullopt;
  return fs::canonical(entry.path(), error);
}

bool LiesIn(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

}  // namespace

Result<std::vector<FoundBelow>> FindBelow(const std::string& folder, const ScanWalkLimits& limits) {
  std::vector<FoundBelow> found;
  std::size_t entries = 0;
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return NotRead(folder);
  // Links to folders are not followed, which is what this iterator does when it is told nothing.
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (++entries > limits.entries) {
      found.push_back({folder, NotEntered(Stage::kLimit, "LIMIT-COUNT",
                                          "the folder holds more than one scan looks at; scan its parts one by one")});
      break;
    }
    const fs::file_type type = at->symlink_status(error).type();
    if (error && type != fs::file_type::not_found) break;
    error.clear();  // what went away meanwhile is told when it is opened
    if (const auto target = LinkedFolder(*at, type)) {
      if (LiesIn(*target, root)) continue;  // and is looked at where it lies
      found.push_back({at->path().string(),
                       NotEntered(Stage::kUnsupported, "FILE-LINK",
                                  "a link leads to a folder outside, which is not entered; scan that folder too")});
    } else if (type != fs::file_type::directory) {
      found.push_back({at->path().string(), std::nullopt});
    } else if (static_cast<std::size_t>(at.depth()) + 1 >= limits.depth) {
      found.push_back({at->path().string(), NotEntered(Stage::kLimit, "LIMIT-DEPTH",
                                                       "folders lie in each other deeper than one scan goes; scan this "
                                                       "folder by itself")});
      at.disable_recursion_pending();
    }
  }
  if (error) return NotRead(folder);
  std::sort(found.begin(), found.end(), [](const FoundBelow& a, const FoundBelow& b) { return a.path < b.path; });
  return found;
}

}  // namespace safemodel
