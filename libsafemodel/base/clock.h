// SPDX-License-Identifier: Apache-2.0
// Times in Unix seconds.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>

namespace safemodel {

// The last second whose year has four digits: no time that we write or read in a format of ours is later.
inline constexpr std::int64_t kLastSecond = 253402300799;  // the end of the year 9999

// NowUnless returns the time that was given, or that of the system's clock.
inline std::int64_t NowUnless(const std::optional<std::int64_t>& given) {
  return given.value_or(static_cast<std::int64_t>(std::time(nullptr)));
}

}  // namespace safemodel
