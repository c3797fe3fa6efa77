// SPDX-License-Identifier: Apache-2.0
// What is worth a word and changes no verdict.
#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "pickle/assemble.h"

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
