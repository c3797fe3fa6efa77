// SPDX-License-Identifier: Apache-2.0
#include "trust/timestamp.h"

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/try.h"

namespace safemodel::trust {
namespace {

constexpr std::string_view kForm = "0000-00-00T00:00:00Z";

void PutDigits(std::string& text, std::size_t at, std::size_t count, unsigned value) {
  for (std::size_t i = count; i > 0; --i, value /= 10) text[at + i - 1] = static_cast<char>('0' + value % 10);
}

unsigned TakeDigits(std::string_view text, std::size_t at, std::size_t count) {
  unsigned value = 0;
  for (const char c : text.substr(at, count)) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

bool HasForm(std::string_view text) {
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool fits = kForm[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == kForm[i];
    if (!fits) return false;
  }
  return true;
}

}  // namespace

bool IsWritableTime(std::int64_t seconds) { return seconds >= 0 && seconds <= kLastSecond; }

std::string FormatTimestamp(std::int64_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto of_day = static_cast<unsigned>((time - day).count());
  std::string text(kForm);
  PutDigits(text, 0, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  PutDigits(text, 5, 2, static_cast<unsigned>(date.month()));
  PutDigits(text, 8, 2, static_cast<unsigned>(date.day()));
  PutDigits(text, 11, 2, of_day / 3600);
  PutDigits(text, 14, 2, of_day / 60 % 60);
  PutDigits(text, 17, 2, of_day % 60);
  return text;
}

Status CheckNow(std::int64_t now) {
  if (IsWritableTime(now)) return {};
  return Error{Stage::kUsage, "bad_time", "the time is not between 1970 and 9999; check the clock of this machine"};
}

Result<std::int64_t> ParseTimestamp(std::string_view text) {
  const Error refusal = {Stage::kMalformed, "bad_time", "a time is not of the form 2026-01-01T00:00:00Z"};
  if (!HasForm(text)) return refusal;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(TakeDigits(text, 0, 4))),
                                         std::chrono::month(TakeDigits(text, 5, 2)),
                                         std::chrono::day(TakeDigits(text, 8, 2)));
  const unsigned hour = TakeDigits(text, 11, 2);
  const unsigned minute = TakeDigits(text, 14, 2);
  const unsigned second = TakeDigits(text, 17, 2);
  if (!date.ok() || static_cast<int>(date.year()) < 1970 || hour > 23 || minute > 59 || second > 59) return refusal;
  const std::int64_t day = std::chrono::sys_days(date).time_since_epoch().count();
  return day * 86400 + hour * 3600 + minute * 60 + second;
}

Result<std::int64_t> ParseForeignTimestamp(std::string_view text) {
  const Error refusal = {Stage::kMalformed, "bad_time", "a time is not of the form of RFC 3339"};
  constexpr std::size_t kSeconds = kForm.size() - 1;
  if (text.size() <= kSeconds) return refusal;
  SAFEMODEL_ASSIGN(const std::int64_t local, ParseTimestamp(std::string(text.substr(0, kSeconds)) + "Z"));
  std::string_view rest = text.substr(kSeconds);
  if (rest.front() == '.') {
    const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    if (end < 2 || end > 10) return refusal;
    rest.remove_prefix(end);
  }
  if (rest == "Z") return local;
  constexpr std::string_view kOffset = "+00:00";
  if (rest.size() != kOffset.size() || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return refusal;
  for (const std::size_t digit : {1u, 2u, 4u, 5u}) {
    if (rest[digit] < '0' || rest[digit] > '9') return refusal;
  }
  const unsigned hours = TakeDigits(rest, 1, 2);
  const unsigned minutes = TakeDigits(rest, 4, 2);
  if (hours > 23 || minutes > 59) return refusal;
  const std::int64_t offset = std::int64_t{hours} * 3600 + std::int64_t{minutes} * 60;
  return rest[0] == '+' ? local - offset : local + offset;
}

}  // namespace safemodel::trust
