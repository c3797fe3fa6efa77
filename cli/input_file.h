// SPDX-License-Identifier: Apache-2.0
// Small files that an option names: a predicate, a checkpoint.
#pragma once

#include <cstddef>
#include <string>

#include <safemodel/result.h>

namespace safemodel::cli {

// ReadInputFile returns up to a byte more than `most`, which tells whoever knows the limit that the file is too long. A
// pipe such as a shell makes for <(command) is read too. kIo "not_found", "open_failed" or "read_failed", with the
// reason of the system.
Result<std::string> ReadInputFile(const std::string& path, std::size_t most);

}  // namespace safemodel::cli
