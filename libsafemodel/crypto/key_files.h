// SPDX-License-Identifier: Apache-2.0
// The two files of a key pair.
#pragma once

#include <string>
#include <string_view>

#include "base/file.h"

namespace safemodel::crypto {

// WriteKeyFiles writes `stem`.key, which is 0600 from its first moment, and `stem`.pub. Both are opened before either
// gets its name. Errors: those of OutputFile.
Status WriteKeyFiles(const std::string& stem, ByteView secret_text, std::string_view public_text,
                     OutputFile::Overwrite overwrite);

}  // namespace safemodel::crypto
