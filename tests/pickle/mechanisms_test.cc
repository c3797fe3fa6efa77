// SPDX-License-Identifier: Apache-2.0
// Ways past other scanners. Each row names the rule that must fire.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/allow_list.h"
#include "pickle/assemble.h"

namespace safemodel::pickle {
namespace {

using P = Program;
using O = Opcode;

struct Row {
  const char* mechanism;
  std::string bytes;
  const char* rule;
};

// Names that no list of dangerous names contains, so that the rule about calls alone must suffice.
P Harmless() { return P().Global("some_package.module", "function"); }
P Namespace() { return P().Global("argparse", "Namespace").Ops(")").Op(O::kNewObj); }

std::vector<Row> Calls() {
  return {
      {"GLOBAL and REDUCE", Harmless().Ops("(").Str("x").Ops("tR").Stop(), "CALL-UNLISTED"},
      {"STACK_GLOBAL and REDUCE", P(4).StackGlobal("some_package", "function").Ops(")R").Stop(), "CALL-UNLISTED"},
      {"INST", P().Ops("(").Str("x").Raw("isome_package\nfunction\n").Stop(), "CALL-UNLISTED"},
      {"INST without arguments", P().Raw("(isome_package\nfunction\n").Stop(), "CALL-UNLISTED"},
      {"OBJ", P().Ops("(").Global("some_package", "function").Str("x").Ops("o").Stop(), "CALL-UNLISTED"},
      {"OBJ without arguments", P().Ops("(").Global("some_package", "function").Ops("o").Stop(), "CALL-UNLISTED"},
      {"NEWOBJ of a lazy builtin",
       P().Global("builtins", "map").Ops("(").Global("builtins", "len").Ops("]t").Op(O::kNewObj).Stop(),
       "NEW-UNLISTED"},
      {"NEWOBJ_EX of a lazy builtin", P().Global("builtins", "map").Ops(")}").Op(O::kNewObjEx).Stop(), "NEW-UNLISTED"},
      {"NEWOBJ of a known function", P().Global("builtins", "len").Ops(")").Op(O::kNewObj).Stop(), "NEW-UNLISTED"},
      {"keyword arguments", P().Global("argparse", "Namespace").Ops(")}").Str("a").Ops("Ns").Op(O::kNewObjEx).Stop(),
       "CALL-ARGS"},
      {"NEWOBJ with a list", P().Global("argparse", "Namespace").Ops("]").Op(O::kNewObj).Stop(), "PKL-DIFFERENTIAL"},
      {"calling a known value", P().Global("builtins", "len").Ops("(").Str("x").Ops("tR").Stop(), "CALL-UNLISTED"},
      {"calling a result", Namespace().Ops(")R").Stop(), "CALL-NOT-GLOBAL"},
      {"calling a text", P().Str("os.system").Ops(")R").Stop(), "CALL-NOT-GLOBAL"},
      {"REDUCE with a list", P().Global("collections", "OrderedDict").Ops("]R").Stop(), "PKL-DIFFERENTIAL"},
      {"a call whose result is dropped", Harmless().Ops(")R0N").Stop(), "CALL-UNLISTED"},
      {"a call before the stream breaks", Harmless().Ops(")R").U8(0xFF).bytes(), "CALL-UNLISTED"},
      {"a call before the file ends", Harmless().Ops(")R").bytes(), "CALL-UNLISTED"},
      {"a call before the stack underflows", Harmless().Ops(")R000000").bytes(), "CALL-UNLISTED"},
      {"a call behind an unknown class",
       P().Global("a.b", "C").Ops(")").Op(O::kNewObj).Ops("0").Raw(Harmless().Ops(")R").Stop()).bytes(),
       "CALL-UNLISTED"},
      {"_reconstructor of a function as base",
       P().Global("copyreg", "_reconstructor")
           .Ops("(")
           .Global("argparse", "Namespace")
           .Global("builtins", "len")
           .Ops("NtR")
           .Stop(),
       "CALL-ARGS"},
      {"_reconstructor of a result",
       P().Global("copyreg", "_reconstructor")
           .Ops("(")
           .Raw(Namespace().bytes())
           .Global("builtins", "object")
           .Ops("NtR")
           .Stop(),
       "CALL-NOT-GLOBAL"},
      {"_reconstructor of a library class",
       P().Global("copyreg", "_reconstructor")
           .Ops("(")
           .Global("zipfile", "ZipFile")
           .Global("builtins", "object")
           .Ops("NtR")
           .Stop(),
       "NEW-UNLISTED"},
      {"nested loader", P().Global("torch.storage", "_load_from_bytes").Ops("(").Bytes("x").Ops("tR").Stop(),
       "CALL-ARGS"},
      {"_codecs.encode with another codec",
       P().Global("_codecs", "encode").Ops("(").Str("x").Str("rot13").Ops("tR").Stop(), "CALL-ARGS"},
      {"_codecs.encode of a function",
       P().Global("_codecs", "encode").Ops("(").Global("builtins", "len").Str("latin1").Ops("tR").Stop(), "CALL-ARGS"},
      {"partial of an unlisted function",
       P().Global("functools", "partial").Ops("(").Global("some_package", "function").Ops("tR").Stop(), "CALL-ARGS"},
      {"defaultdict with a function",
       P().Global("collections", "defaultdict").Ops("(").Global("some_package", "function").Ops("tR").Stop(),
       "CALL-ARGS"},
      {"extension registry",
       P().Global("copyreg", "add_extension")
           .Ops("(")
           .Str("os")
           .Str("system")
           .Int(1)
           .Ops("tR0")
           .Op(O::kExt1)
           .U8(1)
           .Stop(),
       "GLOBAL-DANGEROUS"},
      {"extension code alone", P().Op(O::kExt1).U8(1).Ops(")R").Stop(), "EXT-CODE"},
  };
}

std::vector<Row> Names() {
  const std::string escaped =
      "Vo\\u0073\nVsystem\n\x93"
      ")R.";
  return {
      {"dangerous import as a value", P().Global("os", "system").Stop(), "GLOBAL-DANGEROUS"},
      {"its submodules too", P().Global("os.path", "join").Stop(), "GLOBAL-DANGEROUS"},
      {"unlisted import as a value", P().Global("some_package", "thing").Stop(), "GLOBAL-UNLISTED"},
      {"Python 2 name", P(2).Global("cPickle", "loads").Stop(), "GLOBAL-DANGEROUS"},
      {"Python 2 name that is mapped", P(2).Global("__builtin__", "execfile").Stop(), "GLOBAL-DANGEROUS"},
      {"Python 2 module that is mapped", P(2).Global("urllib2", "urlopen").Stop(), "GLOBAL-DANGEROUS"},
      {"private module behind a harmless one", P(4).StackGlobal("random", "_os.system").Stop(), "GLOBAL-DOTTED"},
      {"modules behind a harmless one", P(4).StackGlobal("collections", "_sys.modules.get").Stop(), "GLOBAL-DOTTED"},
      {"os behind torch", P(4).StackGlobal("torch", "os.system").Stop(), "GLOBAL-DOTTED"},
      {"os behind numpy, protocol 2", P(2).Global("numpy", "os.system").Stop(), "GLOBAL-DOTTED"},
      {"name that is no identifier", P(4).StackGlobal("builtins", "f.<locals>.g").Stop(), "GLOBAL-NAME"},
      {"module with a space", P().Global("os ", "system").Stop(), "GLOBAL-NAME"},
      {"relative module", P(4).StackGlobal(".os", "system").Stop(), "GLOBAL-NAME"},
      {"resolver", P().Global("pkgutil", "resolve_name").Stop(), "GLOBAL-DANGEROUS"},
      {"attribute getter", P().Global("operator", "attrgetter").Stop(), "GLOBAL-DANGEROUS"},
      {"escapes in names", escaped, "GLOBAL-DANGEROUS"},
      {"STRING escapes in names", P().Raw("S'\\x6fs'\nS'system'\n\x93").Stop(), "GLOBAL-DANGEROUS"},
      {"names by way of the memo",
       P(4).Str("os")
           .Op(O::kMemoize)
           .Str("system")
           .Op(O::kMemoize)
           .Ops("00h")
           .U8(0)
           .Ops("h")
           .U8(1)
           .Op(O::kStackGlobal)
           .Stop(),
       "GLOBAL-DANGEROUS"},
      {"memo by reference",
       P(4).Str("os")
           .Ops("2")
           .Op(O::kMemoize)
           .Ops("00")
           .Str("system")
           .Op(O::kMemoize)
           .Ops("0h")
           .U8(0)
           .Ops("h")
           .U8(1)
           .Op(O::kStackGlobal)
           .Stop(),
       "GLOBAL-DANGEROUS"},
      {"memo with holes",
       P(4).Str("len")
           .Ops("q")
           .U8(5)
           .Ops("q")
           .U8(6)
           .Ops("0")
           .Str("os")
           .Op(O::kMemoize)
           .Ops("0h")
           .U8(2)
           .Str("system")
           .Op(O::kStackGlobal)
           .Stop(),
       "GLOBAL-DANGEROUS"},
      {"decoys above a mark",
       P(4).Str("os").Str("system").Ops("(").Str("builtins").Str("len").Ops("1").Op(O::kStackGlobal).Stop(),
       "GLOBAL-DANGEROUS"},
      {"POP of a mark", P(4).Str("os").Str("system").Ops("(0").Op(O::kStackGlobal).Stop(), "GLOBAL-DANGEROUS"},
  };
}

std::vector<Row> States() {
  return {
      {"__setstate__ planted by BUILD",
       Namespace().Ops("}").Str("__setstate__").Global("builtins", "len").Ops("sb").Stop(), "STATE-RESERVED"},
      {"__class__ replaced", Namespace().Ops("}").Str("__class__").Ops("Nsb").Stop(), "STATE-RESERVED"},
      {"slots state", Namespace().Ops("N}").Str("__call__").Ops("Ns").Op(O::kTuple2).Ops("b").Stop(), "STATE-RESERVED"},
      {"append planted on an unknown class",
       P().Global("a.b", "C").Ops(")").Op(O::kNewObj).Ops("}").Str("append").Global("builtins", "len").Ops("sb").Stop(),
       "STATE-RESERVED"},
      {"forward of a module",
       P().Global("torch.nn.modules.linear", "Linear")
           .Ops(")")
           .Op(O::kNewObj)
           .Ops("}")
           .Str("forward")
           .Global("builtins", "len")
           .Ops("sb")
           .Stop(),
       "STATE-RESERVED"},
      {"state on a module", P().Global("builtins", "len").Ops("}b").Stop(), "STATE-TARGET"},
      {"state on a list", P().Ops("]}b").Stop(), "STATE-TARGET"},
      {"state on a dict", P().Ops("}}b").Stop(), "STATE-TARGET"},
      {"two states", Namespace().Ops("}b}b").Stop(), "STATE-SCHEMA"},
      {"a function in the state of data",
       P().Global("uuid", "UUID")
           .Ops(")")
           .Op(O::kNewObj)
           .Ops("}")
           .Str("int")
           .Global("builtins", "len")
           .Ops("sb")
           .Stop(),
       "STATE-SCHEMA"},
      {"APPEND on an object", Namespace().Ops("Na").Stop(), "ITEMS-TARGET"},
      {"APPENDS on a dict", P().Ops("}(Ne").Stop(), "ITEMS-TARGET"},
      {"SETITEM on a list", P().Ops("]I0\nNs").Stop(), "ITEMS-TARGET"},
      {"SETITEM on an object", Namespace().Str("a").Ops("Ns").Stop(), "ITEMS-TARGET"},
      {"ADDITEMS on a list", P().Ops("](N").Op(O::kAddItems).Stop(), "ITEMS-TARGET"},
      {"ADDITEMS on an object", Namespace().Ops("(N").Op(O::kAddItems).Stop(), "ITEMS-TARGET"},
      {"APPEND on a function", P().Global("builtins", "len").Ops("Na").Stop(), "ITEMS-TARGET"},
      {"data changed after the call that checked it",
       P().Global("builtins", "set").Ops("(]p0\nI1\natR0g0\nI2\na").Stop(), "CALL-ARGS"},
      {"state changed after BUILD",
       Namespace().Ops("}p0\nb0g0\n").Str("__setstate__").Global("builtins", "len").Ops("s").Stop(), "CALL-ARGS"},
  };
}

// Values are what somebody calls, asks or hashes later. Whole programs of listed names stand in
// tests/scan/gadget_rows.py.
std::vector<Row> Values() {
  const std::string bunch = P().Global("sklearn.utils._bunch", "Bunch").Ops(")").Op(O::kNewObj).bytes();
  const std::string reducer = P().Global("torch.storage", "_load_from_bytes").bytes();
  const std::string triplet =
      P().Global("sklearn.impute._iterative", "_ImputerTriplet").Ops("(NNNt").Op(O::kNewObj).bytes();
  const std::string module = P().Global("torch.nn.modules.linear", "Identity").Ops(")").Op(O::kNewObj).bytes();
  return {
      {"a reducer as the result", P().Raw(reducer).Stop(), "GLOBAL-VALUE"},
      {"a reducer in a list", P().Ops("]").Raw(reducer).Ops("a").Stop(), "GLOBAL-VALUE"},
      {"getattr as an attribute", Namespace().Ops("}").Str("f").Global("builtins", "getattr").Ops("sb").Stop(),
       "GLOBAL-VALUE"},
      {"a reducer in a list, and the stream breaks off", P().Ops("]").Raw(reducer).Ops("a").bytes(), "GLOBAL-VALUE"},
      {"a reducer as the argument of an unknown class",
       P().Global("a.b", "C").Ops("(").Raw(reducer).Ops("t").Op(O::kNewObj).Stop(), "GLOBAL-VALUE"},
      {"a dunder among the items of a Bunch", P().Raw(bunch).Str("__array__").Ops("Ns").Stop(), "STATE-RESERVED"},
      {"a dunder among submodules",
       P().Raw(module).Ops("}").Str("_modules").Ops("}").Str("__array__").Ops("Nssb").Stop(), "STATE-RESERVED"},
      {"a dunder among submodules that were attributes of somebody else",
       P().Global("a.b", "C")
           .Ops(")")
           .Op(O::kNewObj)
           .Ops("}")
           .Str("__array__")
           .Ops("Nsp0\nb0")
           .Raw(module)
           .Ops("}")
           .Str("_modules")
           .Ops("g0\nsb")
           .Stop(),
       "STATE-RESERVED"},
      {"a function as a submodule",
       P().Raw(module).Ops("}").Str("_modules").Ops("}").Str("f").Global("builtins", "len").Ops("ssb").Stop(),
       "STATE-SCHEMA"},
      {"a partial over an object",
       P().Global("functools", "partial")
           .Ops("(")
           .Global("builtins", "len")
           .Ops("tR(")
           .Global("builtins", "len")
           .Ops("(")
           .Raw(bunch)
           .Ops("tNNtb")
           .Stop(),
       "STATE-SCHEMA"},
      {"a key whose hash asks its attributes", P().Ops("}").Raw(triplet).Ops("Ns").Stop(), "ITEMS-TARGET"},
      {"such a key in a tuple", P().Ops("}(").Raw(triplet).Ops("tNs").Stop(), "ITEMS-TARGET"},
      {"such an item", P().Global("builtins", "set").Ops("(](").Raw(triplet).Ops("etR").Stop(), "ITEMS-TARGET"},
  };
}

}  // namespace

TEST_CASE("mechanisms: calls, names, states, values") {
  for (const auto& rows : {Calls(), Names(), States(), Values()}) {
    for (const Row& row : rows) {
      CAPTURE(row.mechanism);
      CHECK(RunBytes(row.bytes)->code() == row.rule);
    }
  }
}

TEST_CASE("mechanisms: what is refused as unsafe says where and whom") {
  const auto run = RunBytes(P(2).Ops("N0").Raw(Harmless().Ops(")R").Stop()).bytes());
  REQUIRE(!run->result.ok());
  CHECK(run->result.error().stage == Stage::kUnsafe);
  CHECK(run->result.error().subject == "some_package.module.function");
  CHECK(run->result.error().offset == 4 + 30 + 1);
}

TEST_CASE("mechanisms: unknown names are kept inert when asked, dangerous ones never") {
  const auto keep = ConvertOptions::Unknown::kKeepInert;
  const std::string object =
      P().Global("a.b", "C").Ops(")").Op(O::kNewObj).Ops("}").Str("x").Ops("I1\nsb(I7\ne").Stop();
  const auto run = RunBytes(object, nullptr, keep);
  CHECK(run->Shown() == "inert new a.b.C() state {'x': 1} appends [7]");
  REQUIRE(run->tables.inert.size() == 1);
  CHECK(run->tables.inert[0].name == "a.b.C");
  CHECK(run->tables.inert[0].offset == 0);
  CHECK(RunBytes(object)->code() == "GLOBAL-UNLISTED");
  for (const auto& rows : {Calls(), States()}) {
    for (const Row& row : rows) {
      if (std::string_view(row.mechanism) == "_codecs.encode with another codec")
        continue;  // plain data, merely unknown
      CAPTURE(row.mechanism);
      CHECK(RunBytes(row.bytes, nullptr, keep)->code() == row.rule);
    }
  }
}

TEST_CASE("mechanisms: a stream that breaks is broken, not unknown") {
  CHECK(RunBytes(P().Global("a.b", "C").Ops("(").bytes())->code() == "PKL-MALFORMED");
  CHECK(RunBytes(P().Global("a.b", "C").Ops("t").Stop())->code() == "PKL-MALFORMED");
}

TEST_CASE("mechanisms: known objects") {
  const std::pair<std::string, const char*> rows[] = {
      {P(2).Global("__builtin__", "set").Ops("(]I1\natR").Stop(), "__builtin__.set([1])"},
      {P(2).Global("copy_reg", "_reconstructor")
           .Ops("(")
           .Global("argparse", "Namespace")
           .Global("__builtin__", "object")
           .Ops("NtR")
           .Stop(),
       "new argparse.Namespace()"},
      {P(2).Global("_codecs", "encode").Ops("(").Str("a\xC3\xBF").Str("latin1").Ops("tR").Stop(), "b'a\\xff'"},
      {P(2).Global("__builtin__", "bytearray").Ops("(").Str("\xC3\xBF").Str("latin-1").Ops("tR").Stop(),
       "array'\\xff'"},
      {P(2).Global("__builtin__", "bytes").Ops(")R").Stop(), "b''"},
      {P(2).Global("collections", "OrderedDict").Ops("(]tR(I1\nI2\nu").Stop(),
       "collections.OrderedDict([]) items {1: 2}"},
      {P(2).Global("collections", "deque").Ops(")R(I1\ne").Stop(), "collections.deque() appends [1]"},
      {P(2).Global("collections", "defaultdict").Ops("(").Global("__builtin__", "list").Ops("tR").Stop(),
       "collections.defaultdict(__builtin__.list)"},
      {P(3).Global("datetime", "timedelta").Ops("(I1\nI2\nI3\ntR").Stop(), "datetime.timedelta(1, 2, 3)"},
      {P(3).Global("datetime", "timedelta").Ops("(I1\nI86400\nI3\ntR").Stop(), "malformed PKL-MALFORMED"},
      {P(3).Global("functools", "partial")
           .Ops("(")
           .Global("builtins", "len")
           .Ops("tR(")
           .Global("builtins", "len")
           .Ops(")NNtb")
           .Stop(),
       "functools.partial(builtins.len) state (builtins.len, (), None, None)"},
      {P(4).StackGlobal("pathlib", "PosixPath").Ops("(").Str("/").Str("tmp").Ops("tR").Stop(),
       "pathlib.PosixPath('/', 'tmp')"},
  };
  for (const auto& [bytes, shown] : rows) CHECK(RunBytes(bytes)->Shown() == shown);
}

TEST_CASE("mechanisms: functions that stand where their names are stated are no values") {
  const char* rebuilt = "numpy.random._pickle.__randomstate_ctor('MT19937', numpy.random._pickle.__bit_generator_ctor)";
  const auto random = P(4).StackGlobal("numpy.random._pickle", "__randomstate_ctor")
                          .Ops("(")
                          .Str("MT19937")
                          .StackGlobal("numpy.random._pickle", "__bit_generator_ctor")
                          .Ops("tR");
  CHECK(RunBytes(Program(random).Stop())->Shown() == rebuilt);
  CHECK(RunBytes(P().Global("builtins", "type").Stop())->Shown() == "builtins.type");
  CHECK(RunBytes(P().Global("builtins", "max").Stop())->Shown() == "builtins.max");
}

TEST_CASE("mechanisms: a tuple of functions that many calls share costs once") {
  Program program;
  program.Ops("(").Global("builtins", "getattr").Ops("p0\n0(").Raw(std::string(20000, 'N'));
  for (int i = 0; i < 20000; ++i) program.Ops("g0\n");
  program.Ops("tp1\n0").Global("a.b", "C").Ops("p2\n0");
  for (int i = 0; i < 20000; ++i) program.Ops("g2\ng1\n").Op(O::kNewObj).Ops("0");
  CHECK(RunBytes(program.Ops("0N").Stop())->code() == "GLOBAL-VALUE");
}

TEST_CASE("mechanisms: work stays linear however data is shared") {
  // One list of 20 000 items, passed to 20 000 calls.
  Program program;
  program.Ops("(").Ops("]p0\n(").Raw(std::string(20000, 'N')).Ops("e0").Global("builtins", "set").Ops("p1\n0");
  for (int i = 0; i < 20000; ++i) program.Ops("g1\n(g0\ntR0");
  const auto run = RunBytes(program.Ops("N").Stop());
  CHECK(run->code() == "LIMIT-COUNT");
}

}  // namespace safemodel::pickle
