// SPDX-License-Identifier: Apache-2.0
// What is worth a word and changes no verdict.
#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "pickle/assemble.h"
#include "testing/cpu_time.h"

namespace safemodel::pickle {
namespace {

using P = Program;

ScanReport ReportOf(const std::string& bytes) {
  const auto run = RunBytes(bytes);
  ScanReport report;
  std::move(run->findings).MoveTo(report);
  return report;
}

bool Notes(const ScanReport& report, std::string_view rule) {
  return std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
    return rule == finding.error.code && finding.verdict == ScanVerdict::kClean && finding.severity == Severity::kNote;
  });
}

}  // namespace

TEST_CASE("notes: values that no loader returns") {
  const ScanReport report = ReportOf(P(2).Ops("NN").Stop());
  CHECK(Notes(report, "PKL-LEFTOVER"));
  CHECK(report.verdict == ScanVerdict::kClean);
  CHECK_FALSE(Notes(ReportOf(P(2).Ops("N").Stop()), "PKL-LEFTOVER"));
}

TEST_CASE("notes: instructions that are newer than the declared protocol") {
  const std::string set = P().Op(Opcode::kEmptySet).Stop();
  CHECK(Notes(ReportOf(P(2).Raw(set).bytes()), "PKL-PROTO"));
  CHECK_FALSE(Notes(ReportOf(P(4).Raw(set).bytes()), "PKL-PROTO"));
  // Protocols 0 and 1 declare nothing.
  CHECK_FALSE(Notes(ReportOf(P().Ops("]").Stop()), "PKL-PROTO"));
}

TEST_CASE("notes: bytes for a parser in native code") {
  const P booster = P(4).StackGlobal("xgboost.core", "Booster")
                        .Ops(")")
                        .Op(Opcode::kNewObj)
                        .Ops("}")
                        .Str("handle")
                        .Op(Opcode::kByteArray8)
                        .Number(1, 8)
                        .Raw("x")
                        .Ops("sb");
  const ScanReport report = ReportOf(P(booster).Stop());
  CHECK(Notes(report, "NATIVE-PARSER"));
  CHECK(report.verdict == ScanVerdict::kClean);
}

namespace {

// Word is a text of six letters and digits for each number.
std::string Word(std::size_t number) {
  const std::string digits = std::to_string(number);
  return P().Str("w" + std::string(5 - digits.size(), '0') + digits).bytes();
}

// DictOf is a dict of as many words, and the word of `also`, set in one go.
std::string DictOf(std::size_t words, std::size_t also) {
  P dict = P(2).Ops("}(");
  for (std::size_t word = 0; word < words; ++word) dict.Raw(Word(word)).Ops("N");
  return dict.Raw(Word(also)).Ops("Nu").Stop();
}

}  // namespace

TEST_CASE("notes: keys that a dict sets twice") {
  for (const std::size_t words : {1U, 7U, 8U, 9U, 1000U, 5000U}) {
    CAPTURE(words);
    for (const std::size_t word : {std::size_t{0}, words / 2, words - 1}) {
      const ScanReport report = ReportOf(DictOf(words, word));
      CHECK(Notes(report, "PKL-DUP-KEY"));
      CHECK(report.verdict == ScanVerdict::kClean);
      CHECK(report.finding_count == 1);
      CHECK(report.findings[0].error.subject == Word(word).substr(5));
    }
    CHECK_FALSE(Notes(ReportOf(DictOf(words, words)), "PKL-DUP-KEY"));
  }
}

TEST_CASE("notes: keys of very large dicts are not compared") {
  CHECK(Notes(ReportOf(DictOf(65535, 0)), "PKL-DUP-KEY"));
  CHECK_FALSE(Notes(ReportOf(DictOf(65536, 0)), "PKL-DUP-KEY"));
}

TEST_CASE("notes: equal keys are found however the dict is filled") {
  const std::string a = Word(1);
  const std::string pair = a + "N" + a + "N";
  CHECK(Notes(ReportOf(P(2).Ops("(").Raw(pair).Ops("d").Stop()), "PKL-DUP-KEY"));
  CHECK(Notes(ReportOf(P(2).Ops("}").Raw(a).Ops("Ns").Raw(a).Ops("Ns").Stop()), "PKL-DUP-KEY"));
  CHECK(Notes(ReportOf(P(2).Called("collections", "OrderedDict").Ops("(").Raw(pair).Ops("u").Stop()), "PKL-DUP-KEY"));
  // Another dict is filled in between.
  const std::string inner = P().Ops("}").Raw(a).Ops("Ns").bytes();
  CHECK(Notes(ReportOf(P(2).Ops("}").Raw(a).Ops("Ns").Raw(a).Raw(inner).Ops("s").Stop()), "PKL-DUP-KEY"));
  CHECK_FALSE(Notes(ReportOf(P(2).Ops("}").Raw(a).Ops("Ns").Raw(Word(2)).Raw(inner).Ops("s").Stop()), "PKL-DUP-KEY"));
}

TEST_CASE("notes: which keys are equal") {
  const auto same = [](const std::string& left, const std::string& right) {
    return Notes(ReportOf(P(2).Ops("}(").Raw(left).Ops("N").Raw(right).Ops("Nu").Stop()), "PKL-DUP-KEY");
  };
  const std::string one = "K\x01";
  const std::string float_one = P().Op(Opcode::kBinFloat).Raw(std::string_view("\x3f\xf0\0\0\0\0\0\0", 8)).bytes();
  const std::string half = P().Op(Opcode::kBinFloat).Raw(std::string_view("\x3f\xe0\0\0\0\0\0\0", 8)).bytes();
  const std::string text = P().Str("a").bytes();
  const std::string name = P().Global("builtins", "int").bytes();
  CHECK(same(one, "I1\n"));
  CHECK(same(one, "I01\n"));
  CHECK(same(one, float_one));
  CHECK(same(half, half));
  CHECK(same(text, P().Raw("U\x01").Raw("a").bytes()));
  CHECK(same(P().Bytes("a").bytes(), P().Bytes("a").bytes()));
  CHECK(same("N", "N"));
  CHECK(same(name, name));
  CHECK(same("L36893488147419103232L\n", "L36893488147419103232L\n"));
  CHECK_FALSE(same("L36893488147419103232L\n", "L36893488147419103233L\n"));
  CHECK_FALSE(same(one, half));
  CHECK_FALSE(same(one, P().Str("1").bytes()));
  CHECK_FALSE(same(text, P().Bytes("a").bytes()));
  CHECK_FALSE(same(text, P().Str("b").bytes()));
  CHECK_FALSE(same(name, P().Global("builtins", "float").bytes()));
  CHECK_FALSE(same(one, "N"));
}

TEST_CASE("notes: many dicts that share long keys cost no more than the stream") {
  const std::string end = std::string(1 << 19, 'x');
  P program = P(2).Str(end + "a").Ops("q").U8(0).Str(end + "b").Ops("q").U8(1);
  for (int i = 0; i < 100000; ++i) program.Ops("}(h").U8(0).Ops("Nh").U8(1).Ops("Nu0");
  ScanReport report;
  CHECK(testing::CpuSeconds([&] { report = ReportOf(program.Ops("0").Stop()); }) < 10);
  CHECK(report.verdict == ScanVerdict::kClean);
}

TEST_CASE("notes: attributes that a class is not listed with") {
  const auto dict_with = [](std::string_view name) {
    return ReportOf(P(2).Called("collections", "OrderedDict").Ops("}").Str(name).Ops("Nsb").Stop());
  };
  const ScanReport report = dict_with("comment");
  CHECK(Notes(report, "STATE-EXTRA"));
  CHECK(report.verdict == ScanVerdict::kClean);
  CHECK(report.findings[0].error.subject == "collections.OrderedDict.comment");
  CHECK_FALSE(Notes(dict_with("_metadata"), "STATE-EXTRA"));
  const P namespace_of = P(2).Global("argparse", "Namespace").Ops(")").Op(Opcode::kNewObj).Ops("}").Str("x").Ops("Nsb");
  CHECK_FALSE(Notes(ReportOf(P(namespace_of).Stop()), "STATE-EXTRA"));
}

TEST_CASE("findings: each tells its instruction, its call and its place") {
  const std::string call = P().Global("some_package", "run").Ops("(").Str("x").Ops("tR").bytes();
  const ScanReport report = ReportOf(P(2).Ops("}(").Str("model").Ops("](").Raw(call).Ops("eu").Stop());
  const auto found = std::find_if(report.findings.begin(), report.findings.end(),
                                  [](const Finding& finding) { return finding.opcode == "REDUCE"; });
  REQUIRE(found != report.findings.end());
  CHECK(std::string(found->error.code) == "CALL-UNLISTED");
  CHECK(found->call == "some_package.run('x')");
  CHECK(found->tree_path == "root['model'][0]");
  CHECK(found->opcode_index == 10);
  CHECK(report.verdict == ScanVerdict::kDangerous);
}

TEST_CASE("findings: reading goes on behind a refusal") {
  const ScanReport report = ReportOf(P(2).Ops("(").Called("a.b", "c").Called("d.e", "f").Ops("t").Stop());
  CHECK(std::count_if(report.findings.begin(), report.findings.end(), [](const Finding& finding) {
          return std::string_view(finding.error.code) == "CALL-UNLISTED";
        }) == 2);
  CHECK(report.globals.size() == 2);
  REQUIRE(report.streams.size() == 1);
  CHECK(report.streams[0].protocol == 2);
}

}  // namespace safemodel::pickle
