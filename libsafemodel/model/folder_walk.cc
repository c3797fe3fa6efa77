// SPDX-License-Identifier: Apache-2.0
#include "model/folder_walk.h"

#include <vector>

#include "base/try.h"
#include "base/utf8.h"
#include "container/paths.h"

namespace safemodel {
namespace {

// Pending is a folder to visit, or an entry to report once its turn comes.
struct Pending {
  std::string path;
  std::size_t depth = 0;
  Folder::Kind kind = Folder::Kind::kFolder;
};

Status Expand(const Folder& folder, const Pending& parent, std::size_t most, std::vector<Pending>& stack) {
  SAFEMODEL_ASSIGN(const std::vector<Folder::Entry> entries, folder.List(parent.path, most));
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const std::string path = parent.path.empty() ? entry->name : parent.path + "/" + entry->name;
    if (!IsUtf8(entry->name)) {
      return Error{Stage::kUnsupported, "name_not_utf8", "the name of a file is not UTF-8", kNoOffset, path};
    }
    stack.push_back({path, parent.depth + 1, entry->kind});
  }
  return {};
}

}  // namespace

bool IsDownloadTrace(const std::string& path) {
  return container::IsGitName(NameOf(path)) || path == ".cache/huggingface";
}

Status WalkFolder(const Folder& folder, const WalkLimits& limits, const Visit& visit, const PassOver& pass_over) {
  std::vector<Pending> stack = {{"", 0, Folder::Kind::kFolder}};
  std::size_t left = limits.entries;
  while (!stack.empty()) {
    const Pending next = std::move(stack.back());
    stack.pop_back();
    // A file of this name (a worktree has one) is passed over as the folder is: it cannot be packed.
    if (!next.path.empty() && pass_over(next.path)) {
      SAFEMODEL_TRY(visit({next.path, WalkEntry::Kind::kPassedOver}));
    } else if (next.kind == Folder::Kind::kOther) {
      return Error{Stage::kIo, "not_regular", "the folder holds something that is neither a file nor a folder",
                   kNoOffset, next.path};
    } else if (next.kind != Folder::Kind::kFolder) {
      SAFEMODEL_TRY(visit({next.path, WalkEntry::Kind::kFile}));
    } else if (next.depth >= limits.depth) {
      return Error{Stage::kLimit, "deep_folder", "folders lie in each other deeper than the limit", kNoOffset,
                   next.path};
    } else {
      const std::size_t before = stack.size();
      SAFEMODEL_TRY(Expand(folder, next, left, stack));
      left -= stack.size() - before;
    }
  }
  return {};
}

}  // namespace safemodel
