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
