// SPDX-License-Identifier: Apache-2.0
#include "json/json.h"

#include <doctest/doctest.h>

#include "base/cursor.h"

namespace safemodel::json {
namespace {

constexpr Limits kLimits = {1 << 20, 16};

struct Refusal {
  const char* reason;
  std::string text;
  Stage stage = Stage::kMalformed;
};

std::string Nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST_CASE("json: values keep their kind and members their order") {
  auto parsed = Parse(AsBytes(R"( {"b": [1, -2, 1.5, true, null], "a": "x\u00e9\ud83d\ude00\n"} )"), kLimits);
  REQUIRE(parsed.ok());
  const Value& root = parsed.value();
  REQUIRE(root.AsObject() != nullptr);
  CHECK(root.AsObject()->at(0).first == "b");
  CHECK(root.AsObject()->at(1).first == "a");
  CHECK(*root.Find("a")->AsString() == "x\xC3\xA9\xF0\x9F\x98\x80\n");
  const Array& items = *root.Find("b")->AsArray();
  REQUIRE(items.size() == 5);
  CHECK(items[0].AsUnsigned() == 1);
  CHECK_FALSE(items[1].AsUnsigned().has_value());
  CHECK_FALSE(items[2].AsUnsigned().has_value());
  CHECK(items[3].AsBool() == true);
  CHECK(items[4].is_null());
  CHECK(root.Find("c") == nullptr);
  CHECK(items[0].Find("c") == nullptr);
}

TEST_CASE("json: an integer written with a fraction or exponent is no integer") {
  for (const char* text : {"1.0", "1e0", "1E+2", "-0.0"}) {
    CAPTURE(text);
    auto parsed = Parse(AsBytes(text), kLimits);
    REQUIRE(parsed.ok());
    CHECK_FALSE(parsed.value().AsUnsigned().has_value());
  }
  CHECK(Parse(AsBytes("18446744073709551615"), kLimits).value().AsUnsigned() == ~std::uint64_t{0});
}

TEST_CASE("json: what is not strict is refused") {
  const Refusal refusals[] = {
      {"empty", ""},
      {"only space", " \n"},
      {"equal keys", R"({"role":1,"role":2})"},
      {"keys equal after unescaping", R"({"role":1,"r\u006fle":2})"},
      {"equal keys far apart and nested", R"({"x":{"a":1,"b":2,"c":3,"a":4}})"},
      {"byte order mark", "\xEF\xBB\xBF{}"},
      {"UTF-16 text", std::string("{\0}\0", 4)},
      {"text behind", "{} x"},
      {"second value", "{}{}"},
      {"NUL and text behind, which nlohmann takes for the end", std::string("{}\0{}", 5)},
      {"NUL alone behind", std::string("{}\0", 3)},
      {"NaN", "[NaN]"},
      {"infinity", "[Infinity]"},
      {"a number over the range of doubles", "[1e400]"},
      {"an integer over 64 bits", "[18446744073709551616]"},
      {"a negative integer over 64 bits", "[-9223372036854775809]"},
      {"line comment", "{} // c"},
      {"block comment", "{/* c */}"},
      {"trailing comma in array", "[1,]"},
      {"trailing comma in object", R"({"a":1,})"},
      {"single quotes", "{'a':1}"},
      {"leading zero", "[01]"},
      {"plus sign", "[+1]"},
      {"lone point", "[1.]"},
      {"lone high surrogate", R"(["\ud800"])"},
      {"lone low surrogate", R"(["\udc00"])"},
      {"surrogates exchanged", R"(["\udc00\ud800"])"},
      {"surrogate as UTF-8", "[\"\xED\xA0\x80\"]"},
      {"overlong UTF-8", "[\"\xC0\xAF\"]"},
      {"cut UTF-8", "[\"\xE2\x82\"]"},
      {"beyond Unicode", "[\"\xF4\x90\x80\x80\"]"},
      {"raw control in a string", "[\"a\nb\"]"},
      {"unterminated string", "[\"a"},
      {"unterminated array", "[1"},
      {"unknown escape", R"(["\x41"])"},
      {"upper-case literal", "[True]"},
      {"no-break space between tokens", "[\xC2\xA0]"},
      {"one level too deep", Nested(17), Stage::kLimit},
      {"a million levels", std::string(1000000, '['), Stage::kLimit},
      {"over the length", std::string((1 << 20) + 1, ' '), Stage::kLimit},
  };
  for (const Refusal& refusal : refusals) {
    CAPTURE(refusal.reason);
    const auto parsed = Parse(AsBytes(refusal.text), kLimits);
    REQUIRE_FALSE(parsed.ok());
    CHECK(StageName(parsed.error().stage) == StageName(refusal.stage));
  }
}

TEST_CASE("json: limits accept what is at the limit") {
  CHECK(Parse(AsBytes(Nested(16)), kLimits).ok());
  CHECK(Parse(AsBytes(std::string((1 << 20) - 2, ' ') + "{}"), kLimits).ok());
}

TEST_CASE("json: a refusal names the offset") {
  CHECK(Parse(AsBytes(R"({"a":1,"a":2})"), kLimits).error().offset == 10);
  CHECK(Parse(AsBytes("[1,]"), kLimits).error().offset == 3);
}

TEST_CASE("json: a hundred thousand keys take no quadratic time") {
  std::string text = "{";
  for (int i = 0; i < 100000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  CHECK(Parse(AsBytes(text + "\"z\":0}"), {8 << 20, 16}).ok());
  const auto repeated = Parse(AsBytes(text + "\"k5\":0}"), {8 << 20, 16});
  REQUIRE_FALSE(repeated.ok());
  CHECK(std::string(repeated.error().code) == "equal_keys");
  CHECK(repeated.error().subject == "k5");
}

TEST_CASE("json: a quoted text reads back as itself, without a control byte") {
  std::string all;
  for (int c = 1; c < 0x80; ++c) all += static_cast<char>(c);
  for (int c = 0x80; c < 0xC0; ++c) all += {static_cast<char>(0xC2), static_cast<char>(c)};
  const std::string texts[] = {"", "plain", all, std::string(1, '\0'), "\xF0\x9F\x98\x80", "\"\\\"", "\xE2\x80\xA8"};
  for (const std::string& text : texts) {
    const std::string quoted = Quote(text);
    for (const char c : quoted) CHECK(static_cast<unsigned char>(c) >= 0x20);
    const auto parsed = Parse(AsBytes(quoted), kLimits);
    REQUIRE(parsed.ok());
    CHECK(*parsed.value().AsString() == text);
  }
}

}  // namespace
}  // namespace safemodel::json
