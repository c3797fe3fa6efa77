// SPDX-License-Identifier: Apache-2.0
// Values of the standard library: what is written as a call of type or getattr, and texts that cost their readers much.
#include <string>

#include <doctest/doctest.h>

#include "pickle/assemble.h"

namespace safemodel::pickle {
namespace {

using P = Program;

// Of calls module.name with arguments that `args` pushes.
std::string Of(std::string_view module, std::string_view name, const P& args) {
  return RunBytes(P().Global(module, name).Ops("(").Raw(args.bytes()).Ops("tR").Stop())->code();
}

P Words(std::int32_t last, int count = 624) {
  P words;
  words.Ops("(").Int(3).Ops("(");
  for (int i = 0; i < count; ++i) words.Int(i);
  return words.Int(last).Ops("tNt");
}

std::string RandomOf(const P& state) {
  return RunBytes(P().Global("random", "Random").Ops(")R").Raw(state.bytes()).Ops("b").Stop())->code();
}

}  // namespace

TEST_CASE("standard library: type tells the types of constants, and makes none") {
  CHECK(Of("builtins", "type", P().Ops("N")) == "ok");
  CHECK(Of("builtins", "type", P().Global("builtins", "Ellipsis")) == "ok");
  CHECK(RunBytes(P().Global("__builtin__", "type").Ops("(NtR").Stop())->Shown() == "types.NoneType");
  CHECK(Of("builtins", "type", P().Global("builtins", "len")) == "CALL-UNLISTED");
  CHECK(Of("builtins", "type", P().Str("X")) == "CALL-UNLISTED");
  CHECK(Of("builtins", "type", P().Str("X").Ops(")}")) == "CALL-UNLISTED");
  CHECK(Of("builtins", "type", P()) == "CALL-UNLISTED");
}

TEST_CASE("standard library: getattr fetches listed methods only") {
  const P pattern = P().Global("re", "_compile").Ops("(").Str("a").Int(0).Ops("tR");
  CHECK(Of("builtins", "getattr", P().Global("builtins", "str").Str("lower")) == "ok");
  CHECK(Of("builtins", "getattr", P(pattern).Str("findall")) == "ok");
  CHECK(Of("builtins", "getattr", P(pattern).Str("__class__")) == "CALL-UNLISTED");
  CHECK(Of("builtins", "getattr", P().Global("builtins", "str").Str("__subclasses__")) == "CALL-UNLISTED");
  CHECK(Of("builtins", "getattr", P().Global("builtins", "str").Str("format")) == "CALL-UNLISTED");
  CHECK(Of("builtins", "getattr", P().Str("text").Str("lower")) == "CALL-UNLISTED");
  CHECK(Of("builtins", "getattr", P().Global("builtins", "len").Str("__self__")) == "CALL-UNLISTED");
  CHECK(Of("builtins", "getattr", P().Global("builtins", "str").Str("lower").Ops("N")) == "CALL-UNLISTED");
  // A method is a value: nothing may call what was fetched.
  const P lower = P().Global("builtins", "getattr").Ops("(").Global("builtins", "str").Str("lower").Ops("tR");
  CHECK(RunBytes(P(lower).Ops("(").Str("X").Ops("tR").Stop())->code() == "CALL-UNLISTED");
  const P find = P().Global("builtins", "getattr").Ops("(").Raw(pattern.bytes()).Str("findall").Ops("tR");
  CHECK(RunBytes(P(find).Ops("(").Str("X").Ops("tR").Stop())->code() == "CALL-NOT-GLOBAL");
}

TEST_CASE("standard library: a time zone is a name inside the folder of time zones") {
  const auto zone = [](std::string_view key) {
    const P unpickle =
        P().Global("builtins", "getattr").Ops("(").Global("zoneinfo", "ZoneInfo").Str("_unpickle").Ops("tR");
    return RunBytes(P(unpickle).Ops("(").Str(key).Int(1).Ops("tR").Stop())->code();
  };
  CHECK(zone("America/Argentina/Buenos_Aires") == "ok");
  CHECK(zone("Etc/GMT+5") == "ok");
  for (const char* key : {"", "/etc/passwd", "../../etc/passwd", "a//b", "a/", "a\\b", "a b"}) {
    CAPTURE(key);
    CHECK(zone(key) == "PKL-MALFORMED");
  }
}

TEST_CASE("standard library: texts of numbers are as large as the numbers") {
  const auto decimal = [](std::string_view text) { return Of("decimal", "Decimal", P().Str(text)); };
  for (const char* text : {"0", "-0", "1.50", "1E+1000000", "-2.5E-7", "Infinity", "NaN", "-sNaN123"}) {
    CAPTURE(text);
    CHECK(decimal(text) == "ok");
  }
  for (const char* text :
       {"", "1E+1000101", "1E+999999999", "1E99999999999999999999", "1E5", "1.", ".5", "0x1", "1_0"}) {
    CAPTURE(text);
    CHECK(decimal(text) == "PKL-MALFORMED");
  }
  CHECK(decimal(std::string(4300, '1')) == "ok");
  CHECK(decimal(std::string(4301, '1')) == "LIMIT-BYTES");
  const auto fraction = [](std::string_view text) { return Of("fractions", "Fraction", P().Str(text)); };
  for (const char* text : {"0", "-3", "22/7", "-1/300"}) CHECK(fraction(text) == "ok");
  for (const char* text : {"1E999999999", "1/0", "1/-2", "1.5", "/2", "1/", " 1"}) {
    CAPTURE(text);
    CHECK(fraction(text) == "PKL-MALFORMED");
  }
  CHECK(fraction(std::string(8601, '1')) == "LIMIT-BYTES");
  CHECK(Of("fractions", "Fraction", P().Int(1).Int(0)) == "PKL-MALFORMED");
  CHECK(Of("fractions", "Fraction", P().Int(1).Int(-2)) == "ok");
  const P large = P().Op(Opcode::kLong4).Number(1787, 4).Raw(std::string(1787, '\x11'));
  CHECK(Of("fractions", "Fraction", P(large).Int(1)) == "LIMIT-BYTES");
}

TEST_CASE("standard library: a random generator stays inside its words") {
  CHECK(RandomOf(Words(0)) == "ok");
  CHECK(RandomOf(Words(624)) == "ok");
  CHECK(RandomOf(Words(625)) == "STRUCT-RNG");
  CHECK(RandomOf(Words(1, 623)) == "STRUCT-RNG");
  CHECK(RandomOf(Words(1, 625)) == "STRUCT-RNG");
}

TEST_CASE("standard library: arrays hold whole items of their type") {
  const auto packed = [](std::string_view type, int format, std::size_t size) {
    const P args = P().Global("array", "array").Str(type).Int(format).Bytes(std::string(size, 'x'));
    return Of("array", "_array_reconstructor", args);
  };
  CHECK(packed("d", 16, 24) == "ok");
  CHECK(packed("d", 16, 23) == "PKL-MALFORMED");
  CHECK(packed("z", 16, 24) == "PKL-MALFORMED");
  CHECK(packed("", 16, 24) == "PKL-MALFORMED");
  CHECK(Of("array", "array", P().Str("i").Ops("(").Int(1).Ops("l")) == "ok");
  CHECK(Of("array", "array", P().Str("i").Ops("(").Str("a").Ops("l")) == "PKL-MALFORMED");
  CHECK(Of("array", "array", P().Str("u").Ops("(").Str("a").Ops("l")) == "ok");
}

}  // namespace safemodel::pickle
