// SPDX-License-Identifier: Apache-2.0
// Times as statements write them: RFC 3339 in UTC with whole seconds, "2026-01-01T00:00:00Z"; [S-TIMES].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <safemodel/result.h>

namespace safemodel::trust {

// IsWritableTime says whether FormatTimestamp can write a time: it is between 1970 and kLastSecond (base/clock.h).
bool IsWritableTime(std::int64_t seconds);

// FormatTimestamp writes Unix seconds.
std::string FormatTimestamp(std::int64_t seconds);

// CheckNow refuses (kUsage "bad_time") a time that is not writable: no clock shows it, no state
// file could hold it, and sums with the ages of a policy would overflow.
Status CheckNow(std::int64_t now);

// ParseTimestamp accepts exactly that form and real dates from 1970 on; kMalformed "bad_time".
Result<std::int64_t> ParseTimestamp(std::string_view text);

// ParseForeignTimestamp also accepts what other tools write: a fraction of up to 9 digits, which is dropped, and an
// offset such as +01:00 in place of the Z.
Result<std::int64_t> ParseForeignTimestamp(std::string_view text);

}  // namespace safemodel::trust
