// SPDX-License-Identifier: Apache-2.0
#include "model/scan_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace safemodel {
namespace {

namespace fs = std::filesystem;

Error NotRead(const std::string& folder, const std::error_code& why) {
  return {Stage::kIo, "read_failed", "the folder could not be read", kNoOffset, folder + ": " + why.message()};
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

struct Pending {
  fs::path path;
  std::size_t depth = 0;
};

// Walk lists one folder after the other. One that cannot be listed hides nothing of the others: it is found as a file
// is, and whoever opens it is told why that fails.
class Walk {
 public:
  Walk(const std::string& folder, fs::path root, const ScanWalkLimits& limits)
      : folder_(folder), root_(std::move(root)), limits_(limits) {}

  // List returns false when the folder cannot be listed to its end.
  bool List(const Pending& folder, std::error_code& error) {
    fs::directory_iterator at(folder.path, error);
    for (const fs::directory_iterator end; !error && at != end; at.increment(error)) {
      if (++entries_ > limits_.entries) return true;
      Take(*at, folder.depth);
    }
    return !error;
  }

  std::vector<FoundBelow> Finish() && {
    while (!pending_.empty() && entries_ <= limits_.entries) {
      const Pending next = std::move(pending_.back());
      pending_.pop_back();
      std::error_code error;
      if (!List(next, error)) found_.push_back({next.path.string(), std::nullopt});
    }
    if (entries_ > limits_.entries) {
      found_.push_back(
          {folder_, NotEntered(Stage::kLimit, "LIMIT-COUNT",
                               "the folder holds more than one scan looks at; scan its parts one by one")});
    }
    std::sort(found_.begin(), found_.end(), [](const FoundBelow& a, const FoundBelow& b) { return a.path < b.path; });
    return std::move(found_);
  }

 private:
  void Take(const fs::directory_entry& entry, std::size_t depth) {
    std::error_code error;  // what cannot be looked at, or went away meanwhile, is told when it is opened
    const fs::file_type type = entry.symlink_status(error).type();
    if (const auto target = LinkedFolder(entry, type)) {
      if (LiesIn(*target, root_)) return;  // and is looked at where it lies
      found_.push_back({entry.path().string(),
                        NotEntered(Stage::kUnsupported, "FILE-LINK",
                                   "a link leads to a folder outside, which is not entered; scan that folder too")});
    } else if (type != fs::file_type::directory) {
      found_.push_back({entry.path().string(), std::nullopt});
    } else if (depth + 1 >= limits_.depth) {
      found_.push_back({entry.path().string(),
                        NotEntered(Stage::kLimit, "LIMIT-DEPTH",
                                   "folders lie in each other deeper than one scan goes; scan this folder by itself")});
    } else {
      pending_.push_back({entry.path(), depth + 1});
    }
  }

  const std::string& folder_;
  fs::path root_;
  ScanWalkLimits limits_;
  std::size_t entries_ = 0;
  std::vector<Pending> pending_;
  std::vector<FoundBelow> found_;
};

}  // namespace

Result<std::vector<FoundBelow>> FindBelow(const std::string& folder, const ScanWalkLimits& limits) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return NotRead(folder, error);
  Walk walk(folder, root, limits);
  if (!walk.List({folder, 0}, error)) return NotRead(folder, error);
  return std::move(walk).Finish();
}

}  // namespace safemodel
