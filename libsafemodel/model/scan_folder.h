// SPDX-License-Identifier: Apache-2.0
// What there is to scan in a folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <safemodel/result.h>

namespace safemodel {

// Anything that lies below a folder and is no folder that is gone into.
struct FoundBelow {
  std::string path;
  std::optional<Error> unread;  // why it is not looked at, and what to do; nothing for a file
};

// More than a model needs: a folder may hold all the models of a company.
struct ScanWalkLimits {
  std::size_t entries = 1u << 20;  // files and folders together
  std::size_t depth = 32;          // folders in folders
};

// FindBelow returns the files below a folder, whatever else is no folder, and what it does not go into, in the order of
// their paths: nothing is passed over silently. Links to files, and those that lead nowhere, are files here. A link to
// a folder is not followed: it leads back into this one, where all is looked at, or out of it, kUnsupported FILE-LINK.
// What lies behind a limit is kLimit LIMIT-COUNT or LIMIT-DEPTH. A folder in it that cannot be listed to its end is
// among the files, as opening it fails: all others are found. Error: kIo "read_failed" when that is the folder itself.
Result<std::vector<FoundBelow>> FindBelow(const std::string& folder, const ScanWalkLimits& limits = {});

}  // namespace safemodel
