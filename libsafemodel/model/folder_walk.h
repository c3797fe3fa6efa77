// SPDX-License-Identifier: Apache-2.0
// Visiting everything in a folder, in one order on every system.
#pragma once

#include <functional>
#include <string>

#include "base/folder.h"

namespace safemodel {

struct WalkLimits {
  std::size_t entries = 1u << 17;  // files and folders together; real models have tens
  std::size_t depth = 32;          // folders in folders
};

// WalkEntry is something in the folder. Links stand for the files that they lead to: whoever opens one below the folder
// learns whether it may be followed.
struct WalkEntry {
  enum class Kind : std::uint8_t {
    kFile,
    kPassedOver,  // what is not gone into
  };
  std::string path;  // below the folder, '/' between components
  Kind kind = Kind::kFile;
};

using Visit = std::function<Status(const WalkEntry&)>;

// PassOver says which paths are not gone into.
using PassOver = std::function<bool(const std::string& path)>;
// IsDownloadTrace is the usual one: `.git`, and what the download tool of the Hub notes for itself.
bool IsDownloadTrace(const std::string& path);

// WalkFolder calls `visit` for each file, folder by folder, names ascending by bytes; an error of `visit` ends the
// walk. Errors: kIo (also "not_regular" for what is neither file nor folder); kUnsupported "name_not_utf8"; kLimit
// "many_files", "deep_folder". Nothing recurses.
Status WalkFolder(const Folder& folder, const WalkLimits& limits, const Visit& visit,
                  const PassOver& pass_over = IsDownloadTrace);

}  // namespace safemodel
