// SPDX-License-Identifier: Apache-2.0
// Every opcode: what it leaves, and what it refuses.
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "pickle/assemble.h"

namespace safemodel::pickle {
namespace {

using P = Program;

// Takes any persistent id.
class AnyId : public Layout {
 public:
  Result<NodeIndex> OnPersistentId(RuleContext&, NodeIndex reference) override { return reference; }
};

struct Row {
  Opcode opcode;  // the one the row is about
  std::string bytes;
  std::string shown;
};

std::vector<Row> Accepted() {
  using O = Opcode;
  const std::string nul(1, '\0');
  return {
      {O::kStop, "N.", "None"},
      {O::kProto, P(5).Ops("N").Stop(), "None"},
      {O::kProto, P(2).Ops("N0").Op(O::kProto).U8(4).Ops("N").Stop(), "None"},
      {O::kFrame, P(4).Op(O::kFrame).Number(2, 8).Ops("N").Stop(), "None"},
      {O::kFrame, P(4).Op(O::kFrame).Number(0, 8).Op(O::kFrame).Number(2, 8).Ops("N").Stop(), "None"},
      {O::kMark, P().Ops("(Nt").Stop(), "(None)"},
      {O::kPop, P().Ops("NI7\n0").Stop(), "None"},
      {O::kPop, P().Ops("N(0").Stop(), "None"},  // removes the mark
      {O::kPopMark, P().Ops("N(I1\nI2\n1").Stop(), "None"},
      {O::kDup, P().Ops("(N2t").Stop(), "(None, None)"},
      {O::kNone, "N.", "None"},
      {O::kNewTrue, P().Op(O::kNewTrue).Stop(), "True"},
      {O::kNewFalse, P().Op(O::kNewFalse).Stop(), "False"},
      {O::kInt, "I42\n.", "42"},
      {O::kInt, "I-9223372036854775808\n.", "-9223372036854775808"},
      {O::kInt, "I00\n.", "False"},
      {O::kInt, "I01\n.", "True"},
      {O::kLong, "L7L\n.", "7"},
      {O::kLong, "L9223372036854775808L\n.", "long 0 0 0 0 0 0 0 128 0"},
      {O::kLong, "L-9223372036854775809\n.", "long 255 255 255 255 255 255 255 127 255"},
      {O::kBinInt, P().Int(-2).Stop(), "-2"},
      {O::kBinInt1, P().Op(O::kBinInt1).U8(255).Stop(), "255"},
      {O::kBinInt2, P().Op(O::kBinInt2).Number(65535, 2).Stop(), "65535"},
      {O::kLong1, P().Op(O::kLong1).U8(0).Stop(), "0"},
      {O::kLong1, P().Op(O::kLong1).U8(2).Raw("\xFF\xFF").Stop(), "-1"},
      {O::kLong1, P().Op(O::kLong1).U8(10).Raw("\x01" + std::string(9, '\0')).Stop(), "1"},
      {O::kLong4, P().Op(O::kLong4).Number(9, 4).Raw(std::string(8, '\0') + "\x01").Stop(), "long 0 0 0 0 0 0 0 0 1"},
      {O::kFloat, "F1.5\n.", "1.5"},
      {O::kFloat, "F-inf\n.", "-inf"},
      {O::kFloat, "F1e-05\n.", "1e-05"},
      {O::kBinFloat, P().Op(O::kBinFloat).Raw("\xBF\xF8" + std::string(6, '\0')).Stop(), "-1.5"},
      {O::kString, "S'a\\x00\\n\\101\\'\\q'\n.", "py2'a\\x00\\x0aA'\\q'"},
      {O::kString, "S\"x\"\n.", "py2'x'"},
      {O::kBinString, P().Op(O::kBinString).Number(2, 4).Raw("\xFFz").Stop(), "py2'\\xffz'"},
      {O::kShortBinString, P().Op(O::kShortBinString).U8(1).Raw("z").Stop(), "py2'z'"},
      {O::kUnicode, "V\\u006fs\\\\u0041\xE9\n.", "'os\\\\u0041\\xc3\\xa9'"},
      {O::kUnicode, "V\\ud800\\U0001F600\n.", "'\\xed\\xa0\\x80\\xf0\\x9f\\x98\\x80'"},
      {O::kShortBinUnicode, P().Op(O::kShortBinUnicode).U8(2).Raw("ab").Stop(), "'ab'"},
      {O::kBinUnicode, P().Str("\xED\xA0\x80").Stop(), "'\\xed\\xa0\\x80'"},
      {O::kBinUnicode8, P().Op(O::kBinUnicode8).Number(1, 8).Raw("q").Stop(), "'q'"},
      {O::kShortBinBytes, P().Op(O::kShortBinBytes).U8(1).Raw("\x80").Stop(), "b'\\x80'"},
      {O::kBinBytes, P().Bytes("").Stop(), "b''"},
      {O::kBinBytes8, P().Op(O::kBinBytes8).Number(2, 8).Raw("hi").Stop(), "b'hi'"},
      {O::kBinBytes8, P().Op(O::kBinBytes8).Number(2u << 20, 8).Raw(std::string(2u << 20, 'x')).Stop(),
       "b'2097152 bytes'"},
      {O::kByteArray8, P().Op(O::kByteArray8).Number(2, 8).Raw("hi").Stop(), "array'hi'"},
      {O::kEmptyList, "].", "[]"},
      {O::kList, "(NI1\nl.", "[None, 1]"},
      {O::kAppend, "]NaI2\na.", "[None, 2]"},
      {O::kAppends, "](NI2\ne.", "[None, 2]"},
      {O::kEmptyTuple, ").", "()"},
      {O::kTuple, "(I1\nI2\nt.", "(1, 2)"},
      {O::kTuple1, P().Ops("N").Op(O::kTuple1).Stop(), "(None)"},
      {O::kTuple2, P().Ops("NI1\n").Op(O::kTuple2).Stop(), "(None, 1)"},
      {O::kTuple3, P().Ops("NI1\nI2\n").Op(O::kTuple3).Stop(), "(None, 1, 2)"},
      {O::kEmptyDict, "}.", "{}"},
      {O::kDict, "(I1\nNd.", "{1: None}"},
      {O::kSetItem, "}I1\nNs.", "{1: None}"},
      {O::kSetItems, "}(I1\nNI1\nI2\nu.", "{1: None, 1: 2}"},  // a log: nothing is overwritten
      {O::kEmptySet, P().Op(O::kEmptySet).Stop(), "set()"},
      {O::kAddItems, P().Op(O::kEmptySet).Ops("(I1\nN").Op(O::kAddItems).Stop(), "set(1, None)"},
      {O::kFrozenset, P().Ops("(I1\n").Op(O::kFrozenset).Stop(), "frozenset(1)"},
      {O::kPut, "(Np5\n0g5\nt.", "(None)"},
      {O::kGet, "(I3\np0\n0g0\nt.", "(3)"},
      {O::kBinPut, P().Ops("(I3\n").Op(O::kBinPut).U8(9).Ops("0").Op(O::kBinGet).U8(9).Ops("t").Stop(), "(3)"},
      {O::kBinGet, P().Ops("(I3\nq").U8(1).Ops("h").U8(1).Ops("t").Stop(), "(3, 3)"},
      {O::kLongBinPut, P().Ops("(I3\nr").Number(70000, 4).Ops("j").Number(70000, 4).Ops("t").Stop(), "(3, 3)"},
      {O::kLongBinGet, P().Ops("(I3\nr").Number(7, 4).Ops("j").Number(7, 4).Ops("t").Stop(), "(3, 3)"},
      // MEMOIZE counts entries: after 5 and 6 it writes 2.
      {O::kMemoize, P().Ops("(I1\nq").U8(5).Ops("q").U8(6).Ops("I2\n").Op(O::kMemoize).Ops("0h").U8(2).Ops("t").Stop(),
       "(1, 2)"},
      {O::kGlobal, P().Global("builtins", "len").Stop(), "builtins.len"},
      {O::kStackGlobal, P(4).StackGlobal("builtins", "len").Stop(), "builtins.len"},
      {O::kReduce, P().Called("collections", "OrderedDict").Stop(), "collections.OrderedDict()"},
      {O::kInst, "(iargparse\nNamespace\n.", "new argparse.Namespace()"},
      {O::kObj, P().Ops("(").Global("argparse", "Namespace").Ops("o").Stop(), "new argparse.Namespace()"},
      {O::kNewObj, P().Global("argparse", "Namespace").Ops(")").Op(O::kNewObj).Stop(), "new argparse.Namespace()"},
      {O::kNewObjEx, P().Global("argparse", "Namespace").Ops(")}").Op(O::kNewObjEx).Stop(), "new argparse.Namespace()"},
      {O::kBuild, P().Global("argparse", "Namespace").Ops(")").Op(O::kNewObj).Ops("}(").Str("a").Ops("Nub").Stop(),
       "new argparse.Namespace() state {'a': None}"},
      {O::kPersId, "Pkey\n.", "id 'key'"},
      {O::kBinPersId, "I1\nQ.", "id 1"},
      // Refused whatever surrounds them.
      {O::kExt1, P().Op(O::kExt1).U8(1).Stop(), "unsafe EXT-CODE"},
      {O::kExt2, P().Op(O::kExt2).Number(1, 2).Stop(), "unsafe EXT-CODE"},
      {O::kExt4, P().Op(O::kExt4).Number(1, 4).Stop(), "unsafe EXT-CODE"},
      {O::kNextBuffer, P(5).Op(O::kNextBuffer).Stop(), "malformed PKL-BUFFER"},
      {O::kReadonlyBuffer, P(5).Ops("N").Op(O::kReadonlyBuffer).Stop(), "malformed PKL-BUFFER"},
  };
}

struct Refusal {
  const char* why;
  std::string bytes;
  const char* shown;
};

std::vector<Refusal> Refused() {
  using O = Opcode;
  return {
      {"empty", "", "malformed PKL-MALFORMED"},
      {"no STOP", "N", "malformed PKL-MALFORMED"},
      {"STOP on an empty stack", ".", "malformed PKL-MALFORMED"},
      {"STOP on a mark", "(.", "malformed PKL-MALFORMED"},
      {"not an opcode", P().U8(0xFF).Stop(), "malformed PKL-MALFORMED"},
      {"protocol 6", P(6).Ops("N").Stop(), "malformed PKL-MALFORMED"},
      {"POP on an empty stack", "0N.", "malformed PKL-MALFORMED"},
      {"POP_MARK without a mark", "N1.", "malformed PKL-MALFORMED"},
      {"DUP across a mark", "N(2.", "malformed PKL-MALFORMED"},
      {"TUPLE without a mark", "Nt.", "malformed PKL-MALFORMED"},
      {"TUPLE2 across a mark", P().Ops("N(N").Op(O::kTuple2).Stop(), "malformed PKL-MALFORMED"},
      {"LIST without a mark", "Nl.", "malformed PKL-MALFORMED"},
      {"odd DICT", "(Nd.", "malformed PKL-MALFORMED"},
      {"odd SETITEMS", "}(Nu.", "malformed PKL-MALFORMED"},
      {"unhashable key", "}]Ns.", "malformed PKL-MALFORMED"},
      {"REDUCE on a short stack", ")R.", "malformed PKL-MALFORMED"},
      {"OBJ without a class", "(o.", "malformed PKL-MALFORMED"},
      {"GET of nothing", "g3\n.", "malformed PKL-MALFORMED"},
      {"GET of a negative number", "g-1\n.", "malformed PKL-MALFORMED"},
      {"PUT on an empty stack", "p0\nN.", "malformed PKL-MALFORMED"},
      {"memo number beyond all proportion", P().Ops("Nr").Number(0x7FFFFFFF, 4).Stop(), "limit LIMIT-MEMO"},
      {"memo number of 20 digits", "Np99999999999999999999\n.", "limit LIMIT-MEMO"},
      {"empty INT", "I\n.", "malformed PKL-MALFORMED"},
      {"INT of letters", "Ixyz\n.", "malformed PKL-MALFORMED"},
      {"INT with a leading zero", "I010\n.", "unsafe PKL-DIFFERENTIAL"},
      {"INT with a sign", "I+1\n.", "unsafe PKL-DIFFERENTIAL"},
      {"INT with a space", "I 1\n.", "unsafe PKL-DIFFERENTIAL"},
      {"INT with a NUL", P().Ops("I1").U8(0).Raw("\n").Stop(), "unsafe PKL-DIFFERENTIAL"},
      {"INT in hex", "I0x10\n.", "unsafe PKL-DIFFERENTIAL"},
      {"INT with an underscore", "I1_0\n.", "unsafe PKL-DIFFERENTIAL"},
      {"INT of 4 301 digits", "I" + std::string(4301, '1') + "\n.", "limit LIMIT-BYTES"},
      {"FLOAT with an underscore", "F1_0\n.", "unsafe PKL-DIFFERENTIAL"},
      {"FLOAT with a space", "F 1.5\n.", "unsafe PKL-DIFFERENTIAL"},
      {"FLOAT of nothing", "F\n.", "malformed PKL-MALFORMED"},
      {"LONG1 cut", P().Op(O::kLong1).U8(4).Raw("ab").bytes(), "malformed PKL-MALFORMED"},
      {"LONG4 of negative length", P().Op(O::kLong4).Number(0xFFFFFFFF, 4).Stop(), "malformed PKL-MALFORMED"},
      {"BINSTRING of negative length", P().Op(O::kBinString).Number(0x80000000, 4).Stop(), "malformed PKL-MALFORMED"},
      {"STRING without quotes", "Sabc\n.", "malformed PKL-MALFORMED"},
      {"STRING with two quotes", "S'abc\"\n.", "malformed PKL-MALFORMED"},
      {"STRING with a broken escape", "S'\\x1'\n.", "malformed PKL-MALFORMED"},
      {"UNICODE with a broken escape", "V\\u12\n.", "malformed PKL-MALFORMED"},
      {"UNICODE above U+10FFFF", "V\\U00110000\n.", "malformed PKL-MALFORMED"},
      {"BINUNICODE with overlong UTF-8", P().Str("\xC0\x80").Stop(), "malformed PKL-MALFORMED"},
      {"BINUNICODE with a cut surrogate", P().Str("\xED\xA0").Stop(), "malformed PKL-MALFORMED"},
      {"BINBYTES8 of 2^62", P().Op(O::kBinBytes8).Number(std::uint64_t{1} << 62, 8).Stop(), "malformed PKL-MALFORMED"},
      {"BYTEARRAY8 of 2^64-1", P().Op(O::kByteArray8).Number(~std::uint64_t{0}, 8).Stop(), "malformed PKL-MALFORMED"},
      {"frame in a frame",
       P(4).Op(O::kFrame).Number(20, 8).Op(O::kFrame).Number(2, 8).Ops("N.").Raw(std::string(20, 'N')).bytes(),
       "unsafe PKL-FRAME"},
      {"frame longer than the file", P(4).Op(O::kFrame).Number(200, 8).Ops("N").Stop(), "malformed PKL-MALFORMED"},
      {"STOP inside a frame", P(4).Op(O::kFrame).Number(5, 8).Ops("N.NNN").bytes(), "unsafe PKL-FRAME"},
      {"argument across the end of a frame", P(4).Op(O::kFrame).Number(3, 8).Str("abc").Stop(), "unsafe PKL-FRAME"},
      {"line across the end of a frame", P(4).Op(O::kFrame).Number(3, 8).Ops("I123456\n").Stop(), "unsafe PKL-FRAME"},
      {"GLOBAL with an empty module", "c\nlen\n.", "malformed PKL-MALFORMED"},
      {"GLOBAL that is not UTF-8", "cbuiltins\n\xFFx\n.", "malformed PKL-MALFORMED"},
      {"STACK_GLOBAL of a number", P(4).Int(1).Str("len").Op(O::kStackGlobal).Stop(), "malformed PKL-MALFORMED"},
      {"STACK_GLOBAL of bytes", P(4).Bytes("builtins").Str("len").Op(O::kStackGlobal).Stop(),
       "malformed PKL-MALFORMED"},
      {"EXT1 of zero", P().Op(O::kExt1).U8(0).Stop(), "malformed PKL-MALFORMED"},
      {"EXT4 of a negative code", P().Op(O::kExt4).Number(0x80000000, 4).Stop(), "malformed PKL-MALFORMED"},
      {"persistent id outside a layout", "Pkey\n.", "malformed PKL-PERSID"},
      {"a name that another import gives", P(4).Global("a.b", "c").Str("len").Op(O::kStackGlobal).Stop(),
       "unsafe GLOBAL-NAME"},
      {"a name of Python 2 that is not ASCII", "S'\xE9'\nVx\n" + P().Op(O::kStackGlobal).Stop(), "unsafe GLOBAL-NAME"},
      {"keyword arguments that another import gives",
       P().Global("argparse", "Namespace").Ops(")").Global("a.b", "c").Op(O::kNewObjEx).Stop(), "unsafe CALL-ARGS"},
      {"items of an imported object, and one too many", P().Global("a.b", "c").Ops("(]NNu").Stop(),
       "unsafe ITEMS-TARGET"},
      {"READONLY_BUFFER", P().Bytes("x").Op(O::kReadonlyBuffer).Stop(), "malformed PKL-BUFFER"},
      {"FLOAT in other letters", "FNaN\n.", "unsafe PKL-DIFFERENTIAL"},
      {"FLOAT out of range", "F1e999\n.", "unsafe PKL-DIFFERENTIAL"},
      {"INT of nothing and a NUL", P().Ops("I").U8(0).Raw("x\n").Stop(), "unsafe PKL-DIFFERENTIAL"},
      {"PUT with a space", "Np 5\n.", "unsafe PKL-DIFFERENTIAL"},
      {"keyword arguments that are no dict", P().Global("argparse", "Namespace").Ops("))").Op(O::kNewObjEx).Stop(),
       "malformed PKL-MALFORMED"},
  };
}

}  // namespace

TEST_CASE("opcodes: each leaves what the protocol says") {
  AnyId layout;
  std::set<Opcode> seen;
  for (const Row& row : Accepted()) {
    CAPTURE(row.bytes.substr(0, 60));
    CHECK(RunBytes(row.bytes, &layout)->Shown() == row.shown);
    seen.insert(row.opcode);
  }
  CHECK(seen.size() == 68);
}

TEST_CASE("opcodes: broken streams are refused with their code") {
  for (const Refusal& row : Refused()) {
    CAPTURE(row.why);
    CHECK(RunBytes(row.bytes)->Shown() == row.shown);
  }
}

TEST_CASE("opcodes: far memo numbers hold what was put there") {
  const auto far = [](const std::string& put, const std::string& get) {
    return RunBytes("Vos\n" + put + "0Vjson\np99999999999999999999\n0" + get + "Vsystem\n\x93.");
  };
  const std::pair<const char*, const char*> same[] = {{"p4000000000\n", "j\x00\x28\x6B\xEE"},
                                                      {"p9223372036854775808\n", "g9223372036854775808\n"},
                                                      {"p100000000000000000000\n", "g100000000000000000000\n"}};
  for (const auto& [put, get] : same) {
    const std::string number(get, get[0] == 'j' ? 5 : std::char_traits<char>::length(get));
    CHECK(far(put, number)->Shown() == "unsafe GLOBAL-DANGEROUS");
  }
}

TEST_CASE("opcodes: every prefix of a stream is refused") {
  AnyId layout;
  for (const Row& row : Accepted()) {
    if (row.bytes.size() > 1000) continue;
    for (std::size_t size = 0; size < row.bytes.size(); ++size) {
      const auto run = RunBytes(row.bytes.substr(0, size), &layout);
      CAPTURE(row.bytes);
      CAPTURE(size);
      // Two streams in a row: the first one is complete.
      if (run->result.ok()) CHECK(run->result.value().end < row.bytes.size());
      if (!run->result.ok()) CHECK(run->result.error().stage != Stage::kInternal);
    }
  }
}

TEST_CASE("opcodes: large objects lie outside frames") {
  // What CPython 3.8 and later write for large bytes.
  const std::string large(100000, 'x');
  const std::string framed = P(4).Op(Opcode::kFrame)
                                 .Number(1, 8)
                                 .Ops("(")
                                 .Op(Opcode::kBinBytes)
                                 .Number(large.size(), 4)
                                 .Raw(large)
                                 .Op(Opcode::kFrame)
                                 .Number(2, 8)
                                 .Ops("t")
                                 .Stop();
  const auto run = RunBytes(framed);
  REQUIRE(run->result.ok());
  const NodeIndex item = run->graph->ItemsOf(run->result.value().root)[0];
  CHECK(run->graph->SizeOf(item) == large.size());
  const auto source = run->graph->SourceOf(item);
  REQUIRE(source.ok());
  CHECK(AsText(ReadRange(*source.value(), 0, large.size(), large.size()).value()) == large);
}

TEST_CASE("opcodes: windows are invisible") {
  // Strings of all lengths around the sizes of windows.
  Program program;
  program.Ops("(");
  for (std::size_t size :
       {1u, 4000u, 5000u, 8191u, 8192u, 8193u, 20000u, 70000u, 262143u, 262145u, (1u << 21) - 1, (1u << 21) + 1})
    program.Str(std::string(size, 'a'));
  program.Ops("V" + std::string(300000, 'b') + "\nt");
  const auto run = RunBytes(program.Stop());
  REQUIRE(run->result.ok());
  const auto items = run->graph->ItemsOf(run->result.value().root);
  REQUIRE(items.size() == 13);
  CHECK(run->graph->TextOf(items[9]) == std::string(262145, 'a'));
  CHECK(run->graph->TextOf(items[12]) == std::string(300000, 'b'));
}

TEST_CASE("opcodes: bombs stay small") {
  SUBCASE("billion laughs") {
    Program program;
    program.Ops("(I1\nl");
    for (unsigned i = 0; i < 60; ++i) program.Op(Opcode::kBinPut).U8(i).Ops("0(h").U8(i).Ops("h").U8(i).Ops("l");
    const auto run = RunBytes(program.Stop());
    REQUIRE(run->result.ok());
    CHECK(run->graph->size() < 200);
  }
  SUBCASE("200 000 nested lists") {
    const auto run = RunBytes(std::string(200000, ']') + std::string(199999, 'a') + ".");
    CHECK(run->code() == "ok");
  }
  SUBCASE("a list that contains itself") {
    const auto run = RunBytes("]p0\ng0\na.");
    REQUIRE(run->result.ok());
    const NodeIndex root = run->result.value().root;
    CHECK(run->graph->ItemsOf(root)[0] == root);
  }
}

}  // namespace safemodel::pickle
