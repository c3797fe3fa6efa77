// SPDX-License-Identifier: Apache-2.0
// Credentials in texts, as findings.
#pragma once

#include <cstdint>
#include <optional>

#include <safemodel/bytes.h>

#include "base/source.h"
#include "pickle/findings.h"

namespace safemodel::pickle {

// How much of an opaque member is searched for credentials or archives.
inline constexpr std::uint64_t kMostText = 16u << 20;

// AddCredentials records the credentials in a text: at their places in the current member, or, for a constant of a
// stream, at that of its instruction.
void AddCredentials(ByteView text, std::optional<std::uint64_t> instruction, Findings& findings);

// ScanText looks for credentials in bytes that no reader claims, if they are text.
Status ScanText(const ByteSource& source, Findings& findings);

}  // namespace safemodel::pickle
