// SPDX-License-Identifier: Apache-2.0
#include "pickle/npy.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/file.h"
#include "pickle/npy_header.h"
#include "pickle/zip_builder.h"
#include "testing/temp_folder.h"

using namespace safemodel;           // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;   // NOLINT(google-build-using-namespace)
using namespace safemodel::testing;  // NOLINT(google-build-using-namespace)

namespace {

Result<ImportedModel> ReadNpy(const SharedSource& source, const ImportOptions& options) {
  Findings findings;
  return ImportNpy(source, options, findings);
}

Result<ImportedModel> ReadNpz(const ZipArchive& archive, const ImportOptions& options) {
  Findings findings;
  return ImportNpz(archive, options, findings);
}

std::string Npy(const std::string& header, const std::string& data = {}, int major = 1, int minor = 0) {
  ByteWriter out;
  out.Text("\x93NUMPY");
  out.U8(static_cast<std::uint8_t>(major));
  out.U8(static_cast<std::uint8_t>(minor));
  major == 1 ? out.U16(static_cast<std::uint16_t>(header.size())) : out.U32(static_cast<std::uint32_t>(header.size()));
  out.Text(header);
  out.Text(data);
  return std::string(AsText(out.view()));
}

std::string Header(const std::string& descr, const std::string& shape = "(2,)", const std::string& order = "False") {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

SharedSource Source(const std::string& text) { return MakeMemorySource(ByteBuffer(text.begin(), text.end())); }

Result<NpyHeader> Parse(const std::string& file, std::vector<ElementType>& types) {
  const Limits limits;
  ElementTypeTable table(types, limits);
  return ReadNpyHeader(*Source(file), table);
}

std::string Code(const std::string& file) {
  std::vector<ElementType> types;
  const auto header = Parse(file, types);
  return header.ok() ? "ok" : header.error().code;
}

std::string Bytes(const ImportedModel& model, std::size_t tensor) {
  const SharedSource& source = model.storages[model.tensors[tensor].storage].source;
  const auto bytes = ReadRange(*source, 0, source->size(), 1u << 20);
  REQUIRE(bytes.ok());
  return std::string(AsText(bytes.value()));
}

}  // namespace

TEST_CASE("npy header: what numpy writes is read") {
  struct Row {
    std::string header;
    Dtype dtype;
    std::uint32_t item_size;
    std::vector<std::uint64_t> shape;
    int major = 1;
  };
  const std::vector<Row> rows = {
      {Header("'<f4'", "(2, 3)"), Dtype::kF32, 4, {2, 3}},
      {Header("'>i8'", "()"), Dtype::kI64, 8, {}},
      {Header("'|b1'", "(0, 5)"), Dtype::kBool, 1, {0, 5}},
      {Header("'<c16'", "(4,)"), Dtype::kComplex128, 16, {4}},
      {Header("'|S7'"), Dtype::kBytes, 7, {2}},
      {Header("'<U3'"), Dtype::kText, 12, {2}},
      {Header("'<M8[25us]'"), Dtype::kDatetime64, 8, {2}},
      {Header("'<m8'"), Dtype::kTimedelta64, 8, {2}},
      {Header("'<f8'", "(10L, 2L)"), Dtype::kF64, 8, {10, 2}},  // Python 2
      {Header("\"<f8\""), Dtype::kF64, 8, {2}},
      {Header("[('a', '<i4'), ('b', '>f8', (2, 2)), ('c', [('d', '|u1')])]"), Dtype::kRecord, 37, {2}},
      {Header("[('a', '|i1'), ('', '|V7'), ('b', '<f8')]"), Dtype::kRecord, 16, {2}},
      {Header("[(('title', 'a'), '<i4')]"), Dtype::kRecord, 4, {2}},
      {Header("[('\xC3\xA4', '<i4')]"), Dtype::kRecord, 4, {2}, 3},
      {Header("'<i2'"), Dtype::kI16, 2, {2}, 2},
      {"{'shape':(1,),'descr':'<i2','fortran_order':True}", Dtype::kI16, 2, {1}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.header);
    std::vector<ElementType> types;
    const auto header = Parse(Npy(row.header, {}, row.major), types);
    REQUIRE_MESSAGE(header.ok(), header.error().text);
    CHECK(header.value().type.dtype == row.dtype);
    CHECK(header.value().type.item_size == row.item_size);
    CHECK(header.value().shape == row.shape);
    CHECK(header.value().data_offset == (row.major == 1 ? 10 : 12) + row.header.size());
  }
}

TEST_CASE("npy header: fields of records keep names, places and shapes") {
  std::vector<ElementType> types;
  const auto header = Parse(Npy(Header("[('a', '|i1'), ('', '|V7'), ('b', '>f8', (3,))]")), types);
  REQUIRE(header.ok());
  const ElementType& record = types.at(header.value().type.element_type);
  REQUIRE(record.fields.size() == 2);
  CHECK(record.fields[1].name == "b");
  CHECK(record.fields[1].offset == 8);
  CHECK(record.fields[1].shape == std::vector<std::uint64_t>{3});
  REQUIRE(header.value().type.swaps.size() == 1);
  CHECK(header.value().type.swaps[0].offset == 8);
  CHECK(header.value().type.swaps[0].count == 3);
}

TEST_CASE("npy header: everything else is refused") {
  struct Row {
    std::string why;
    std::string file;
    std::string code;
  };
  std::string deep = "'<i4'";
  for (int i = 0; i < 20; ++i) deep = "[('a', " + deep + ")]";
  std::string bottomless;
  for (int i = 0; i < 9000; ++i) bottomless += "[";
  std::string many = "(";
  for (int i = 0; i < 65; ++i) many += "1,";
  const std::vector<Row> rows = {
      {"a call", Npy(Header("__import__('os')")), "NPY-HEADER"},
      {"a name", Npy(Header("x")), "NPY-HEADER"},
      {"an f-string", Npy(Header("f'{1}'")), "NPY-HEADER"},
      {"a bytes literal", Npy(Header("b'<i4'")), "NPY-HEADER"},
      {"joined strings", Npy(Header("'<' 'i4'")), "NPY-HEADER"},
      {"arithmetic", Npy(Header("'<i4'", "(1+1,)")), "NPY-HEADER"},
      {"unknown key", Npy("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), 'x': 1}"), "NPY-HEADER"},
      {"missing key", Npy("{'descr': '<i4', 'shape': (2,)}"), "NPY-HEADER"},
      {"equal keys", Npy("{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (2,)}"), "NPY-HEADER"},
      {"something behind", Npy(Header("'<i4'") + "x"), "NPY-HEADER"},
      {"no dict", Npy("['<i4']"), "NPY-HEADER"},
      {"negative dimension", Npy(Header("'<i4'", "(-1,)")), "NPY-HEADER"},
      {"dimension of 65 bits", Npy(Header("'<i4'", "(18446744073709551616,)")), "NPY-HEADER"},
      {"octal dimension", Npy(Header("'<i4'", "(012,)")), "NPY-HEADER"},
      {"shape is a number", Npy(Header("'<i4'", "(2)")), "NPY-HEADER"},
      {"shape is a list", Npy(Header("'<i4'", "[2]")), "NPY-HEADER"},
      {"order is a number", Npy(Header("'<i4'", "(2,)", "1")), "NPY-HEADER"},
      {"order is half a word", Npy(Header("'<i4'", "(2,)", "Tru")), "NPY-HEADER"},
      {"unknown letter", Npy(Header("'<q4'")), "NPY-HEADER"},
      {"unknown size", Npy(Header("'<i3'")), "NPY-HEADER"},
      {"unknown unit", Npy(Header("'<M8[lightyear]'")), "NPY-HEADER"},
      {"unit on a number", Npy(Header("'<i8[s]'")), "NPY-HEADER"},
      {"item of 2^31 bytes", Npy(Header("'|S2147483648'")), "NPY-HEADER"},
      {"record of equal names", Npy(Header("[('a', '<i4'), ('a', '<i4')]")), "NPY-HEADER"},
      {"record that overflows", Npy(Header("[('a', '|S2147483647'), ('b', '|S2147483647'), ('c', '|S2147483647')]")),
       "NPY-HEADER"},
      {"field without a name", Npy(Header("[('', '<i4')]")), "NPY-HEADER"},
      {"broken escape", Npy(Header("'\\x'")), "NPY-HEADER"},
      {"text without end", Npy("{'descr"), "NPY-HEADER"},
      {"empty header", Npy(""), "NPY-HEADER"},
      {"only the magic", "\x93NUMPY", "NPY-HEADER"},
      {"shorter than its header", Npy(Header("'<i4'")).substr(0, 40), "NPY-HEADER"},
      {"not the magic", std::string("\x93NUMPX\1\0\0\0", 10), "NPY-HEADER"},
      {"long double", Npy(Header("'<f16'")), "FILE-UNSUPPORTED"},
      {"elements without bytes", Npy(Header("'|S0'")), "FILE-UNSUPPORTED"},
      {"record without fields", Npy(Header("[]")), "FILE-UNSUPPORTED"},
      {"version 4", Npy(Header("'<i4'"), {}, 4), "FILE-UNSUPPORTED"},
      {"version 1.1", Npy(Header("'<i4'"), {}, 1, 1), "FILE-UNSUPPORTED"},
      {"header over 10 000 bytes", Npy(Header("'<i4'") + std::string(10'000, ' ')), "LIMIT-BYTES"},
      {"nested records", Npy(Header(deep)), "LIMIT-DEPTH"},
      {"9 000 brackets", Npy(Header(bottomless)), "NPY-HEADER"},
      {"65 dimensions", Npy(Header("'<i4'", many + ")")), "LIMIT-COUNT"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Code(row.file) == row.code);
  }
}

TEST_CASE("npy: size of the data must be that of the shape") {
  const auto code = [](const std::string& file) {
    const auto model = ReadNpy(Source(file), {});
    return std::string(model.ok() ? "ok" : model.error().code);
  };
  CHECK(code(Npy(Header("'<i4'"), "12345678")) == "ok");
  CHECK(code(Npy(Header("'<i4'"), "1234567")) == "FILE-MALFORMED");  // cut off
  CHECK(code(Npy(Header("'<i4'"), "123456789")) == "MEM-NPY");
  CHECK(code(Npy(Header("'<i4'", "(4294967296, 4294967296)"), "")) == "MEM-SIZE");
  CHECK(code(Npy(Header("'<i4'", "(0, 4294967296, 4294967296)"), "")) == "MEM-SIZE");  // a zero must not hide it
  CHECK(code(Npy(Header("'|O'"), "12345678")) != "ok");
  CHECK(code(Npy(Header("'|O'"), "cos\nsystem\n(S'x'\ntR.")) == "GLOBAL-DANGEROUS");
  CHECK(code(Npy(Header("[('a', '|O')]"), "cos\nsystem\n(S'x'\ntR.")) == "GLOBAL-DANGEROUS");
}

TEST_CASE("npy: one newline may follow the pickle of an array of objects, and nothing else") {
  const auto code = [](const std::string& behind) {
    const auto model = ReadNpy(Source(Npy(Header("'|O'"), "N." + behind)), {});
    return std::string(model.ok() ? "ok" : model.error().code);
  };
  CHECK(code("") == "ok");
  CHECK(code("\n") == "ok");
  for (const std::string behind : {"N.", ".", "\n\n", "\r\n", "\r", " ", "\nN.", "N.\n", "x"}) {
    CAPTURE(behind);
    CHECK(code(behind) == "PKL-TRAILING");
  }
  CHECK(code(std::string(1, '\0')) == "PKL-TRAILING");
  // Only behind a pickle: numbers have their size.
  CHECK_FALSE(ReadNpy(Source(Npy(Header("'<i4'"), "12345678\n")), {}).ok());
}

TEST_CASE("npy: big-endian elements are turned round, wherever a read starts") {
  const auto model = ReadNpy(Source(Npy(Header("[('a', '>u2'), ('b', '|u1'), ('c', '>u4')]"),
                                        std::string("\1\2\3\4\5\6\7\x11\x12\x13\x14\x15\x16\x17", 14))),
                             {});
  REQUIRE_MESSAGE(model.ok(), model.error().text);
  const std::string want("\2\1\3\7\6\5\4\x12\x11\x13\x17\x16\x15\x14", 14);
  CHECK(Bytes(model.value(), 0) == want);
  const SharedSource& source = model.value().storages[0].source;
  for (std::size_t begin = 0; begin < 14; ++begin) {
    for (std::size_t size = 0; begin + size <= 14; ++size) {
      ByteBuffer out(size);
      REQUIRE(source->ReadAt(begin, out).ok());
      CHECK(AsText(out) == want.substr(begin, size));
    }
  }
}

TEST_CASE("npy: Fortran order becomes strides") {
  const auto model = ReadNpy(Source(Npy(Header("'|u1'", "(2, 3)", "True"), "abcdef")), {});
  REQUIRE(model.ok());
  CHECK(model.value().layout == "npy");
  CHECK(model.value().tensors[0].strides == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("npz: members become a dict without their suffix") {
  const std::string array = Npy(Header("'|u1'"), "ab");
  const std::string object = Npy(Header("'|O'"), "(lp0\nI1\na.");
  const ByteBuffer zip = BuildZip({{"x.npy", array}, {"y", array, ZipMember::Pack::kDeflated}, {"o.npy", object}});
  const auto archive = ZipArchive::Open(MakeMemorySource(zip));
  REQUIRE(archive.ok());
  CHECK(IsNpzArchive(archive.value()).value());
  const auto model = ReadNpz(archive.value(), {});
  REQUIRE_MESSAGE(model.ok(), model.error().text);
  CHECK(model.value().layout == "npz");
  REQUIRE(model.value().tensors.size() == 2);
  CHECK(model.value().tensors[0].name == "x");
  CHECK(model.value().tensors[1].name == "y");
  CHECK(Bytes(model.value(), 1) == "ab");
  const ValueTree& tree = model.value().tree;
  REQUIRE(tree.kind(0) == NodeKind::kDict);
  CHECK(tree.ChildrenOf(0).size() == 6);
  CHECK(tree.kind(tree.ChildrenOf(0)[5]) == NodeKind::kList);
}

TEST_CASE("npz: ambiguous and hostile members are refused") {
  const std::string array = Npy(Header("'|u1'"), "ab");
  const auto code = [](const std::vector<ZipMember>& members) {
    const auto archive = ZipArchive::Open(MakeMemorySource(BuildZip(members)));
    if (!archive.ok()) return std::string(archive.error().code);
    if (!IsNpzArchive(archive.value()).value()) return std::string("not npz");
    const auto model = ReadNpz(archive.value(), {});
    return std::string(model.ok() ? "ok" : model.error().code);
  };
  CHECK(code({{"a.npy", array}, {"a", array}}) == "ZIP-DUPLICATE");
  CHECK(code({{"a.npy", array}, {"../a.npy", array}}) == "ZIP-NAME");
  CHECK(code({{"\x84.npy", array}}) == "ZIP-NAME");
  CHECK(code({{"a.npy", array}, {"readme", "text and more"}}) == "not npz");
  CHECK(code({{"a.npy", Npy(Header("'|O'"), "cposix\nsystem\n(S'x'\ntR.")}}) == "GLOBAL-DANGEROUS");
  // The pickle of one member may not go on in the next.
  CHECK(code({{"a.npy", Npy(Header("'|O'"), "I1")}, {"b.npy", Npy(Header("'|O'"), "\n.")}}) != "ok");
  const std::string truncated = array.substr(0, array.size() - 1);
  const auto archive = ZipArchive::Open(MakeMemorySource(BuildZip({{"good.npy", array}, {"bad.npy", truncated}})));
  REQUIRE(archive.ok());
  const auto model = ReadNpz(archive.value(), {});
  REQUIRE_FALSE(model.ok());
  CHECK(std::string(model.error().code) == "FILE-MALFORMED");
  CHECK(model.error().subject == "bad.npy");
}

TEST_CASE("npy: files of other projects are read") {
  struct Row {
    std::string file;
    std::size_t tensors;
    std::string code = "ok";
  };
  for (const Row& row :
       {Row{"real/numpy/numpy/lib/tests/data/py2-objarr.npy", 0},
        Row{"real/numpy/numpy/lib/tests/data/py2-np0-objarr.npy", 0},  // ends with a newline
        Row{"real/numpy/numpy/lib/tests/data/py3-objarr.npy", 0},
        Row{"real/numpy/numpy/lib/tests/data/py2-objarr.npz", 0},
        Row{"real/numpy/numpy/lib/tests/data/py3-objarr.npz", 0},
        Row{"real/numpy/numpy/_core/tests/data/astype_copy.pkl", 1}, Row{"real/candle/candle-core/tests/test.npy", 1},
        Row{"real/candle/candle-core/tests/test.npz", 2}}) {
    CAPTURE(row.file);
    const std::string path = CorpusPath(row.file);
    if (path.empty()) continue;
    const auto file = File::Open(path);
    REQUIRE(file.ok());
    const auto model = ImportPickleFamily(file.value(), {});
    CHECK((model.ok() ? "ok" : std::string(model.error().code)) == row.code);
    if (model.ok()) CHECK(model.value().tensors.size() == row.tensors);
  }
}
