// SPDX-License-Identifier: Apache-2.0
// Tensors of PyTorch: views, storages, and the proofs about both.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/assemble.h"
#include "pickle/finish_import.h"
#include "pickle/torch_layout.h"

namespace safemodel::pickle {
namespace {

using P = Program;

// Storage pushes ('storage', torch.<type>, key, 'cpu', elements) and BINPERSID.
P& Storage(P& program, const char* type, const char* key, std::int32_t elements, const char* location = "cpu") {
  return program.Ops("(").Str("storage").Global("torch", type).Str(key).Str(location).Int(elements).Ops("tQ");
}

P& Sizes(P& program, const std::vector<std::int32_t>& sizes) {
  program.Ops("(");
  for (const std::int32_t size : sizes) program.Int(size);
  return program.Ops("t");
}

struct View {
  std::int32_t offset = 0;
  std::vector<std::int32_t> shape = {2, 2};
  std::vector<std::int32_t> strides = {2, 1};
  std::int32_t elements = 4;
  const char* type = "FloatStorage";
};

P Tensor(const View& view, const char* key = "0") {
  P program(2);
  program.Global("torch._utils", "_rebuild_tensor_v2").Ops("(");
  Storage(program, view.type, key, view.elements).Int(view.offset);
  Sizes(program, view.shape);
  Sizes(program, view.strides);
  program.Op(Opcode::kNewFalse).Called("collections", "OrderedDict").Ops("tR");
  return program;
}

// Layout16 gives every key a record of 16 bytes, 0, 1, 2, …, 15.
TorchLayout Layout16() {
  return TorchLayout([](std::string_view) -> Result<SharedSource> {
    ByteBuffer bytes(16);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
    return MakeMemorySource(bytes);
  });
}

std::string CodeOf(const std::string& bytes) {
  TorchLayout layout = Layout16();
  return RunBytes(bytes, &layout)->code();
}

}  // namespace

TEST_CASE("torch: views that lie inside their storage") {
  CHECK(CodeOf(Tensor({}).Stop()) == "ok");
  CHECK(CodeOf(Tensor({.offset = 3, .shape = {1}, .strides = {1}}).Stop()) == "ok");
  CHECK(CodeOf(Tensor({.offset = 0, .shape = {4, 1000000}, .strides = {1, 0}}).Stop()) == "ok");
  CHECK(CodeOf(Tensor({.offset = 0, .shape = {0, 5}, .strides = {5, 1}, .elements = 0}).Stop()) == "ok");
  CHECK(CodeOf(Tensor({.offset = 0, .shape = {}, .strides = {}}).Stop()) == "ok");
}

TEST_CASE("torch: views that reach outside are refused") {
  const std::pair<const char*, View> rows[] = {
      {"one row too many", {.offset = 0, .shape = {3, 2}, .strides = {2, 1}}},
      {"offset by one", {.offset = 1}},
      {"stride", {.offset = 0, .shape = {2, 2}, .strides = {3, 1}}},
      {"negative offset", {.offset = -1, .shape = {1}, .strides = {1}}},
      {"negative size", {.offset = 0, .shape = {-2, 2}, .strides = {2, 1}}},
      {"negative stride", {.offset = 3, .shape = {2, 2}, .strides = {-2, 1}}},
      {"ranks that differ", {.offset = 0, .shape = {2, 2}, .strides = {1}}},
  };
  for (const auto& row : rows) {
    const std::string why = row.first;
    CAPTURE(why);
    CHECK(CodeOf(Tensor(row.second).Stop()) == "MEM-VIEW");
  }
  const std::int32_t most = 0x7FFFFFFF;
  CHECK(CodeOf(Tensor({.offset = 0, .shape = {most, most, most}, .strides = {0, 0, 0}}).Stop()) == "MEM-SIZE");
  CHECK(CodeOf(Tensor({.offset = 0, .shape = {most, most, most, 0}, .strides = {0, 0, 0, 0}}).Stop()) == "MEM-SIZE");
  CHECK(CodeOf(Tensor({.elements = 5}).Stop()) == "MEM-SIZE");  // the record has 16 bytes
}

TEST_CASE("torch: one key is one storage") {
  // The second mention claims another type, or another size.
  CHECK(CodeOf(Tensor({}).Ops("0").Raw(Tensor({}).bytes()).Stop()) == "ok");
  CHECK(CodeOf(Tensor({}).Ops("0").Raw(Tensor({.type = "IntStorage"}).bytes()).Stop()) == "MEM-STORAGE");
  CHECK(CodeOf(Tensor({}).Ops("0").Raw(Tensor({.shape = {1}, .strides = {1}, .elements = 3}).bytes()).Stop()) ==
        "MEM-STORAGE");
  CHECK(CodeOf(Tensor({}).Ops("0").Raw(Tensor({.type = "IntStorage"}, "1").bytes()).Stop()) == "ok");
}

TEST_CASE("torch: persistent ids that nobody writes are refused") {
  P program(2);
  CHECK(CodeOf(Storage(program, "FloatStorage", "0", -1).Stop()) == "PKL-PERSID");
  P longest(2);
  const std::string key(256, '7');
  CHECK(CodeOf(Storage(longest, "FloatStorage", key.c_str(), 4).Stop()) == "ok");
  P longer(2);
  CHECK(CodeOf(Storage(longer, "FloatStorage", (key + "7").c_str(), 4).Stop()) == "PKL-PERSID");
  P meta(2);
  CHECK(CodeOf(Storage(meta, "FloatStorage", "0", 1, "meta").Stop()) == "FILE-UNSUPPORTED");
  CHECK(CodeOf(P(2).Str("key").Ops("Q").Stop()) == "PKL-PERSID");
  // A storage class of a module that is not PyTorch's, which PyTorch itself would take.
  CHECK(CodeOf(P(2).Ops("(").Str("storage").Global("builtins", "len").Str("0").Str("cpu").Int(4).Ops("tQ").Stop()) ==
        "PKL-PERSID");
  CHECK(
      CodeOf(P(2).Ops("(").Str("storage").Global("evil", "FloatStorage").Str("0").Str("cpu").Int(4).Ops("tQ").Stop()) ==
      "PKL-PERSID");
  P quantised(2);
  CHECK(CodeOf(Storage(quantised, "QInt8Storage", "0", 4).Stop()) == "ok");
  CHECK(CodeOf(Tensor({.type = "QInt32Storage"}).Stop()) == "MEM-QUANT");  // a plain tensor of it
}

TEST_CASE("torch: hooks must be empty and stay empty") {
  P hooks(2);
  hooks.Global("torch._utils", "_rebuild_tensor_v2").Ops("(");
  Storage(hooks, "FloatStorage", "0", 4).Int(0);
  Sizes(hooks, {4});
  Sizes(hooks, {1});
  hooks.Op(Opcode::kNewFalse);
  const auto with = [&](P tail) { return CodeOf(P().Raw(hooks.bytes()).Raw(tail.bytes()).Stop()); };
  CHECK(with(P().Called("collections", "OrderedDict").Ops("tR")) == "ok");
  CHECK(with(P().Called("collections", "OrderedDict").Int(1).Global("builtins", "len").Ops("stR")) == "CALL-ARGS");
  CHECK(with(P().Called("collections", "OrderedDict").Ops("p9\ntRg9\n").Int(1).Global("builtins", "len").Ops("s")) ==
        "CALL-ARGS");
  CHECK(with(P().Global("builtins", "len").Ops("tR")) == "CALL-ARGS");
}

TEST_CASE("torch: dtypes of _rebuild_tensor_v3") {
  const auto v3 = [](const char* dtype, std::vector<std::int32_t> shape, std::vector<std::int32_t> strides) {
    P program(2);
    program.Global("torch._utils", "_rebuild_tensor_v3").Ops("(");
    program.Ops("(")
        .Str("storage")
        .Global("torch.storage", "UntypedStorage")
        .Str("0")
        .Str("cpu")
        .Int(16)
        .Ops("tQ")
        .Int(0);
    Sizes(program, shape);
    Sizes(program, strides);
    program.Op(Opcode::kNewFalse).Called("collections", "OrderedDict").Global("torch", dtype).Ops("tR");
    TorchLayout layout = Layout16();
    return RunBytes(program.Stop(), &layout);
  };
  CHECK(v3("uint16", {8}, {1})->tables.tensors.at(0).dtype == Dtype::kU16);
  CHECK(v3("uint16", {9}, {1})->code() == "MEM-VIEW");
  CHECK(v3("float8_e4m3fn", {16}, {1})->tables.tensors.at(0).dtype == Dtype::kF8E4M3Fn);
  const auto packed = v3("float4_e2m1fn_x2", {2, 8}, {8, 1});
  REQUIRE(packed->code() == "ok");
  CHECK(packed->tables.tensors[0].dtype == Dtype::kF4E2M1);
  CHECK(packed->tables.tensors[0].shape == std::vector<std::uint64_t>{2, 16});
  CHECK(v3("float4_e2m1fn_x2", {8, 2}, {1, 8})->code() == "FILE-UNSUPPORTED");
  const auto foreign = v3("uint4", {16}, {1});
  REQUIRE(foreign->code() == "ok");
  CHECK(foreign->tables.tensors[0].dtype == Dtype::kForeign);
  CHECK(foreign->tables.element_types.at(0).detail == "torch.uint4");
  CHECK(v3("strided", {16}, {1})->code() == "FILE-UNSUPPORTED");
  CHECK(v3("qint8", {16}, {1})->code() == "MEM-QUANT");
}

TEST_CASE("torch: big-endian storages are read as little-endian") {
  TorchLayout layout = Layout16();
  Run run;
  const std::string bytes = Tensor({}).Stop();
  run.source = MakeMemorySource(ByteBuffer(bytes.begin(), bytes.end()));
  run.graph = std::make_unique<Graph>(run.source);
  run.tables.torch_order = ImportTables::ByteOrder::kBig;
  RuleContext context{*run.graph, run.tables, run.limits, run.findings};
  REQUIRE(RunMachine(context, 0, {.layout = &layout}).ok());
  ByteBuffer read(16);
  REQUIRE(run.tables.storages.at(0).source->ReadAt(0, read).ok());
  CHECK(read == ByteBuffer{3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12});
  CHECK((run.tables.tensor_flags.at(0) & kTensorBigEndian) != 0);
}

TEST_CASE("torch: a parameter becomes an object around its tensor") {
  P program(2);
  program.Global("torch._utils", "_rebuild_parameter")
      .Ops("(")
      .Raw(Tensor({}).bytes())
      .Op(Opcode::kNewTrue)
      .Called("collections", "OrderedDict")
      .Ops("tR");
  TorchLayout layout = Layout16();
  auto run = RunBytes(program.Stop(), &layout);
  REQUIRE(run->code() == "ok");
  const auto model = FinishImport(*run->graph, std::move(run->tables), run->result.value().root, "torch-zip", {});
  REQUIRE(model.ok());
  REQUIRE(model.value().tensors.size() == 1);
  CHECK(model.value().tensors[0].name == "tensor");
  CHECK(model.value().tree.kind(0) == safemodel::NodeKind::kObject);
  CHECK(model.value().globals.size() == 4);
}

}  // namespace safemodel::pickle
