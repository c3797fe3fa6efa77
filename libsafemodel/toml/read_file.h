// SPDX-License-Identifier: Apache-2.0
// Reading a configuration file that decides what is trusted.
#pragma once

#include <string>

#include "toml/toml.h"

namespace safemodel::toml {

// ReadFile returns the bytes of a regular file; it never blocks on a FIFO or a device. All refusals are kConfig:
// not_found, not_regular, open_failed, too_large, changed, writable_by_others. The last is a file that its group or
// everybody may write to: whoever may change what is trusted here is trusted with everything.
Result<ByteBuffer> ReadFile(const std::string& path, const Limits& limits = {});

// ParseFile reads and parses; messages name the path.
Result<Table> ParseFile(const std::string& path, const Limits& limits = {});

}  // namespace safemodel::toml
