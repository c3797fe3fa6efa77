// SPDX-License-Identifier: Apache-2.0
// Tar archives of torch 0.1.1.
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/cursor.h"
#include "pickle/assemble.h"
#include "pickle/import.h"
#include "pickle/tar_builder.h"

namespace safemodel::pickle {
namespace {

using P = Program;

std::string Plain(P program) { return program.Stop(); }
std::string Count(std::int32_t count) { return P(2).Int(count).Stop(); }

std::string Storage(std::int32_t key, const char* type, std::uint64_t count, std::string_view bytes) {
  const std::string head = P(2).Ops("(").Int(key).Str("cpu").Global("torch", type).Ops("t").Stop();
  return head + P().Number(count, 8).Raw(bytes).bytes();
}

std::string Part(std::int32_t key, std::int32_t root, std::int32_t offset, std::int32_t count) {
  return P().Ops("(").Int(key).Int(root).Int(offset).Int(count).Ops("t").bytes();
}

std::string Parts(const std::string& items) { return P(2).Ops("](").Raw(items).Ops("e").Stop(); }

std::string Tensor(std::int32_t key, std::int32_t storage, const char* type, const std::vector<std::uint64_t>& numbers,
                   std::uint32_t rank = 1) {
  P program(2);
  program.Ops("(").Int(key).Int(storage).Global("torch", type).Ops("t");
  P tail;
  tail.Number(rank, 4).Raw("ZZZZ");
  for (const std::uint64_t number : numbers) tail.Number(number, 8);
  return program.Stop() + tail.bytes();
}

// Members are those of an archive; a test replaces some.
struct Members {
  std::string sys_info = P(2).Ops("}").Stop();
  std::string pickle = P(2).Ops("](").Int(5).Ops("Q").Int(5).Ops("Qe").Stop();
  std::string storages = Count(1) + Storage(1, "FloatStorage", 4, "0123456789abcdef") + Parts("");
  std::string tensors = Count(1) + Tensor(5, 1, "FloatTensor", {2, 2, 1});  // two elements, stride 2, from 1 on
  std::vector<safemodel::testing::TarMember> others = {};

  [[nodiscard]] Result<ImportedModel> Import() const {
    std::vector<safemodel::testing::TarMember> members = others;
    for (const auto& [name, data] :
         {std::pair{"sys_info", &sys_info}, {"pickle", &pickle}, {"storages", &storages}, {"tensors", &tensors}}) {
      if (*data != "absent") members.push_back({name, *data});
    }
    return ImportPickleFamily(safemodel::testing::SourceOf(safemodel::testing::BuildTar(members)), {});
  }
};

std::string With(const std::function<void(Members&)>& change) {
  Members members;
  change(members);
  const auto model = members.Import();
  return model.ok() ? "ok" : model.error().code;
}

}  // namespace

TEST_CASE("torch tar: tensors are views into storages, one key is one tensor") {
  const auto model = Members().Import();
  REQUIRE(model.ok());
  CHECK(model.value().layout == "torch-tar");
  REQUIRE(model.value().tensors.size() == 1);
  CHECK(model.value().tensors[0].byte_offset == 4);
  CHECK(model.value().tensors[0].strides == std::vector<std::uint64_t>{2});
  CHECK(AsText(ReadRange(*model.value().storages.at(0).source, 0, 16, 16).value()) == "0123456789abcdef");
  CHECK(model.value().globals == std::vector<std::string>{"torch.FloatStorage", "torch.FloatTensor"});
  // Storages have keys too, and in protocol 0 keys are texts.
  CHECK(With([](Members& m) { m.pickle = "P1\n."; }) == "ok");
  CHECK(With([](Members& m) { m.pickle = "P5\n."; }) == "ok");
}

TEST_CASE("torch tar: parts of storages") {
  const auto code = [](const std::string& parts, const std::string& tensor) {
    return With([&](Members& m) {
      m.storages = Count(1) + Storage(1, "FloatStorage", 4, "0123456789abcdef") + Parts(parts);
      m.tensors = Count(1) + tensor;
    });
  };
  CHECK(code(Part(2, 1, 1, 2), Tensor(5, 2, "FloatTensor", {2, 1, 0})) == "ok");
  CHECK(code(Part(2, 1, 1, 2), Tensor(5, 2, "FloatTensor", {3, 1, 0})) == "MEM-VIEW");
  CHECK(code(Part(2, 1, 1, 3) + Part(3, 2, 1, 2), Tensor(5, 3, "FloatTensor", {2, 1, 0})) == "ok");
  CHECK(code(Part(2, 1, 1, 3) + Part(3, 2, 1, 3), Tensor(5, 3, "FloatTensor", {2, 1, 0})) == "MEM-STORAGE");
  CHECK(code(Part(2, 1, 2, 3), Tensor(5, 1, "FloatTensor", {2, 1, 0})) == "MEM-STORAGE");
  CHECK(code(Part(2, 9, 0, 0), Tensor(5, 1, "FloatTensor", {2, 1, 0})) == "MEM-STORAGE");
  CHECK(code(Part(1, 1, 0, 1), Tensor(5, 1, "FloatTensor", {2, 1, 0})) == "MEM-STORAGE");
  CHECK(code(Part(2, 1, -1, 1), Tensor(5, 1, "FloatTensor", {2, 1, 0})) == "PKL-MALFORMED");
}

TEST_CASE("torch tar: storages that are not what they say") {
  const auto code = [](const std::string& storages) { return With([&](Members& m) { m.storages = storages; }); };
  const std::string good = Storage(1, "FloatStorage", 4, "0123456789abcdef");
  CHECK(code(Count(1) + good + Parts("") + "x") == "PKL-TRAILING");
  CHECK(code(Count(2) + good + Parts("")) == "PKL-MALFORMED");
  CHECK(code(Count(2) + good + good + Parts("")) == "MEM-STORAGE");
  CHECK(code(Count(-1) + Parts("")) == "PKL-MALFORMED");
  CHECK(code(Count(1) + Storage(1, "DoubleStorage", std::uint64_t{1} << 61, "") + Parts("")) == "MEM-SIZE");
  CHECK(code(Count(1) + Storage(1, "FloatStorage", 1000, "0123") + Parts("")) == "PKL-MALFORMED");
  CHECK(code(Count(1) + Storage(1, "FloatTensor", 4, "0123456789abcdef") + Parts("")) == "PKL-MALFORMED");
  CHECK(code(Count(1) + Storage(1, "QInt8Storage", 4, "0123") + Parts("")) == "FILE-UNSUPPORTED");
}

TEST_CASE("torch tar: tensors that reach outside") {
  const auto code = [](const std::string& tensor, std::int32_t count = 1) {
    return With([&](Members& m) { m.tensors = Count(count) + tensor; });
  };
  const std::uint64_t negative = ~std::uint64_t{0};
  CHECK(code(Tensor(5, 1, "FloatTensor", {4, 1, 0})) == "ok");
  CHECK(code(Tensor(5, 1, "FloatTensor", {4, 1, 1})) == "MEM-VIEW");
  CHECK(code(Tensor(5, 1, "FloatTensor", {negative, 1, 0})) == "MEM-VIEW");
  CHECK(code(Tensor(5, 1, "FloatTensor", {4, negative, 0})) == "MEM-VIEW");
  CHECK(code(Tensor(5, 1, "FloatTensor", {4, 1, negative})) == "MEM-VIEW");
  CHECK(code(Tensor(5, 1, "FloatTensor", {std::uint64_t{1} << 62, 0, 0})) == "MEM-SIZE");
  CHECK(code(Tensor(5, 1, "FloatTensor", {4, 1, 0}, 65)) == "MEM-VIEW");
  CHECK(code(Tensor(5, 1, "FloatTensor", {4, 1, 0}, 0xFFFFFFFF)) == "MEM-VIEW");
  CHECK(code(Tensor(5, 1, "FloatTensor", {4, 1, 0}, 2)) == "PKL-MALFORMED");
  CHECK(code(Tensor(5, 1, "LongTensor", {4, 1, 0})) == "MEM-STORAGE");
  CHECK(code(Tensor(5, 2, "FloatTensor", {4, 1, 0})) == "MEM-STORAGE");
  CHECK(code(Tensor(1, 1, "FloatTensor", {4, 1, 0})) == "MEM-STORAGE");
  CHECK(code(Tensor(5, 1, "FloatTensor", {4, 1, 0}) + "x") == "PKL-TRAILING");
  CHECK(code(Tensor(5, 1, "FloatTensor", {4, 1, 0}), 2) == "PKL-MALFORMED");
}

TEST_CASE("torch tar: members") {
  for (std::string Members::*member : {&Members::sys_info, &Members::pickle, &Members::storages, &Members::tensors}) {
    CHECK(With([&](Members& m) { m.*member = "absent"; }) == "FILE-MISSING");
    const std::string evil = P(2).Global("os", "system").Ops("(").Str("id").Ops("tR").Stop();
    CHECK(With([&](Members& m) { m.*member = evil; }) == "GLOBAL-DANGEROUS");
    // A program in one member counts even when another one is not there.
    CHECK(With([&](Members& m) {
            m.tensors = "absent";
            m.*member = evil;
          }) == "GLOBAL-DANGEROUS");
  }
  CHECK(With([](Members& m) { m.others = {{"README", "text"}}; }) == "FILE-UNSUPPORTED");
  CHECK(With([](Members& m) { m.others = {{"README", "cos\nsystem\n."}}; }) == "GLOBAL-DANGEROUS");
  CHECK(With([](Members& m) { m.sys_info = Count(1); }) == "PKL-MALFORMED");
  CHECK(With([](Members& m) { m.pickle += "x"; }) == "PKL-TRAILING");
  CHECK(With([](Members& m) { m.pickle = Plain(P(2).Int(6).Ops("Q")); }) == "FILE-MISSING");
  CHECK(With([](Members& m) { m.pickle = Plain(P(2).Ops("NQ")); }) == "PKL-PERSID");
  CHECK(With([](Members& m) { m.pickle = "P5x\n."; }) == "PKL-PERSID");
}

TEST_CASE("torch tar: the class of a module is judged, its source is a note") {
  const auto module = [](const char* from, const char* name) {
    Members members;
    members.pickle = P(2).Ops("(").Global(from, name).Str("f.py").Str("class C").Ops("tQ").Stop();
    return members.Import();
  };
  const auto model = module("torch.nn.modules.activation", "ReLU");
  REQUIRE(model.ok());
  CHECK(model.value().tree.kind(0) == safemodel::NodeKind::kGlobal);
  REQUIRE(model.value().metadata.size() == 1);
  CHECK(model.value().metadata[0].second == "f.py\nclass C");
  CHECK(std::string(module("mine", "Net").error().code) == "GLOBAL-UNLISTED");
  CHECK(std::string(module("os", "system").error().code) == "GLOBAL-DANGEROUS");
}

}  // namespace safemodel::pickle
