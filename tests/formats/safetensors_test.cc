// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors.h"

#include <doctest/doctest.h>

#include <string>

#include "base/cursor.h"
#include "formats/safetensors_dtype.h"
#include "formats/safetensors_writer.h"
#include "testing/cpu_time.h"

namespace safemodel::formats {
namespace {

using Shape = std::vector<std::uint64_t>;

// FileOf puts a file together from a header's text and its data.
ByteBuffer FileOf(std::string_view header, std::size_t data_bytes) {
  ByteWriter file;
  file.U64(header.size());
  file.Text(header);
  for (std::size_t i = 0; i < data_bytes; ++i) file.U8(static_cast<std::uint8_t>(i));
  return std::move(file).Finish();
}

Result<ImportedModel> Read(ByteBuffer file, const Limits& limits = {}) {
  return ReadSafetensors(MakeMemorySource(std::move(file)), limits);
}

Result<ImportedModel> Read(std::string_view header, std::size_t data_bytes) { return Read(FileOf(header, data_bytes)); }

std::string CodeOf(const Result<ImportedModel>& result) { return result.ok() ? "ok" : result.error().code; }
std::string StageOf(const Result<ImportedModel>& result) {
  return result.ok() ? "ok" : StageName(result.error().stage);
}

ByteBuffer BytesOf(const ImportedModel& model, const ImportedTensor& tensor) {
  const ByteSource& source = *model.storages[tensor.storage].source;
  auto bytes = ReadRange(source, 0, source.size(), source.size());
  REQUIRE(bytes.ok());
  return std::move(bytes).value();
}

// Quotes are typed as ' in the tables below.
std::string Json(std::string text) {
  for (char& letter : text) {
    if (letter == '\'') letter = '"';
  }
  return text;
}

}  // namespace

TEST_CASE("safetensors: tensors come out in the order of their names, each with its bytes") {
  const auto model = Read(Json("{'__metadata__':{'format':'pt','a':'1'},"
                               "'b':{'dtype':'U8','shape':[2,3],'data_offsets':[0,6]},"
                               "'a/x':{'dtype':'BF16','shape':[],'data_offsets':[6,8]},"
                               "'empty':{'dtype':'F32','shape':[0,7],'data_offsets':[8,8]}}   "),
                          8);
  REQUIRE(CodeOf(model) == "ok");
  const ImportedModel& m = model.value();
  CHECK(m.layout == "safetensors");
  CHECK(m.metadata == TextPairs{{"safetensors.a", "1"}, {"safetensors.format", "pt"}});
  REQUIRE(m.tensors.size() == 3);
  CHECK(m.tensors[0].name == "a/x");
  CHECK(m.tensors[0].dtype == Dtype::kBf16);
  CHECK(m.tensors[0].shape.empty());
  CHECK(BytesOf(m, m.tensors[0]) == ByteBuffer{6, 7});
  CHECK(m.tensors[1].name == "b");
  CHECK(m.tensors[1].shape == Shape{2, 3});
  CHECK(m.tensors[1].strides == Shape{3, 1});
  CHECK(BytesOf(m, m.tensors[1]) == ByteBuffer{0, 1, 2, 3, 4, 5});
  CHECK(BytesOf(m, m.tensors[2]).empty());
  REQUIRE(m.tree.kind(0) == NodeKind::kDict);
  CHECK(m.tree.TextOf(m.tree.ChildrenOf(0)[2]) == "b");
  CHECK(m.tree.TensorOf(m.tree.ChildrenOf(0)[3]) == 1);
}

TEST_CASE("safetensors: headers that break a rule are refused") {
  const std::string one = "{'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}";
  struct Row {
    const char* what;
    const char* code;
    std::string header;
    std::size_t data_bytes;
  };
  const std::vector<Row> rows = {
      {"control: one tensor", "ok", one, 4},
      {"control: no tensors", "ok", "{}", 0},
      {"control: empty metadata", "ok", "{'__metadata__':{}}", 0},
      {"control: trailing spaces", "ok", one + "     ", 4},
      {"control: white space inside", "ok", "{ \n\t'x' : {'shape':[4],'dtype':'U8','data_offsets':[0,4]} }", 4},
      {"control: two empty tensors at one place", "ok",
       "{'x':{'dtype':'U8','shape':[0],'data_offsets':[0,0]},'y':{'dtype':'U8','shape':[0],'data_offsets':[0,0]}}", 0},
      {"empty header", "bad_header_start", "", 0},
      {"one byte", "bad_header_end", "{", 0},
      {"space in front", "bad_header_start", " " + one, 4},
      {"array", "bad_header_start", "[]", 0},
      {"bytes behind the object", "bad_json", one + "{}", 4},
      {"tab behind the object", "bad_header_end", one + "\t", 4},
      {"NUL behind the object", "bad_header_end", one + std::string(1, '\0'), 4},
      {"byte order mark", "bad_header_start", "\xEF\xBB\xBF" + one, 4},
      {"not UTF-8", "bad_json", "{'\xFF':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}", 4},
      {"the same tensor twice", "equal_keys",
       "{'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}", 4},
      {"the same tensor twice, once escaped", "equal_keys",
       "{'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'\\u0078':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}"
       "}",
       4},
      {"a field twice", "equal_keys", "{'x':{'dtype':'U8','dtype':'U8','shape':[4],'data_offsets':[0,4]}}", 4},
      {"metadata twice", "equal_keys", "{'__metadata__':{},'__metadata__':{}}", 0},
      {"a metadata key twice", "equal_keys", "{'__metadata__':{'a':'1','a':'2'}}", 0},
      {"metadata shaped like a tensor", "bad_metadata",
       "{'__metadata__':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}", 4},
      {"metadata with a number", "bad_metadata", "{'__metadata__':{'a':1}}", 0},
      {"metadata with null", "bad_metadata", "{'__metadata__':{'a':null}}", 0},
      {"metadata null", "bad_metadata", "{'__metadata__':null}", 0},
      {"metadata nested", "bad_metadata", "{'__metadata__':{'a':{'b':'c'}}}", 0},
      {"metadata with NUL", "metadata_nul", "{'__metadata__':{'a':'\\u0000'}}", 0},
      {"an unknown field", "bad_entry", "{'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4],'hidden':'payload'}}", 4},
      {"a missing field", "bad_entry", "{'x':{'dtype':'U8','shape':[4]}}", 4},
      {"an entry that is a list", "bad_entry", "{'x':['U8',[4],[0,4]]}", 4},
      {"dtype a number", "bad_entry", "{'x':{'dtype':8,'shape':[4],'data_offsets':[0,4]}}", 4},
      {"shape a number", "bad_entry", "{'x':{'dtype':'U8','shape':4,'data_offsets':[0,4]}}", 4},
      {"negative dimension", "bad_entry", "{'x':{'dtype':'U8','shape':[-4],'data_offsets':[0,4]}}", 4},
      {"fraction as dimension", "bad_entry", "{'x':{'dtype':'U8','shape':[4.0],'data_offsets':[0,4]}}", 4},
      {"2^64 as dimension", "integer_range", "{'x':{'dtype':'U8','shape':[18446744073709551616],'data_offsets':[0,4]}}",
       4},
      {"three offsets", "bad_entry", "{'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4,4]}}", 4},
      {"unknown dtype", "unknown_dtype", "{'x':{'dtype':'F7','shape':[4],'data_offsets':[0,4]}}", 4},
      {"dtype in lower case", "unknown_dtype", "{'x':{'dtype':'u8','shape':[4],'data_offsets':[0,4]}}", 4},
      {"shape larger than the range", "size_mismatch", "{'x':{'dtype':'U8','shape':[5],'data_offsets':[0,4]}}", 4},
      {"shape smaller than the range", "size_mismatch", "{'x':{'dtype':'U16','shape':[1],'data_offsets':[0,4]}}", 4},
      {"begin behind end", "size_mismatch", "{'x':{'dtype':'U8','shape':[4],'data_offsets':[4,0]}}", 4},
      {"product wraps to the range", "shape_overflow",
       "{'x':{'dtype':'U8','shape':[4294967296,4294967296],'data_offsets':[0,0]}}", 0},
      {"product wraps beside a zero", "shape_overflow",
       "{'x':{'dtype':'U8','shape':[0,4294967296,4294967296],'data_offsets':[0,0]}}", 0},
      {"bytes wrap to the range", "shape_overflow",
       "{'x':{'dtype':'U64','shape':[2305843009213693952],'data_offsets':[0,0]}}", 0},
      {"f4 that ends inside a byte", "size_mismatch", "{'x':{'dtype':'F4','shape':[3],'data_offsets':[0,2]}}", 2},
      {"f6 that ends inside a byte", "size_mismatch", "{'x':{'dtype':'F6_E2M3','shape':[3],'data_offsets':[0,3]}}", 3},
      {"first tensor not at 0", "range_gap", "{'x':{'dtype':'U8','shape':[3],'data_offsets':[1,4]}}", 4},
      {"a gap", "range_gap",
       "{'x':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},'y':{'dtype':'U8','shape':[2],'data_offsets':[2,4]}}", 4},
      {"an overlap", "ranges_overlap",
       "{'x':{'dtype':'U8','shape':[3],'data_offsets':[0,3]},'y':{'dtype':'U8','shape':[2],'data_offsets':[2,4]}}", 4},
      {"two tensors on one range", "ranges_overlap",
       "{'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'y':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}", 4},
      {"an empty tensor inside another", "ranges_overlap",
       "{'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'y':{'dtype':'U8','shape':[0],'data_offsets':[2,2]}}", 4},
      {"a byte behind the last tensor", "trailing_bytes", one, 5},
      {"data without a tensor", "trailing_bytes", "{}", 1},
      {"data cut", "truncated", one, 3},
      {"range at 2^64 - 1", "truncated",
       "{'x':{'dtype':'U8','shape':[1],'data_offsets':[18446744073709551614,18446744073709551615]}}", 4},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(CodeOf(Read(Json(row.header), row.data_bytes)) == row.code);
  }
}

TEST_CASE("safetensors: stages of refusals that are no broken shape") {
  CHECK(StageOf(Read(Json("{'x':{'dtype':'F7','shape':[4],'data_offsets':[0,4]}}"), 4)) == "unsupported");
  std::string shape = "1";
  for (int i = 1; i < 65; ++i) shape += ",1";
  CHECK(CodeOf(Read(Json("{'x':{'dtype':'U8','shape':[" + shape + "],'data_offsets':[0,1]}}"), 1)) == "rank_too_large");
  CHECK(CodeOf(Read(Json("{'x':{'dtype':'U8','shape':[" + shape.substr(2) + "],'data_offsets':[0,1]}}"), 1)) == "ok");

  Limits one;
  one.tensors = 1;
  const auto two = FileOf(
      Json("{'x':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},'y':{'dtype':'U8','shape':[1],'data_offsets':[1,2]}}"),
      2);
  CHECK(CodeOf(Read(two, one)) == "too_many_tensors");
  CHECK(StageOf(Read(two, one)) == "limit");
}

TEST_CASE("safetensors: the length field") {
  const auto with_length = [](std::uint64_t length) {
    ByteWriter file;
    file.U64(length);
    file.Text("{}");
    return CodeOf(Read(std::move(file).Finish()));
  };
  CHECK(with_length(2) == "ok");
  CHECK(with_length(0) == "bad_header_start");
  CHECK(with_length(1) == "bad_header_end");
  CHECK(with_length(3) == "truncated");
  CHECK(with_length(7) == "truncated");
  CHECK(with_length(100'000'000) == "truncated");
  CHECK(with_length(100'000'001) == "header_too_large");
  CHECK(with_length(std::uint64_t{1} << 63) == "header_too_large");
  CHECK(with_length(~std::uint64_t{0}) == "header_too_large");
  for (std::size_t size = 0; size < 8; ++size) CHECK(CodeOf(Read(ByteBuffer(size, 0))) == "truncated");
}

TEST_CASE("safetensors: every prefix of a file is refused") {
  const ByteBuffer file = FileOf(Json("{'x':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}"), 4);
  REQUIRE(CodeOf(Read(file)) == "ok");
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);
    CHECK(StageOf(Read(ByteBuffer(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)))) == "malformed");
  }
}

TEST_CASE("safetensors: the shape of a file is recognised by content") {
  const auto looks = [](const ByteBuffer& file) { return LooksLikeSafetensors(file, file.size()); };
  CHECK(looks(FileOf("{}", 0)));
  CHECK(looks(FileOf(" {}", 0)));  // so that it is refused for what it is
  CHECK_FALSE(looks(FileOf("", 1)));
  CHECK_FALSE(looks(FileOf("", 0)));
  CHECK_FALSE(looks({}));
  CHECK_FALSE(looks(ByteBuffer(64, ' ')));
  const std::string text = "prefix=${pcfiledir}";  // of numpy.pc: its ninth byte is the brace
  CHECK_FALSE(looks(ByteBuffer(text.begin(), text.end())));
  ByteBuffer cut = FileOf("{}", 0);
  cut[2] = 1;  // a header of 64 KiB that the file does not have
  CHECK(looks(cut));
  CHECK_FALSE(looks({0x80, 2, 'c', 'o', 's', '\n', 's', 'y', 's', 't', 'e', 'm'}));
}

TEST_CASE("safetensors: names with controls are escaped, and the tree keeps the key") {
  const auto model = Read(Json("{'a\\n':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}"), 1);
  REQUIRE(CodeOf(model) == "ok");
  CHECK(model.value().tensors[0].name == "a~x0a");
  CHECK(model.value().tree.TextOf(1) == "a\n");
}

TEST_CASE("safetensors: a header of 20000 tensors is read quickly") {
  std::vector<ExportEntry> entries;
  for (int i = 0; i < 20'000; ++i) {
    entries.push_back({"model.layers." + std::to_string(i) + ".self_attn.q_proj.weight", Dtype::kBf16, 0, {2, 3}, 12});
  }
  const auto layout = PlanSafetensors(entries, {});
  REQUIRE(layout.ok());
  ByteBuffer file = layout.value().head;
  file.resize(static_cast<std::size_t>(layout.value().file_bytes));
  const double seconds = testing::CpuSeconds([&] {
    const auto model = Read(std::move(file));
    REQUIRE(CodeOf(model) == "ok");
    CHECK(model.value().tensors.size() == 20'000);
  });
  MESSAGE("read in " << seconds << " s");
  CHECK(seconds < 5);  // tens of milliseconds when optimised
}

TEST_CASE("safetensors: what the reader takes the writer writes again, byte for byte") {
  std::vector<ExportEntry> entries;
  for (unsigned number = 1; number <= 24; ++number) {
    const auto dtype = static_cast<Dtype>(number);
    const auto known = SafetensorsDtypeOf(dtype);
    CHECK((known.has_value() ? ParseSafetensorsDtype(known->name) == dtype : number == 22 || number == 24));
    if (known) entries.push_back({std::string("t.") + DtypeName(dtype), dtype, 0, {2, 4}, BitsPerElement(dtype)});
  }
  CHECK(entries.size() == 22);
  const auto layout = PlanSafetensors(entries, {{"format", "pt"}});
  REQUIRE(layout.ok());
  CHECK(layout.value().head.size() % 8 == 0);
  ByteBuffer file = layout.value().head;
  file.resize(static_cast<std::size_t>(layout.value().file_bytes), 1);
  const auto model = Read(file);
  REQUIRE(CodeOf(model) == "ok");

  std::vector<ExportEntry> again;
  for (const ImportedTensor& tensor : model.value().tensors) {
    again.push_back(
        {tensor.name, tensor.dtype, 0, tensor.shape, model.value().storages[tensor.storage].source->size()});
  }
  const auto second = PlanSafetensors(again, SafetensorsMetadata(model.value().metadata));
  REQUIRE(second.ok());
  CHECK(second.value().head == layout.value().head);
}

TEST_CASE("safetensors writer: the header is the reference implementation's") {
  // As safetensors 0.8 wrote it for these tensors.
  const std::string expected = Json(
      "{'__metadata__':{'format':'pt'},'w':{'dtype':'U64','shape':[1],'data_offsets':[0,8]},"
      "'s':{'dtype':'F32','shape':[],'data_offsets':[8,12]},"
      "'\xC3\xA9\\n\x7F/':{'dtype':'F32','shape':[0,3],'data_offsets':[12,12]},"
      "'b':{'dtype':'BOOL','shape':[2],'data_offsets':[12,14]}}");
  const std::vector<ExportEntry> entries = {{"b", Dtype::kBool, 0, {2}, 2},
                                            {"\xC3\xA9\n\x7F/", Dtype::kF32, 0, {0, 3}, 0},
                                            {"s", Dtype::kF32, 0, {}, 4},
                                            {"w", Dtype::kU64, 0, {1}, 8}};
  const auto layout = PlanSafetensors(entries, {{"format", "pt"}});
  REQUIRE(layout.ok());
  CHECK(layout.value().order == std::vector<std::size_t>{3, 2, 1, 0});
  std::string header(AsText(ByteView(layout.value().head).subspan(8)));
  header.resize(header.find_last_not_of(' ') + 1);
  CHECK(header == expected);
  CHECK(layout.value().file_bytes == layout.value().head.size() + 14);
}

TEST_CASE("safetensors writer: what the format cannot hold is refused by name") {
  struct Row {
    const char* what;
    const char* code;
    Stage stage;
    ExportEntry entry;
  };
  const std::vector<Row> rows = {
      {"the name of the metadata", "reserved_name", Stage::kUnsupported, {"__metadata__", Dtype::kU8, 0, {1}, 1}},
      {"complex128", "dtype_not_in_format", Stage::kUnsupported, {"c", Dtype::kComplex128, 0, {1}, 16}},
      {"numpy text", "dtype_not_in_format", Stage::kUnsupported, {"t", Dtype::kText, 0, {1}, 8}},
      {"odd number of nibbles", "packed_odd", Stage::kUnsupported, {"f", Dtype::kF4E2M1, 0, {3}, 2}},
      {"size that is not the shape's", "size_mismatch", Stage::kUsage, {"s", Dtype::kF32, 0, {3}, 11}},
      {"shape that wraps", "shape_overflow", Stage::kMalformed, {"o", Dtype::kF32, 0, {1ull << 63, 2}, 0}},
      {"header over its limit",
       "header_too_large",
       Stage::kLimit,
       {std::string(100'000'000, 'n'), Dtype::kU8, 0, {1}, 1}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const auto layout = PlanSafetensors(std::vector<ExportEntry>{row.entry}, {});
    REQUIRE_FALSE(layout.ok());
    CHECK(std::string(layout.error().code) == row.code);
    CHECK(layout.error().stage == row.stage);
    if (row.stage == Stage::kUnsupported) CHECK(layout.error().subject == row.entry.name);
  }
  const ExportEntry twice = {"x", Dtype::kU8, 0, {1}, 1};
  const auto equal = PlanSafetensors(std::vector<ExportEntry>{twice, twice}, {});
  REQUIRE_FALSE(equal.ok());
  CHECK(std::string(equal.error().code) == "equal_names");
}

}  // namespace safemodel::formats
