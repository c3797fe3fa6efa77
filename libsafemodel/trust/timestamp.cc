// SPDX-License-Identifier: Apache-2.0
#include "trust/timestamp.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace safemodel::trust {
namespace {

// Two or four decimal digits, or -1.
int Digits(std::string_view text) {
  int value = 0;
  for (const char letter : text) {
    if (letter < '0' || letter > '9') return -1;
    value = 10 * value + (letter - '0');
  }
  return value;
}

}  // namespace

std::optional<std::int64_t> ParseTimestamp(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00Z";
  if (text.size() != kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] != '0' && text[i] != kShape[i]) return std::nullopt;
  }
  const std::array<int, 6> parts = {Digits(text.substr(0, 4)),  Digits(text.substr(5, 2)),  Digits(text.substr(8, 2)),
                                    Digits(text.substr(11, 2)), Digits(text.substr(14, 2)), Digits(text.substr(17, 2))};
  for (const int part : parts) {
    if (part < 0) return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(parts[0]), std::chrono::month(static_cast<unsigned>(parts[1])),
                                         std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (parts[0] < 1970 || !date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 59) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5];
}

std::string SerializeTimestamp(std::int64_t seconds) {
  const std::chrono::sys_days day{std::chrono::days(seconds / 86400)};
  const std::chrono::year_month_day date{day};
  const std::int64_t rest = seconds % 86400;
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600),
                static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
  return buffer.data();
}

}  // namespace safemodel::trust
