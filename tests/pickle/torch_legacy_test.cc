// SPDX-License-Identifier: Apache-2.0
// Files of torch.save before 1.6, and the same inside constants of other pickles.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/assemble.h"
#include "pickle/import.h"

namespace safemodel::pickle {
namespace {

using P = Program;

constexpr std::string_view kMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);

P& Dict(P& program, const std::vector<std::pair<const char*, std::int32_t>>& items) {
  program.Ops("}(");
  for (const auto& [key, value] : items) program.Str(key).Int(value);
  return program.Ops("u");
}

std::string SystemInfo(std::int32_t short_size = 2) {
  P program(2);
  program.Ops("}(").Str("protocol_version").Int(1001).Str("little_endian").Op(Opcode::kNewTrue).Str("type_sizes");
  Dict(program, {{"short", short_size}, {"int", 4}, {"long", 4}}).Ops("u");
  return program.Stop();
}

struct Id {
  const char* type = "FloatStorage";
  const char* key = "7";
  const char* location = "cpu";
  std::int32_t elements = 4;
  std::string view = P().Ops("N").bytes();
};

P& Push(P& program, const Id& id) {
  program.Ops("(").Str("storage").Global("torch", id.type).Str(id.key).Str(id.location).Int(id.elements);
  return program.Raw(id.view).Ops("tQ");
}

std::string View(const char* key, std::int32_t offset, std::int32_t elements) {
  return P().Ops("(").Str(key).Int(offset).Int(elements).Ops("t").bytes();
}

// Tensor is a vector of `count` elements of the storage.
std::string Tensor(const Id& id, std::int32_t offset, std::int32_t count) {
  P program;
  program.Global("torch._utils", "_rebuild_tensor_v2").Ops("(");
  Push(program, id).Int(offset).Ops("(").Int(count).Ops("t(").Int(1).Ops("t");
  return program.Op(Opcode::kNewFalse).Called("collections", "OrderedDict").Ops("tR").bytes();
}

std::string Keys(const std::vector<const char*>& keys) {
  P program(2);
  program.Ops("](");
  for (const char* key : keys) program.Str(key);
  return program.Ops("e").Stop();
}

std::string Raw(std::uint64_t count, std::string_view bytes) { return P().Number(count, 8).Raw(bytes).bytes(); }

// Parts are those of a file; a test replaces one.
struct Parts {
  std::string magic = std::string(kMagic);
  std::string version = P(2).Int(1001).Stop();
  std::string system = SystemInfo();
  std::string object = P(2).Raw(Tensor({}, 0, 4)).Stop();
  std::string keys = Keys({"7"});
  std::string storages = Raw(4, "0123456789abcdef");
  [[nodiscard]] std::string File() const { return magic + version + system + object + keys + storages; }
};

Result<ImportedModel> Import(const std::string& file,
                             ConvertOptions::Unknown unknown = ConvertOptions::Unknown::kRefuse) {
  ImportOptions options;
  options.unknown = unknown;
  return ImportPickleFamily(MakeMemorySource(ByteBuffer(file.begin(), file.end())), options);
}

std::string CodeOf(const std::string& file) {
  const auto model = Import(file);
  return model.ok() ? "ok " + model.value().layout : model.error().code;
}

std::string BytesOf(const ImportedModel& model, std::size_t tensor, std::uint64_t size) {
  const ImportedTensor& found = model.tensors.at(tensor);
  const auto bytes = ReadRange(*model.storages.at(found.storage).source, found.byte_offset, size, size);
  REQUIRE(bytes.ok());
  return std::string(AsText(bytes.value()));
}

std::string With(const std::function<void(Parts&)>& change) {
  Parts parts;
  change(parts);
  return CodeOf(parts.File());
}

// Loaded calls _load_from_bytes.
P Loaded(const std::string& bytes) {
  return P(3).Global("torch.storage", "_load_from_bytes").Ops("(").Bytes(bytes).Ops("tR");
}

std::string StorageFile() {
  Parts parts;
  P object(2);
  parts.object = Push(object, {}).Stop();
  return parts.File();
}

}  // namespace

TEST_CASE("legacy: a tensor and its storage") {
  const auto model = Import(Parts().File());
  REQUIRE(model.ok());
  CHECK(model.value().layout == "torch-legacy");
  REQUIRE(model.value().tensors.size() == 1);
  CHECK(BytesOf(model.value(), 0, 16) == "0123456789abcdef");
}

TEST_CASE("legacy: whatever the byte order of the machine, elements are little-endian") {
  Parts parts;
  const std::size_t flag = parts.system.find('\x88');
  REQUIRE(flag != std::string::npos);
  parts.system[flag] = '\x89';
  const auto model = Import(parts.File());
  REQUIRE(model.ok());
  CHECK(BytesOf(model.value(), 0, 16) == "0123456789abcdef");
}

TEST_CASE("legacy: a file that is cut off anywhere is never read") {
  const std::string file = Parts().File();
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);
    const auto model = Import(file.substr(0, size));
    REQUIRE(!model.ok());
    CHECK(model.error().stage != Stage::kInternal);
    if (size > kMagic.size()) CHECK(std::string(model.error().code) == "PKL-MALFORMED");
  }
}

TEST_CASE("legacy: each stream is what torch.save writes, or the file is refused") {
  const auto code = With;
  // The value counts, not its spelling.
  CHECK(code([](Parts& p) { p.magic = "L119547037146038801333356L\n."; }) == "ok torch-legacy");
  CHECK(code([](Parts& p) { p.version = P(2).Int(1000).Stop(); }) == "FILE-UNSUPPORTED");
  CHECK(code([](Parts& p) { p.version = P(2).Str("1001").Stop(); }) == "FILE-UNSUPPORTED");
  CHECK(code([](Parts& p) { p.system = P(2).Ops("}").Stop(); }) == "PKL-MALFORMED");
  CHECK(code([](Parts& p) { p.system = SystemInfo(4); }) == "FILE-UNSUPPORTED");
  CHECK(code([](Parts& p) { p.keys = P(2).Ops("N").Stop(); }) == "PKL-MALFORMED");
  CHECK(code([](Parts& p) { p.keys = P(2).Ops("]").Int(7).Ops("a").Stop(); }) == "PKL-MALFORMED");
  CHECK(code([](Parts& p) { p.storages += 'x'; }) == "PKL-TRAILING");
}

TEST_CASE("legacy: all five streams are judged") {
  const std::string evil = P(2).Global("os", "system").Ops("(").Str("id").Ops("tR").Stop();
  for (std::string Parts::*part : {&Parts::magic, &Parts::version, &Parts::system, &Parts::object, &Parts::keys}) {
    Parts parts;
    parts.*part = evil;
    CHECK(CodeOf(parts.File()) == "GLOBAL-DANGEROUS");
  }
  // What is wrong in front of a dangerous stream does not hide it.
  CHECK(With([&](Parts& p) {
          p.version = P(2).Int(1).Stop();
          p.keys = evil;
        }) == "GLOBAL-DANGEROUS");
}

TEST_CASE("legacy: a magic number that a call returns") {
  // For PyTorch a Decimal equals the number.
  const auto decimal = [](Parts& p) {
    p.magic = P(2).Global("decimal", "Decimal").Ops("(").Str("119547037146038801333356").Ops("tR").Stop();
  };
  CHECK(With(decimal) == "TORCH-MAGIC");
  CHECK(With([](Parts& p) { p.magic = P(2).Called("collections", "OrderedDict").Ops("0").bytes() + p.magic; }) ==
        "TORCH-MAGIC");
}

TEST_CASE("legacy: counts and keys must be those of the object") {
  const auto code = With;
  const std::string twice = Raw(4, "0123456789abcdef") + Raw(4, "0123456789abcdef");
  CHECK(code([](Parts& p) { p.storages = Raw(3, "0123456789ab"); }) == "MEM-SIZE");
  CHECK(code([](Parts& p) { p.storages = Raw(5, "0123456789abcdef0123"); }) == "MEM-SIZE");
  CHECK(code([](Parts& p) { p.storages = Raw(~std::uint64_t{0}, "0123456789abcdef"); }) == "MEM-SIZE");
  CHECK(code([](Parts& p) { p.storages = Raw(4, "0123456789abcde"); }) == "PKL-MALFORMED");
  CHECK(code([](Parts& p) { p.keys = Keys({}), p.storages = ""; }) == "MEM-STORAGE");
  CHECK(code([&](Parts& p) { p.keys = Keys({"7", "8"}), p.storages = twice; }) == "PKL-MALFORMED");
  CHECK(code([&](Parts& p) { p.keys = Keys({"7", "7"}), p.storages = twice; }) == "MEM-STORAGE");
  CHECK(code([](Parts& p) { p.keys = Keys({"8"}); }) == "PKL-MALFORMED");
  // 2^62 complex numbers.
  CHECK(code([](Parts& p) {
          P object(2);
          object.Ops("(").Str("storage").Global("torch", "ComplexDoubleStorage").Str("7").Str("cpu");
          object.Op(Opcode::kLong1).U8(8).Number(std::uint64_t{1} << 62, 8);
          p.object = object.Ops("NtQ").Stop();
        }) == "MEM-SIZE");
}

TEST_CASE("legacy: views share the storage they are a part of") {
  Parts parts;
  const Id view{.view = View("9", 1, 2)};
  const Id last{.view = View("10", 3, 1)};
  parts.object = P(2).Ops("](")
                     .Raw(Tensor({}, 0, 4))
                     .Raw(Tensor(view, 0, 2))
                     .Raw(Tensor(view, 1, 1))
                     .Raw(Tensor(last, 0, 1))
                     .Ops("e")
                     .Stop();
  const auto model = Import(parts.File());
  REQUIRE(model.ok());
  CHECK(model.value().storages.size() == 1);
  REQUIRE(model.value().tensors.size() == 4);
  CHECK(BytesOf(model.value(), 1, 8) == "456789ab");
  CHECK(BytesOf(model.value(), 2, 4) == "89ab");
  CHECK(BytesOf(model.value(), 3, 4) == "cdef");

  const auto code = [](const std::string& tensors) {
    return With([&](Parts& p) { p.object = P(2).Ops("](").Raw(tensors).Ops("e").Stop(); });
  };
  CHECK(code(Tensor(view, 0, 3)) == "MEM-VIEW");  // inside the whole, outside the part
  CHECK(code(Tensor({.view = View("9", 4, 0)}, 0, 0)) == "ok torch-legacy");
  CHECK(code(Tensor({.view = View("9", 3, 2)}, 0, 1)) == "MEM-STORAGE");
  CHECK(code(Tensor({.view = View("9", 5, 0)}, 0, 0)) == "MEM-STORAGE");
  CHECK(code(Tensor({.view = View("9", -1, 2)}, 0, 1)) == "PKL-PERSID");
  CHECK(code(Tensor(view, 0, 1) + Tensor({.view = View("9", 0, 2)}, 0, 1)) == "MEM-STORAGE");
  CHECK(code(Tensor({}, 0, 1) + Tensor({.view = View("7", 0, 2)}, 0, 1)) == "MEM-STORAGE");
  CHECK(code(Tensor(view, 0, 1) + Tensor({.key = "9"}, 0, 1)) == "MEM-STORAGE");
}

TEST_CASE("legacy: persistent ids") {
  const auto code = [](const std::string& object) { return With([&](Parts& p) { p.object = object; }); };
  const auto pair = [&](const Id& other) {
    return code(P(2).Ops("](").Raw(Tensor({}, 0, 1)).Raw(Tensor(other, 0, 1)).Ops("e").Stop());
  };
  CHECK(pair({}) == "ok torch-legacy");
  CHECK(pair({.type = "IntStorage"}) == "MEM-STORAGE");
  CHECK(pair({.elements = 3}) == "MEM-STORAGE");
  CHECK(pair({.elements = -3}) == "PKL-PERSID");
  CHECK(pair({.key = "8", .location = "meta"}) == "FILE-UNSUPPORTED");
  CHECK(pair({.type = "QInt8Storage", .key = "8"}) == "MEM-QUANT");  // a plain tensor of it
  CHECK(pair({.view = P().Ops(")").bytes()}) == "PKL-PERSID");
  CHECK(code(P(2).Str("7").Ops("Q").Stop()) == "PKL-PERSID");
  CHECK(code(P(2).Ops(")Q").Stop()) == "PKL-PERSID");
}

TEST_CASE("legacy: the class of a module is judged like any other name, its source is a note") {
  const auto module = [](const char* from, const char* name) {
    P object(2);
    object.Ops("(").Str("module").Global(from, name).Str("relu.py").Str("class ReLU: pass").Ops("tQ)");
    object.Op(Opcode::kNewObj).Ops("}").Str("training").Op(Opcode::kNewTrue).Ops("sb");
    Parts parts;
    parts.object = object.Stop();
    parts.keys = Keys({});
    parts.storages = "";
    return parts.File();
  };
  const auto model = Import(module("torch.nn.modules.activation", "ReLU"));
  REQUIRE(model.ok());
  CHECK(model.value().tree.kind(0) == safemodel::NodeKind::kObject);
  REQUIRE(model.value().metadata.size() == 1);
  CHECK(model.value().metadata[0].first == "torch.source.torch.nn.modules.activation.ReLU");
  CHECK(model.value().metadata[0].second == "relu.py\nclass ReLU: pass");
  CHECK(CodeOf(module("mine", "Net")) == "GLOBAL-UNLISTED");
  CHECK(Import(module("mine", "Net"), ConvertOptions::Unknown::kKeepInert).ok());
  CHECK(CodeOf(module("os", "system")) == "GLOBAL-DANGEROUS");
  CHECK(CodeOf(module("builtins", "len")) == "NEW-UNLISTED");
}

TEST_CASE("load_from_bytes: a storage in a constant") {
  const auto model = Import(Loaded(StorageFile()).Stop());
  REQUIRE(model.ok());
  CHECK(model.value().layout == "pickle");
  REQUIRE(model.value().tensors.size() == 1);
  CHECK(BytesOf(model.value(), 0, 16) == "0123456789abcdef");

  // A tensor of that storage, as pickle.dump writes it.
  const auto tensor = [](std::int32_t count) {
    P program = P(3).Global("torch._utils", "_rebuild_tensor_v2").Ops("(").Raw(Loaded(StorageFile()).bytes()).Int(0);
    program.Ops("(").Int(count).Ops("t(").Int(1).Ops("t").Op(Opcode::kNewFalse);
    return CodeOf(program.Called("collections", "OrderedDict").Ops("tR").Stop());
  };
  CHECK(tensor(4) == "ok pickle");
  CHECK(tensor(5) == "MEM-VIEW");
}

TEST_CASE("load_from_bytes: everything else is refused") {
  CHECK(CodeOf(Loaded("").Stop()) == "CALL-ARGS");
  CHECK(CodeOf(Loaded("PK\x03\x04").Stop()) == "CALL-ARGS");
  CHECK(CodeOf(Loaded(P(2).Ops("N").Stop()).Stop()) == "CALL-ARGS");
  CHECK(CodeOf(Loaded(P(2).Global("os", "system").Stop()).Stop()) == "GLOBAL-DANGEROUS");
  CHECK(CodeOf(Loaded(StorageFile() + "x").Stop()) == "PKL-TRAILING");
  CHECK(CodeOf(Loaded(StorageFile().substr(0, StorageFile().size() - 1)).Stop()) == "PKL-MALFORMED");
  Parts evil;
  evil.object = P(2).Global("os", "system").Ops("(").Str("id").Ops("tR").Stop();
  CHECK(CodeOf(Loaded(evil.File()).Stop()) == "GLOBAL-DANGEROUS");
  // The constant once more, from the memo.
  P twice = P(3).Bytes(StorageFile()).Op(Opcode::kBinPut).U8(0).Ops("0");
  for (int i = 0; i < 2; ++i) {
    twice.Global("torch.storage", "_load_from_bytes").Ops("(").Op(Opcode::kBinGet).U8(0).Ops("tR");
  }
  CHECK(CodeOf(twice.Ops("0").Stop()) == "LIMIT-COUNT");
}

TEST_CASE("load_from_bytes: files inside files, to a limit") {
  std::string file = StorageFile();
  const auto wrap = [&] {
    Parts parts;
    parts.object = Loaded(file).Stop();
    parts.keys = Keys({});
    parts.storages = "";
    file = parts.File();
  };
  for (int depth = 0; depth < 8; ++depth) {
    CHECK(CodeOf(file) == "ok torch-legacy");
    wrap();
  }
  CHECK(CodeOf(file) == "ok torch-legacy");
  wrap();
  CHECK(CodeOf(file) == "LIMIT-DEPTH");
}

}  // namespace safemodel::pickle
