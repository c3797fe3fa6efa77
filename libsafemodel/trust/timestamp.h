// SPDX-License-Identifier: Apache-2.0
// Times in statements: RFC 3339 in UTC with whole seconds, "2026-01-31T23:59:59Z" [S-TIMES].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace safemodel::trust {

// ParseTimestamp returns Unix seconds, or nothing when the text is not exactly of this form or names no real time.
std::optional<std::int64_t> ParseTimestamp(std::string_view text);

// SerializeTimestamp is the inverse; `seconds` must lie in the years 1970 to 9999.
std::string SerializeTimestamp(std::int64_t seconds);

inline constexpr std::int64_t kLatestTimestamp = 253402300799;  // the end of the year 9999

}  // namespace safemodel::trust
