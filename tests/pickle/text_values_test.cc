// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <doctest/doctest.h>

#include "base/cursor.h"
#include "pickle/text_values.h"

namespace safemodel::pickle {

TEST_CASE("text values: integers of any size") {
  const auto bytes = [](const char* text) { return std::get<ByteBuffer>(ParseTextInteger(AsBytes(text))); };
  CHECK(std::get<std::int64_t>(ParseTextInteger(AsBytes("9223372036854775807"))) == INT64_MAX);
  CHECK(std::get<std::int64_t>(ParseTextInteger(AsBytes("-9223372036854775808"))) == INT64_MIN);
  CHECK(bytes("9223372036854775808") == ByteBuffer{0, 0, 0, 0, 0, 0, 0, 0x80, 0});
  CHECK(bytes("-9223372036854775809") == ByteBuffer{255, 255, 255, 255, 255, 255, 255, 0x7F, 255});
  CHECK(bytes("1208925819614629174706176") == ByteBuffer{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});  // 2^80
  CHECK(bytes("-1208925819614629174706176") == ByteBuffer{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255});
}

TEST_CASE("text values: what one reader takes is no broken number") {
  const auto integer = [](std::string_view text) { return std::get<TextFault>(ParseTextInteger(AsBytes(text))); };
  using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace)
  for (const std::string_view text :
       {"+5"sv, " 5"sv, "5\t"sv, "005"sv, "0x1F"sv, "-0b1"sv, "0o_7"sv, "1_0"sv, "5\0junk"sv, "\0"sv}) {
    CAPTURE(text);
    CHECK(integer(text) == TextFault::kDifferential);
  }
  for (const std::string_view text :
       {""sv, "-"sv, "five"sv, "0x"sv, "0b2"sv, "1__0"sv, "_1"sv, "1_"sv, "5L"sv, "- 5"sv, " \0"sv, "1.5"sv}) {
    CAPTURE(text);
    CHECK(integer(text) == TextFault::kMalformed);
  }
  const auto real = [](std::string_view text) { return std::get<TextFault>(ParseTextFloat(AsBytes(text))); };
  for (const std::string_view text :
       {"NaN"sv, "+inf"sv, "-Infinity"sv, "INF"sv, " nan"sv, "1_0.5"sv, "1e999"sv, "1e1_0"sv, "+.5"sv, "5\0x"sv}) {
    CAPTURE(text);
    CHECK(real(text) == TextFault::kDifferential);
  }
  for (const std::string_view text :
       {""sv, "."sv, "infinit"sv, "nan(1)"sv, "1e"sv, "1d5"sv, "0x1p3"sv, "1_.5"sv, "\0"sv}) {
    CAPTURE(text);
    CHECK(real(text) == TextFault::kMalformed);
  }
}

TEST_CASE("text values: numbers of a memo, as long as they like") {
  const std::string far(5000, '9');
  const auto digits = [](const std::string& text) { return MemoDigits(AsBytes(text)).value_or("none"); };
  CHECK(digits("5") == "5");
  CHECK(digits(" +0_05\t") == "5");
  CHECK(digits("-000") == "0");
  CHECK(digits(far) == far);
  for (const char* refused : {"", "-5", " -5", "0x5", "5_", "5L", "a"}) CHECK(digits(refused) == "none");
}

TEST_CASE("text values: minimal two's complement") {
  const auto minimal = [](ByteBuffer bytes) {
    const ByteView view = MinimalTwosComplement(bytes);
    return ByteBuffer(view.begin(), view.end());
  };
  CHECK(minimal({0, 0, 0}).empty());
  CHECK(minimal({1, 0, 0}) == ByteBuffer{1});
  CHECK(minimal({0x80, 0}) == ByteBuffer{0x80, 0});
  CHECK(minimal({0xFF, 0xFF}) == ByteBuffer{0xFF});
  CHECK(minimal({0x7F, 0xFF}) == ByteBuffer{0x7F, 0xFF});
}

TEST_CASE("text values: UTF-8 with lone surrogates and nothing worse") {
  for (const char* good : {"", "abc", "\xC3\xA4", "\xED\xA0\x80", "x\xED\xBF\xBFy\xED\x9F\xBF", "\xF0\x9F\x98\x80"}) {
    CHECK(IsUtf8WithSurrogates(AsBytes(good)));
  }
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xED\xA0", "\xED\xA0\x41", "\xF4\x90\x80\x80", "a\xFF", "\xED\xA0\x80\xC3"}) {
    CHECK(!IsUtf8WithSurrogates(AsBytes(bad)));
  }
}

}  // namespace safemodel::pickle
