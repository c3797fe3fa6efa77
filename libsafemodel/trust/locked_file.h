// SPDX-License-Identifier: Apache-2.0
// Small files of the configuration that are changed as a whole: locked, read, replaced.
#pragma once

#include <memory>
#include <string>

#include "base/file.h"

namespace safemodel::trust {

// LockNamed opens a file for writing and locks it, waiting up to ten seconds. What it returns is what the path names,
// also when somebody replaced it while we waited. Closing unlocks. kIo; kConfig "locked".
Result<std::shared_ptr<const File>> LockNamed(const std::string& path);

// ReadOwned returns the text of a file to which only its owner may write. kIo; kConfig "writable_by_others",
// "too_large".
Result<std::string> ReadOwned(const File& file, std::uint64_t most_bytes);

// ReplaceFile writes a new file in the place of a locked one, with its mode. kIo.
Status ReplaceFile(const File& locked, const std::string& text);

}  // namespace safemodel::trust
