// SPDX-License-Identifier: Apache-2.0
// Log entries as JSON. An entry has one encoding, so that equal entries have equal leaves; [L-ENTRY].
#pragma once

#include <safemodel/log.h>

namespace safemodel::log {

inline constexpr std::string_view kEntryType = "https://safemodel.dev/log-entry/v1";
inline constexpr std::size_t kCiIdentityBytes = 1024;

// ParseEntry reads exactly what SerializeEntry writes. kMalformed "bad_entry" and what json::Parse refuses; kLimit.
Result<LogEntry> ParseEntry(ByteView text, const Limits& limits);
// SerializeEntry refuses (kLimit, kUsage) what ParseEntry would.
Result<ByteBuffer> SerializeEntry(const LogEntry& entry, const Limits& limits);

}  // namespace safemodel::log
