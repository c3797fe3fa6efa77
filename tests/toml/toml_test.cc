// SPDX-License-Identifier: Apache-2.0
#include "toml/toml.h"

#include <doctest/doctest.h>

#include "base/cursor.h"
#include "testing/cpu_time.h"

namespace safemodel::toml {
namespace {

Result<Table> ParseText(std::string_view text) { return Parse(AsBytes(text), "policy.toml"); }

Table Parsed(std::string_view text) {
  auto table = ParseText(text);
  REQUIRE(table.ok());
  return std::move(table).value();
}

// Describe shows an error as "code subject".
std::string Describe(const Error& error) {
  CHECK(error.stage == Stage::kConfig);
  return std::string(error.code) + " " + error.subject;
}

std::string Repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST_CASE("toml: typed getters read what is there") {
  Table table = Parsed(R"(
name = "demo"      # comment with [ and "
n = 9007199254740991
on = true
list = ["a", 'b']
inner.x = 1
[[key]]
id = "first"
[[key]]
id = "second"
)");
  CHECK(table.RequiredString("name").value() == "demo");
  CHECK(table.RequiredInteger("n").value() == kMaxInteger);
  CHECK(table.RequiredBool("on").value());
  CHECK(table.RequiredStrings("list").value() == std::vector<std::string>{"a", "b"});
  CHECK(table.Keys() == std::vector<std::string>{"inner", "key"});
  Table inner = table.RequiredTable("inner").value();
  CHECK(inner.RequiredInteger("x").value() == 1);
  CHECK(inner.Finish().ok());
  auto keys = table.Tables("key").value();
  REQUIRE(keys.size() == 2);
  CHECK(keys[1].RequiredString("id").value() == "second");
  CHECK(table.Finish().ok());
}

TEST_CASE("toml: what is absent") {
  Table table = Parsed("[a.b]\n");
  CHECK_FALSE(table.OptionalString("x").value().has_value());
  CHECK_FALSE(table.OptionalInteger("x").value().has_value());
  CHECK_FALSE(table.OptionalBool("x").value().has_value());
  CHECK_FALSE(table.OptionalStrings("x").value().has_value());
  CHECK_FALSE(table.OptionalTable("x").value().has_value());
  CHECK(table.Tables("x").value().empty());
  Table inner = table.RequiredTable("a").value().RequiredTable("b").value();
  CHECK(Describe(inner.RequiredString("x").error()) == "missing_field policy.toml:1:1: a.b.x");
  CHECK_FALSE(inner.RequiredInteger("x").ok());
  CHECK_FALSE(inner.RequiredBool("x").ok());
  CHECK_FALSE(inner.RequiredStrings("x").ok());
  CHECK_FALSE(inner.RequiredTable("x").ok());
}

TEST_CASE("toml: an unknown key is refused where it stands") {
  Table table = Parsed("a = 1\n[t]\n  \"odd key\" = 2\n  other = 3\n");
  CHECK(Describe(table.Finish().error()) == "unknown_field policy.toml:1:1: a");
  Table inner = table.RequiredTable("t").value();
  CHECK(Describe(inner.Finish().error()) == "unknown_field policy.toml:3:3: t.\"odd key\"");
  CHECK(Describe(inner.Refuse("other", "mine", "text")) == "mine policy.toml:4:11: t.other");
  CHECK(Describe(inner.Refuse("absent", "mine", "text")) == "mine policy.toml:2:1: t");
}

TEST_CASE("toml: wrong types") {
  Table table = Parsed("s = 1\ni = 1.0\nb = 'true'\nl = ['a', 1]\nt = []\nts = [{}, 1]\nd = 1979-05-27\n");
  CHECK(Describe(table.RequiredString("s").error()) == "wrong_type policy.toml:1:5: s");
  CHECK(Describe(table.RequiredInteger("i").error()) == "wrong_type policy.toml:2:5: i");
  CHECK(Describe(table.RequiredBool("b").error()) == "wrong_type policy.toml:3:5: b");
  CHECK(Describe(table.RequiredStrings("l").error()) == "wrong_type policy.toml:4:11: l");
  CHECK(Describe(table.RequiredTable("t").error()) == "wrong_type policy.toml:5:5: t");
  CHECK(Describe(table.Tables("ts").error()) == "wrong_type policy.toml:6:11: ts");
  CHECK(Describe(table.RequiredString("d").error()) == "wrong_type policy.toml:7:5: d");
  CHECK(Describe(table.Tables("s").error()) == "wrong_type policy.toml:1:5: s");
}

TEST_CASE("toml: integers are those that every reader of JSON and TOML has") {
  Table table = Parsed("a = -1\nb = 9007199254740992\nc = 0x10\nd = 5\n");
  CHECK(Describe(table.RequiredInteger("a").error()) == "out_of_range policy.toml:1:5: a");
  CHECK(Describe(table.RequiredInteger("b").error()) == "out_of_range policy.toml:2:5: b");
  CHECK(table.RequiredInteger("b", {0, ~std::uint64_t{0}}).error().code == std::string("out_of_range"));
  CHECK(table.RequiredInteger("c").value() == 16);
  CHECK_FALSE(table.RequiredInteger("d", {6, 9}).ok());
  CHECK_FALSE(table.RequiredInteger("d", {1, 4}).ok());
  CHECK(table.RequiredInteger("d", {5, 5}).value() == 5);
}

TEST_CASE("toml: text that is refused, with its place") {
  struct Row {
    std::string text;
    std::string error;
  };
  const std::string nul("a = 1\nb = \"\0\"", 13);
  const Row rows[] = {
      {"a = 1\na = 2\n", "toml_syntax policy.toml:2:"},
      {"[t]\n[t]\n", "toml_syntax policy.toml:2:"},
      {"t = {}\nt.a = 1\n", "toml_syntax policy.toml:2:"},
      {"a = 9223372036854775808\n", "toml_syntax policy.toml:1:"},
      {"a = \"x\n", "toml_syntax policy.toml:1:"},
      {"\u00e9 = 1\n", "toml_syntax policy.toml:1:1"},
      {"a = 1 \u042b\n", "toml_syntax policy.toml:1:"},
      {"a = \"\"\"\\\u00e9\"\"\"\n", "toml_syntax policy.toml:1:"},
      {"a = 9\"\u033b\"\n", "toml_syntax policy.toml:1:"},
      {"a = \"x\"\"y\"\n", "toml_syntax policy.toml:1:"},
      {"[.a]\n", "toml_syntax policy.toml:1:"},
      {"[[.a]]\n", "toml_syntax policy.toml:1:"},
      {"a..b = 1\n", "toml_syntax policy.toml:1:"},
      {"\xEF\xBB\xBF"
       "a = 1\n",
       "toml_encoding policy.toml:1:1"},
      {"a = 1\nb = \"\xFF\"\n", "toml_encoding policy.toml"},
      {"a = \"\xED\xA0\x80\"\n", "toml_encoding policy.toml"},
      {nul, "toml_encoding policy.toml:2:6"},
      {"a = \"\\u0000\"\n", "toml_encoding policy.toml:1:5"},
      {"\"\\u0000\" = 1\n", "toml_encoding policy.toml:1:1"},
      {std::string(1 << 20, '#') + "\n", "too_large policy.toml"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text.substr(0, 40));
    const auto table = ParseText(row.text);
    REQUIRE_FALSE(table.ok());
    CHECK(Describe(table.error()).substr(0, row.error.size()) == row.error);
  }
  CHECK(ParseText(std::string((1 << 20) - 1, '#') + "\n").ok());
  CHECK(ParseText("").ok());
}

TEST_CASE("toml: nesting is refused before anything recurses") {
  // As much as fits 1 MiB, in every way that TOML nests.
  const std::size_t many = 500000;
  const std::string deep[] = {
      "a = " + std::string(10000, '['),
      "a = " + std::string(many, '[') + std::string(many, ']'),
      "a = " + Repeated("{a=", many / 2),
      Repeated("a.", many) + "a = 1\n",
      "[" + Repeated("a.", many) + "a]\n",
      "[[" + Repeated("a . ", many / 4) + "a]]\n",
      "x = '''\n''''' \n" + Repeated("a.", many / 2) + "a = 1\n",
      "x = \"\"\"\\\"\"\"\"\"\"\n" + Repeated("'a'.", many / 4) + "a = 1\n",
      "a = 1 # '\n" + Repeated("\"a\".", many / 4) + "a = 1\n",
      "[a.a.a.a.a.a.a.a.a]\na.a.a.a.a.a.a.a.a = 1\n",
      "a.a.a.a.a.a.a.a = {a.a.a.a.a.a.a.a.a = {}}\n",
  };
  for (const std::string& text : deep) {
    CAPTURE(text.substr(0, 40));
    const auto refused = [&] {
      const auto table = ParseText(text);
      REQUIRE_FALSE(table.ok());
      CHECK(table.error().code == std::string("too_deep"));
      CHECK(table.error().stage == Stage::kConfig);
    };
    CHECK(testing::CpuSeconds(refused) < 5);
  }
}

TEST_CASE("toml: letters of all languages in strings, quoted keys and comments") {
  Table table = Parsed(
      "# \u00e9\n'\u00e9' = \"\u042b \u00e9\" # \u042b\n"
      "b = \"\"\"\n\u00e9\\n\u00e9\\\n x\u00e9\"\"\"\nc = '''\u00e9'''\n");
  CHECK(table.RequiredString("\u00e9").value() == "\u042b \u00e9");
  CHECK(table.RequiredString("b").value() == "\u00e9\n\u00e9x\u00e9");
  CHECK(table.RequiredString("c").value() == "\u00e9");
}

TEST_CASE("toml: dots and brackets that nest nothing are no nesting") {
  const std::string many = Repeated("1.5, ", 1000);
  CHECK(ParseText("a = [" + many + "]\n").ok());
  CHECK(ParseText("a = '" + std::string(1000, '[') + Repeated(".", 1000) + "'\n").ok());
  CHECK(ParseText("a = \"\\\"" + std::string(1000, '[') + "\" # " + std::string(1000, '.') + "\n").ok());
  CHECK(ParseText("a = '''\n" + std::string(1000, '{') + "\n'''''\nb = \"\"\"'''\\\"\"\"\"\"\n").ok());
  CHECK(ParseText(Repeated("[[t]]\na.b = [{c = 1}, {c.d = 2}]\n", 1000)).ok());
}

TEST_CASE("toml: 1 MiB of the densest text is read in time linear to it") {
  std::string keys;
  for (std::size_t i = 0; keys.size() < 1000000; ++i) keys += "k" + std::to_string(i) + "=1\n";
  const std::string texts[] = {keys, "a=[" + Repeated("[],", 330000) + "]", Repeated("[[t]]\n", 170000)};
  for (const std::string& text : texts) {
    CHECK(testing::CpuSeconds([&] { CHECK(ParseText(text).ok()); }) < 20);
  }
}

}  // namespace
}  // namespace safemodel::toml
