// SPDX-License-Identifier: Apache-2.0
// What hostile pickles may cost: each of these took seconds, or hundreds of megabytes, before it was bounded.
#include <string>

#include <doctest/doctest.h>

#include "pickle/assemble.h"
#include "pickle/pickle_probe.h"
#include "pickle/scan.h"
#include "pickle/tree.h"
#include "pickle/zip_builder.h"
#include "pickle/zip_member.h"
#include "testing/cpu_time.h"

namespace safemodel::pickle {
namespace {

using P = Program;

Result<ValueTree> TreeOf(Run& run) { return BuildTree(*run.graph, run.tables, run.result.value().root, run.limits); }

std::string CodeOf(const Result<ValueTree>& tree) { return tree.ok() ? "ok" : tree.error().code; }

// CountingSource counts the bytes that are read behind the highest offset that was read before.
class CountingSource final : public ByteSource {
 public:
  explicit CountingSource(SharedSource inner) : inner_(std::move(inner)) {}
  [[nodiscard]] std::uint64_t size() const override { return inner_->size(); }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset < last_) ++backwards_;
    last_ = offset;
    return inner_->ReadAt(offset, out);
  }
  void Reset() { last_ = backwards_ = 0; }
  [[nodiscard]] std::uint64_t backwards() const { return backwards_; }

 private:
  SharedSource inner_;
  mutable std::uint64_t last_ = 0;
  mutable std::uint64_t backwards_ = 0;
};

}  // namespace

TEST_CASE("cost: a million nested containers are refused before a tree is made of them") {
  const std::string tuples = P().Ops("N").bytes() + std::string(1'000'000, '\x85') + ".";
  const std::string lists = std::string(500'000, ']') + std::string(499'999, 'a') + ".";
  for (const std::string& bytes : {tuples, lists}) {
    const auto run = RunBytes(bytes);
    REQUIRE(run->code() == "ok");
    std::string code;
    // What is left is one allocation for each table of nodes.
    CHECK(testing::CpuSeconds([&] { code = CodeOf(TreeOf(*run)); }) < 0.5);
    CHECK(code == "LIMIT-DEPTH");
  }
}

TEST_CASE("cost: depth counts up to the limit of the value tree") {
  const auto nested = [](std::size_t depth) {
    const auto run = RunBytes(P().Ops("N").bytes() + std::string(depth - 1, '\x85') + ".");
    return CodeOf(TreeOf(*run));
  };
  CHECK(nested(10'000) == "ok");
  CHECK(nested(10'001) == "tree_too_deep");
  CHECK(nested(30'000) == "LIMIT-DEPTH");
}

TEST_CASE("cost: one dict may be the state of many objects") {
  P program;
  program.Ops("}(");
  for (int i = 0; i < 20'000; ++i) program.Str(std::to_string(i)).Ops("N");
  program.Ops("u").Op(Opcode::kMemoize).Ops("0").Global("some_package", "C").Op(Opcode::kMemoize).Ops("0(");
  for (int i = 0; i < 100'000; ++i)
    program.Raw(
        std::string_view("h\x01)\x81h\x00"
                         "b",
                         7));
  std::string code;
  CHECK(testing::CpuSeconds([&] { code = RunBytes(program.Ops("l").Stop())->code(); }) < 10);
  CHECK(code == "GLOBAL-UNLISTED");
}

TEST_CASE("cost: a dict that many objects share is still compared with the reserved names of each class") {
  P program;
  program.Ops("}").Str("forward").Ops("Ns").Op(Opcode::kMemoize).Ops("0");
  program.Ops("(")
      .Global("some_package", "C")
      .Ops(")")
      .Op(Opcode::kNewObj)
      .Raw(std::string_view("h\x00"
                            "b",
                            3));
  program.Global("torch.nn.modules.linear", "Linear")
      .Ops(")")
      .Op(Opcode::kNewObj)
      .Raw(std::string_view("h\x00"
                            "b",
                            3));
  CHECK(RunBytes(program.Ops("l").Stop())->code() == "STATE-RESERVED");
}

TEST_CASE("cost: large constants are read in the order of the stream") {
  P program;
  const std::string large((1u << 20) + 1, 'x');
  for (int i = 0; i < 8; ++i) program.Bytes(large).Op(Opcode::kMemoize).Ops("0");
  program.Ops("(");
  for (unsigned i = 8; i-- > 0;) program.Ops("h").U8(i);
  const std::string bytes = program.Ops("l").Stop();
  const auto counting = std::make_shared<CountingSource>(MakeMemorySource(ByteBuffer(bytes.begin(), bytes.end())));
  Graph graph(counting);
  ImportTables tables;
  const Limits limits;
  Findings findings;
  RuleContext context{graph, tables, limits, findings};
  const auto result = RunMachine(context, 0, {});
  REQUIRE(result.ok());
  counting->Reset();
  const auto tree = BuildTree(graph, tables, result.value().root, limits);
  REQUIRE(tree.ok());
  CHECK(counting->backwards() == 0);
  CHECK(tree.value().size() == 9);
  CHECK(tree.value().PayloadOf(8).size() == large.size());
}

TEST_CASE("cost: a compressed member is not inflated again and again") {
  const std::string plain(8u << 20, 'x');
  const std::string packed = testing::Deflate(plain);
  auto source = MakeInflatingSource(MakeMemorySource(ByteBuffer(packed.begin(), packed.end())), plain.size(),
                                    std::nullopt, "member", {.ratio = 100'000});
  REQUIRE(source.ok());
  std::string code;
  std::size_t passes = 0;
  for (; code.empty() && passes < 1000; ++passes) {
    ByteBuffer byte(1);
    const Status read = source.value()->ReadAt(passes % 2 == 0 ? plain.size() - 1 : 0, byte);
    if (!read.ok()) code = read.error().code;
  }
  CHECK(code == "LIMIT-BYTES");
  CHECK(passes > 40);  // far more than honest readers need
  CHECK(passes < 100);
}

TEST_CASE("cost: a long name is not copied for each of its calls") {
  P program(2);
  program.Global(std::string(1'000'000, 'a'), "f").Op(Opcode::kBinPut).U8(0).Ops("0");
  for (int i = 0; i < 80'000; ++i) program.Op(Opcode::kBinGet).U8(0).Ops(")R0");
  std::unique_ptr<Run> run;
  CHECK(testing::CpuSeconds([&] { run = RunBytes(program.Ops("N").Stop()); }) < 10);  // took minutes, and a gigabyte
  CHECK(run->code() == "CALL-UNLISTED");
  CHECK(run->result.error().subject.size() < 2000);
}

TEST_CASE("cost: long texts that many objects share") {
  const std::string text(1'000'000, '_');
  P state(2);
  state.Global("some_package", "C")
      .Op(Opcode::kBinPut)
      .U8(0)
      .Str("__" + text + "__")
      .Op(Opcode::kBinPut)
      .U8(1)
      .Ops("(");
  for (int i = 0; i < 20'000; ++i) {
    state.Op(Opcode::kBinGet).U8(0).Ops(")").Op(Opcode::kNewObj).Ops("}").Op(Opcode::kBinGet).U8(1).Ops("Nsb");
  }
  std::string code;
  CHECK(testing::CpuSeconds([&] { code = RunBytes(state.Ops("t").Stop())->code(); }) < 10);
  CHECK(code == "STATE-RESERVED");
  P fetched(2);
  fetched.Global("builtins", "getattr").Op(Opcode::kBinPut).U8(0).Global("collections", "OrderedDict");
  fetched.Op(Opcode::kBinPut).U8(1).Str(text).Op(Opcode::kBinPut).U8(2).Ops("(");
  for (int i = 0; i < 20'000; ++i) {
    for (unsigned number : {0u, 1u, 2u}) fetched.Op(Opcode::kBinGet).U8(number);
    fetched.Op(Opcode::kTuple2).Ops("R");
  }
  CHECK(testing::CpuSeconds([&] { code = RunBytes(fetched.Ops("t").Stop())->code(); }) < 10);
  CHECK(code == "CALL-UNLISTED");
}

TEST_CASE("cost: a module of very many parts") {
  std::string module;
  for (int i = 0; i < 400'000; ++i) module += "a.";
  const std::string bytes = P(2).Global(module + "b", "f").Stop();
  std::string code;
  CHECK(testing::CpuSeconds([&] { code = RunBytes(bytes)->code(); }) < 5);
  CHECK(code == "GLOBAL-UNLISTED");
  // What is dangerous stays so under whatever follows.
  CHECK(RunBytes(P(2).Global("os." + module + "b", "f").Stop())->code() == "GLOBAL-DANGEROUS");
  CHECK(RunBytes(P(2).Global("builtins", "eval." + module + "b").Stop())->code() == "GLOBAL-DANGEROUS");
}

TEST_CASE("cost: places of findings at the bottom of a deep object") {
  constexpr std::size_t kDepth = 400'000;
  P program(2);
  program.Raw(std::string(kDepth, ']')).Ops("(");
  for (int i = 0; i < 1000; ++i) program.Called("some_package", "f");
  program.Ops("e").Raw(std::string(kDepth - 1, 'a'));
  std::unique_ptr<Run> run;
  CHECK(testing::CpuSeconds([&] { run = RunBytes(program.Stop()); }) < 10);
  CHECK(run->code() == "CALL-UNLISTED");
}

TEST_CASE("cost: a storage of an ambiguous archive is inflated once, however often a pickle refers to it") {
  P program(2);
  program.Ops("(").Str("storage").Global("torch", "FloatStorage").Str("0").Str("cpu").Int(1 << 30);
  program.Ops("t").Raw(std::string("q\1Q0", 4));
  for (int i = 0; i < 20'000; ++i) program.Raw(std::string("h\1Q0", 4));
  const auto other_crc = [](testing::ZipField& field) { field.crc ^= 1; };  // readers differ about such an archive
  const std::vector<testing::ZipMember> members = {
      {"m/data.pkl", program.Ops("}").Stop()},
      {"m/version", "3\n", testing::ZipMember::Pack::kStored, other_crc},
      {"m/data/0", std::string(8u << 20, '\0'), testing::ZipMember::Pack::kDeflated}};
  Findings findings;
  CHECK(testing::CpuSeconds(
            [&] { CHECK(ScanSource(MakeMemorySource(testing::BuildZip(members)), {}, findings).ok()); }) < 10);
  CHECK(findings.Holds("MEM-SIZE"));
}

TEST_CASE("cost: searches for the next pickle share one budget") {
  SearchBudget budget;
  const std::string junk(1000, 'N');
  const ByteView view = AsBytes(junk);
  const SharedSource source = MakeMemorySource(ByteBuffer(view.begin(), view.end()));
  const auto first = FindPickle(source, 0, {}, budget);
  REQUIRE(first.ok());
  CHECK(first.value() == junk.size());
  const std::uint64_t left = budget.opcodes;
  CHECK(left < SearchBudget{}.opcodes - 400'000);  // each N starts a stream that runs to the end
  for (int i = 0; i < 20; ++i) REQUIRE(FindPickle(source, 0, {}, budget).ok());
  CHECK(budget.opcodes == 0);
  // A call behind the junk is found while there is a budget, and no longer.
  const std::string call =
      "\xFF"
      "csome_package\nf\n)R.";
  const ByteView behind = AsBytes(call);
  const SharedSource small = MakeMemorySource(ByteBuffer(behind.begin(), behind.end()));
  SearchBudget fresh;
  CHECK(FindPickle(small, 0, {}, fresh).value() == 1);
  CHECK(FindPickle(small, 0, {}, budget).value() == call.size());
}

}  // namespace safemodel::pickle
