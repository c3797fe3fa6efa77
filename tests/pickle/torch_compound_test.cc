// SPDX-License-Identifier: Apache-2.0
// Tensors of PyTorch that are made of others: what their numbers may be. The shapes of published attacks are among the
// rows: parameters of quantised tensors (GHSA-jg6j-8w4h-2pg2), indices of sparse ones that torch.load does not check.
#include <bit>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/assemble.h"
#include "pickle/import.h"
#include "pickle/scan.h"
#include "pickle/torch_builder.h"
#include "pickle/torch_layout.h"
#include "pickle/zip_builder.h"

namespace safemodel::pickle {
namespace {

using P = Program;

struct Coo {
  Part indices = {{0, 1, 2, 2, 0, 1}, {2, 3}};
  Part values = {{7, 8, 9}, {3}};
  Sizes size = {3, 3};
  const char* coalesced = "\x88";
};

std::string CodeOf(const Coo& coo) {
  File file;
  file.program().Global("torch._utils", "_rebuild_sparse_tensor").Ops("(");
  file.Layout("torch.sparse_coo").program().Ops("(");
  file.Tensor(coo.indices).Tensor(coo.values).Tuple(coo.size).program().Raw(coo.coalesced).Ops("ttR");
  return file.Code();
}

struct Compressed {
  const char* layout = "torch.sparse_csr";
  Part pointers = {{0, 1, 1, 3}, {4}};
  Part plain = {{1, 0, 1}, {3}};
  Part values = {{7, 8, 9}, {3}};
  Sizes size = {3, 2};
};

std::string CodeOf(const Compressed& parts) {
  File file;
  file.program().Global("torch._utils", "_rebuild_sparse_tensor").Ops("(");
  file.Layout(parts.layout).program().Ops("(");
  file.Tensor(parts.pointers).Tensor(parts.plain).Tensor(parts.values).Tuple(parts.size).program().Ops("ttR");
  return file.Code();
}

struct Nested {
  Part buffer = {{1, 2, 3, 4, 5, 6, 7, 8, 9}, {9}};
  Part sizes = {{2, 3, 1, 3}, {2, 2}};
  Part strides = {{3, 1, 3, 1}, {2, 2}};
  Part offsets = {{0, 6}, {2}};
};

std::string CodeOf(const Nested& nested) {
  File file;
  file.program().Global("torch._utils", "_rebuild_nested_tensor").Ops("(");
  file.Tensor(nested.buffer).Tensor(nested.sizes).Tensor(nested.strides).Tensor(nested.offsets).program().Ops("tR");
  return file.Code();
}

std::int64_t Bits(double value) { return std::bit_cast<std::int64_t>(value); }

P& Float(P& program, double value) {
  program.Ops("G");
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (unsigned i = 8; i-- > 0;) program.U8(static_cast<unsigned>(bits >> (8 * i)) & 0xFF);
  return program;
}

struct Quantised {
  Part data = {{1, 2, 3, 4, 5, 6}, {2, 3}, "QInt8Storage"};
  double scale = 0.5;
  std::int32_t zero_point = 3;
  Sizes strides = {3, 1};
};

File& Head(File& file, const Quantised& tensor) {
  file.program().Global("torch._utils", "_rebuild_qtensor").Ops("(");
  file.Storage(tensor.data).program().Int(0);
  return file.Tuple(tensor.data.shape).Tuple(tensor.strides);
}

std::string Tail(File& file) {
  file.program().Ops("t").Op(Opcode::kNewFalse).Called("collections", "OrderedDict").Ops("tR");
  return file.Code();
}

std::string CodeOf(const Quantised& tensor) {
  File file;
  Head(file, tensor).program().Ops("(").Global("torch", "per_tensor_affine");
  Float(file.program(), tensor.scale).Int(tensor.zero_point);
  return Tail(file);
}

struct Channels {
  Part scales = {{Bits(0.5), Bits(0.25)}, {2}, "DoubleStorage"};
  Part zero_points = {{0, 1}, {2}};
  std::int32_t axis = 0;
  Quantised tensor = {};
};

std::string CodeOf(const Channels& channels) {
  File file;
  Head(file, channels.tensor).program().Ops("(").Global("torch", "per_channel_affine");
  file.Tensor(channels.scales).Tensor(channels.zero_points).program().Int(channels.axis);
  return Tail(file);
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("compound: COO tensors") {
  CHECK(CodeOf(Coo{}) == "ok");
  CHECK(CodeOf(Coo{.coalesced = "N"}) == "ok");
  CHECK(
      CodeOf(Coo{.indices = {{0, 0}, {1, 2}}, .values = {{1, 2, 3, 4}, {2, 2}}, .size = {1, 2}, .coalesced = "\x89"}) ==
      "ok");  // the same place twice, dense rows
  CHECK(CodeOf(Coo{.indices = {{0, 2, 1, 0, 2, 1}, {2, 3}, "LongStorage", {1, 2}}}) == "ok");  // transposed
  const std::pair<const char*, Coo> rows[] = {
      {"index beyond", {.indices = {{0, 1, 3, 2, 0, 1}, {2, 3}}}},
      {"index negative", {.indices = {{0, 1, 2, -1, 0, 1}, {2, 3}}}},
      {"second dimension", {.size = {3, 2}}},
      {"more values than indices", {.values = {{7, 8, 9, 1}, {4}}}},
      {"fewer values", {.values = {{7, 8}, {2}}}},
      {"dense part differs", {.values = {{7, 8, 9}, {3, 1}}}},
      {"too few sizes", {.size = {3}}},
      {"indices of another type", {.indices = {{0, 1, 2, 2, 0, 1}, {2, 3}, "IntStorage"}}},
      {"indices of rank 1", {.indices = {{0, 1, 2}, {3}}}},
      {"not sorted", {.indices = {{1, 0, 2, 2, 0, 1}, {2, 3}}}},
      {"not unique", {.indices = {{0, 0, 2, 2, 2, 1}, {2, 3}}}},
  };
  for (const auto& row : rows) {
    const std::string why = row.first;
    CAPTURE(why);
    CHECK(CodeOf(row.second) == "MEM-SPARSE");
  }
  CHECK(CodeOf(Coo{.size = {0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF}}) == "MEM-SIZE");
  const Part negated{{0, 1, 2, 2, 0, 1}, {2, 3}, "LongStorage", {}, "}U\x03neg\x88s"};
  CHECK(CodeOf(Coo{.indices = negated}) == "MEM-SPARSE");
}

TEST_CASE("compound: compressed sparse tensors") {
  CHECK(CodeOf(Compressed{}) == "ok");
  CHECK(CodeOf(Compressed{.layout = "torch.sparse_csc", .size = {2, 3}}) == "ok");
  const Part blocks{{1, 2, 3, 4, 5, 6}, {3, 1, 2}};
  CHECK(CodeOf(Compressed{.layout = "torch.sparse_bsr", .values = blocks, .size = {3, 4}}) == "ok");
  CHECK(CodeOf(Compressed{.layout = "torch.sparse_bsc", .values = {blocks.numbers, {3, 2, 1}}, .size = {4, 3}}) ==
        "ok");
  const Compressed batched{.pointers = {{0, 1, 2, 0, 0, 2}, {2, 3}},
                           .plain = {{0, 1, 0, 1}, {2, 2}},
                           .values = {{1, 2, 3, 4}, {2, 2}},
                           .size = {2, 2, 2}};
  CHECK(CodeOf(batched) == "ok");
  Compressed wrong_batch = batched;
  wrong_batch.plain.numbers[3] = 2;
  const std::pair<const char*, Compressed> rows[] = {
      {"pointers fall", {.pointers = {{0, 2, 1, 3}, {4}}}},
      {"pointers do not start at 0", {.pointers = {{1, 1, 1, 3}, {4}}}},
      {"pointers end early", {.pointers = {{0, 1, 1, 2}, {4}}}},
      {"pointers end late", {.pointers = {{0, 1, 1, 4}, {4}}}},
      {"negative pointer", {.pointers = {{0, -1, 1, 3}, {4}}}},
      {"too few pointers", {.pointers = {{0, 1, 3}, {3}}}},
      {"index beyond", {.plain = {{2, 0, 1}, {3}}}},
      {"index negative", {.plain = {{-1, 0, 1}, {3}}}},
      {"indices do not ascend in a row", {.plain = {{1, 1, 0}, {3}}}},
      {"indices every second number", {.plain = {{1, 9, 0, 9, 1}, {3}, "LongStorage", {2}}}},
      {"types that differ", {.plain = {{1, 0, 1}, {3}, "IntStorage"}}},
      {"floats as indices", {.plain = {{1, 0, 1}, {3}, "DoubleStorage"}}},
      {"fewer values", {.values = {{7, 8}, {2}}}},
      {"blocks that do not divide", {.layout = "torch.sparse_bsr", .values = blocks, .size = {3, 3}}},
      {"values without blocks", {.layout = "torch.sparse_bsr"}},
      {"values with blocks", {.values = blocks}},
      {"size of one dimension", {.size = {3}}},
      {"parts of another layout", {.layout = "torch.sparse_coo"}},
      {"no sparse layout", {.layout = "torch.strided"}},
      {"the second batch", wrong_batch},
  };
  for (const auto& row : rows) {
    const std::string why = row.first;
    CAPTURE(why);
    CHECK(CodeOf(row.second) == "MEM-SPARSE");
  }
  CHECK(CodeOf(Compressed{.layout = "os.system"}) == "CALL-ARGS");
}

TEST_CASE("compound: nested tensors") {
  CHECK(CodeOf(Nested{}) == "ok");
  CHECK(CodeOf(Nested{.sizes = {{0, 3, 1, 3}, {2, 2}}, .offsets = {{9, 6}, {2}}}) == "ok");  // nothing there
  CHECK(CodeOf(Nested{.sizes = {{0}, {}}, .strides = {{0}, {}}, .offsets = {{}, {0}}}) == "ok");
  constexpr std::int64_t kLarge = std::int64_t{1} << 62;
  const std::pair<const char*, Nested> rows[] = {
      {"offset beyond", {.offsets = {{0, 7}, {2}}}},
      {"negative offset", {.offsets = {{-1, 6}, {2}}}},
      {"size beyond", {.sizes = {{2, 3, 2, 3}, {2, 2}}}},
      {"negative size", {.sizes = {{2, 3, -1, 3}, {2, 2}}}},
      {"stride beyond", {.strides = {{7, 1, 3, 1}, {2, 2}}}},
      {"negative stride", {.strides = {{-3, 1, 3, 1}, {2, 2}}}},
      {"sizes that overflow", {.sizes = {{kLarge, kLarge, 1, 3}, {2, 2}}, .strides = {{0, 0, 3, 1}, {2, 2}}}},
      {"fewer offsets", {.offsets = {{0}, {1}}}},
      {"no components but offsets", {.sizes = {{0}, {}}, .strides = {{0}, {}}}},
      {"fewer strides", {.strides = {{3, 1}, {1, 2}}}},
      {"offsets of another type", {.offsets = {{0, 6}, {2}, "IntStorage"}}},
      {"sizes with strides", {.sizes = {{2, 1, 3, 3}, {2, 2}, "LongStorage", {1, 2}}}},
      {"a buffer with gaps", {.buffer = {{1, 2, 3, 4, 5, 6, 7, 8, 9}, {5}, "LongStorage", {2}}}},
      {"a buffer of rank 2", {.buffer = {{1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3}}}},
  };
  for (const auto& row : rows) {
    const std::string why = row.first;
    CAPTURE(why);
    CHECK(CodeOf(row.second) == "MEM-NESTED");
  }
}

TEST_CASE("compound: quantised tensors") {
  CHECK(CodeOf(Quantised{}) == "ok");
  CHECK(CodeOf(Channels{}) == "ok");
  CHECK(CodeOf(Channels{.scales = {{0x3F000000, 0x3F000000}, {2}, "FloatStorage"},
                        .zero_points = {{0, 0x3F000000}, {2}, "FloatStorage"}}) == "ok");
  const std::pair<const char*, Quantised> rows[] = {
      {"scale 0", {.scale = 0}},
      {"scale negative", {.scale = -1}},
      {"scale infinite", {.scale = std::numeric_limits<double>::infinity()}},
      {"scale no number", {.scale = kNan}},
      {"zero point of i8", {.zero_point = 128}},
      {"zero point of u8", {.data = {{1, 2, 3, 4, 5, 6}, {2, 3}, "QUInt8Storage"}, .zero_point = -1}},
      {"zero point of u4", {.data = {{1, 2, 3, 4, 5, 6}, {2, 3}, "QUInt4x2Storage"}, .zero_point = 16}},
      {"zero point of u2", {.data = {{1, 2, 3, 4, 5, 6}, {2, 3}, "QUInt2x4Storage"}, .zero_point = 4}},
      {"a plain storage", {.data = {{1, 2, 3, 4, 5, 6}, {2, 3}, "CharStorage"}}},
  };
  for (const auto& row : rows) {
    const std::string why = row.first;
    CAPTURE(why);
    CHECK(CodeOf(row.second) == "MEM-QUANT");
  }
  CHECK(CodeOf(Quantised{.strides = {4, 1}}) == "MEM-VIEW");
  CHECK(CodeOf(Quantised{.strides = {0x7FFFFFFF, 1}}) == "MEM-VIEW");
  CHECK(CodeOf(Quantised{.strides = {-3, 1}}) == "MEM-VIEW");
  // Two integers in a byte: four rows of three need two bytes each.
  CHECK(CodeOf(Quantised{.data = {{1, 2, 3, 4, 5, 6, 7, 8}, {4, 3}, "QUInt4x2Storage"}}) == "ok");
  CHECK(CodeOf(Quantised{.data = {{1, 2, 3, 4, 5, 6, 7}, {4, 3}, "QUInt4x2Storage"}}) == "MEM-VIEW");
  CHECK(CodeOf(Quantised{.data = {{1, 2, 3, 4}, {2, 3}, "QUInt4x2Storage"}, .strides = {1, 2}}) == "FILE-UNSUPPORTED");
}

TEST_CASE("compound: quantised channels") {
  const std::pair<const char*, Channels> rows[] = {
      {"axis beyond", {.axis = 2}},
      {"axis negative", {.axis = -1}},
      {"axis of another length", {.axis = 1}},
      {"fewer scales", {.scales = {{Bits(0.5)}, {1}, "DoubleStorage"}}},
      {"more zero points", {.zero_points = {{0, 1, 2}, {3}}}},
      {"a scale of 0", {.scales = {{Bits(0.5), 0}, {2}, "DoubleStorage"}}},
      {"a scale that is no number", {.scales = {{Bits(kNan), Bits(1)}, {2}, "DoubleStorage"}}},
      {"integers as scales", {.scales = {{1, 1}, {2}}}},
      {"zero point beyond", {.zero_points = {{0, 128}, {2}}}},
      {"zero point no number", {.zero_points = {{0, Bits(kNan)}, {2}, "DoubleStorage"}}},
      {"scales of rank 2", {.scales = {{Bits(1), Bits(1)}, {2, 1}, "DoubleStorage"}}},
  };
  for (const auto& row : rows) {
    const std::string why = row.first;
    CAPTURE(why);
    CHECK(CodeOf(row.second) == "MEM-QUANT");
  }
}

TEST_CASE("compound: tensors without data") {
  const auto meta = [](const char* type, const Sizes& shape, const Sizes& strides) {
    File file;
    file.program().Global("torch._utils", "_rebuild_meta_tensor_no_storage").Ops("(").Global("torch", type);
    file.Tuple(shape).Tuple(strides).program().Op(Opcode::kNewFalse).Ops("tR");
    return file.Code();
  };
  constexpr std::int32_t kMost = 0x7FFFFFFF;
  CHECK(meta("float32", {2, 3}, {3, 1}) == "ok");
  CHECK(meta("float32", {kMost, kMost, kMost}, {1, 1, 1}) == "MEM-SIZE");
  CHECK(meta("float32", {2, 3}, {1}) == "MEM-VIEW");
  CHECK(meta("strided", {2, 3}, {3, 1}) == "CALL-ARGS");
}

namespace {

using safemodel::testing::BuildZip;
using safemodel::testing::ZipMember;

// Archive is a state dict of nothing, with members besides.
std::string Archive(std::vector<ZipMember> members,
                    ConvertOptions::Unknown unknown = ConvertOptions::Unknown::kRefuse) {
  members.insert(members.begin(), {{"m/data.pkl", P(2).Ops("}").Stop()}, {"m/version", "3\n"}});
  ImportOptions options;
  options.unknown = unknown;
  const auto model = ImportPickleFamily(MakeMemorySource(BuildZip(members)), options);
  return model.ok() ? "ok " + model.value().verdict : model.error().code + (" " + model.error().subject);
}

std::string Verdict(std::vector<ZipMember> members) {
  members.insert(members.begin(), {{"m/data.pkl", P(2).Ops("}").Stop()}, {"m/version", "3\n"}});
  Findings findings;
  REQUIRE(ScanSource(MakeMemorySource(BuildZip(members)), {}, findings).ok());
  switch (findings.worst()) {
    case ScanVerdict::kClean: return "clean";
    case ScanVerdict::kUnknown: return "unknown";
    case ScanVerdict::kUnreadable: return "unreadable";
    case ScanVerdict::kDangerous: return "dangerous";
  }
  return "?";
}

const std::string kEvil = P(2).Global("os", "system").Ops("(").Str("id").Ops("tR").Stop();

}  // namespace

TEST_CASE("torch zip: members that torch.load can be told to run are judged when converting too") {
  CHECK(Archive({}) == "ok clean");
  CHECK(Archive({{"m/data/0", std::string(64, 'c')}, {"m/README", "text"}}) == "ok clean");
  CHECK(Archive({{"m/data/evil", kEvil}}) == "GLOBAL-DANGEROUS m/data/evil: os.system");
  CHECK(Archive({{"m/other", kEvil, ZipMember::Pack::kDeflated}}) == "GLOBAL-DANGEROUS m/other: os.system");
  CHECK(Archive({{"m/data/evil", kEvil}}, ConvertOptions::Unknown::kKeepInert).starts_with("GLOBAL-DANGEROUS"));
  CHECK(Verdict({{"m/data/evil", kEvil}}) == "dangerous");
  // Numbers that start with the opcode of an extension, and some that have the checksum of a tar header by chance.
  CHECK(Archive({{"m/data/0", std::string("\x82\x01") + std::string(62, '\xff')}}) == "ok clean");
  std::string chance(600, '\0');
  chance[0] = ']';
  chance[1] = static_cast<char>(-93);  // with eight blanks, for the field itself, the sum is 512
  chance.replace(148, 8, "001000\0 ", 8);
  CHECK(Archive({{"m/data/0", chance}}) == "ok clean");
  CHECK(Archive({{"m/other", chance}}).starts_with("TAR-"));
  // Only noticed: nothing of it is converted.
  CHECK(Archive({{"m/extra.pkl", P(2).Global("my", "Thing").Stop()}}) == "ok clean");
}

TEST_CASE("torch zip: programs are unknown, and their tensors and attributes are data") {
  const std::vector<ZipMember> script{{"m/constants.pkl", P(2).Ops(")").Stop()}, {"m/code/__torch__.py", "pass"}};
  CHECK(Archive(script) == "TORCH-SCRIPT ");
  CHECK(Archive(script, ConvertOptions::Unknown::kKeepInert) == "ok unknown");
  CHECK(Verdict(script) == "unknown");
  CHECK(Verdict({{"m/CODE/__torch__.py", "pass"}}) == "unknown");
  CHECK(Verdict({{"m/CONSTANTS.PKL", P(2).Ops(")").Stop()}}) == "unknown");
  CHECK(Verdict({{"m/Constants.pkl", kEvil}}) == "dangerous");
  CHECK(Archive({{"m/constants.pkl", kEvil}}, ConvertOptions::Unknown::kKeepInert).starts_with("GLOBAL-DANGEROUS"));
  CHECK(Archive({{"m/traced_inputs.pkl", kEvil}, script[0]}, ConvertOptions::Unknown::kKeepInert)
            .starts_with("GLOBAL-DANGEROUS"));
  CHECK(Verdict({{"m/.DATA/extern_modules", ""}}) == "dangerous");
  CHECK(Verdict({{"m/.data/python_version", "3.11"}}) == "dangerous");
}

}  // namespace safemodel::pickle
