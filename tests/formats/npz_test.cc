// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "base/cursor.h"
#include "formats/npz_writer.h"

namespace safemodel::formats {
namespace {

constexpr std::uint64_t k4GiB = std::uint64_t{1} << 32;

template <typename T>
std::string CodeOf(const Result<T>& result) {
  return result.ok() ? "ok" : result.error().code;
}

std::string HeaderText(const ByteBuffer& header) { return std::string(AsText(ByteView(header).subspan(10))); }

}  // namespace

TEST_CASE("crc32: known values, in any cut") {
  const auto crc_of = [](std::string_view text, std::size_t cut) {
    Crc32 crc;
    crc.Update(AsBytes(text.substr(0, cut)));
    crc.Update(AsBytes(text.substr(cut)));
    return crc.value();
  };
  CHECK(crc_of("", 0) == 0);
  CHECK(crc_of("a", 0) == 0xE8B7BE43);
  const std::string digits = "123456789";
  for (std::size_t cut = 0; cut <= digits.size(); ++cut) CHECK(crc_of(digits, cut) == 0xCBF43926);
  const std::string fox = "The quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= fox.size(); ++cut) CHECK(crc_of(fox, cut) == 0x414FA339);
}

TEST_CASE("npy header: version 1, a multiple of 64 bytes, ending in a newline") {
  const NpyTypes types({});
  const auto header = NpyHeader({"x", Dtype::kF32, 0, {2, 3}, 24}, types);
  REQUIRE(header.ok());
  CHECK(header.value().size() == 128);
  CHECK(header.value().back() == '\n');
  CHECK(HeaderText(header.value()).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  "));
  CHECK(HeaderText(NpyHeader({"x", Dtype::kBool, 0, {7}, 7}, types).value())
            .find("'|b1', 'fortran_order': False, 'shape': (7,), }") != std::string::npos);
  CHECK(HeaderText(NpyHeader({"x", Dtype::kI64, 0, {}, 8}, types).value()).find("'shape': (), }") != std::string::npos);
}

TEST_CASE("npy header: how numpy spells dtypes") {
  const std::vector<ElementType> table = {
      {Dtype::kBytes, 5, "", {}},
      {Dtype::kText, 12, "", {}},
      {Dtype::kVoid, 3, "", {}},
      {Dtype::kDatetime64, 8, "ns", {}},
      {Dtype::kTimedelta64, 8, "25us", {}},
      {Dtype::kDatetime64, 8, "ns']; import os #", {}},
      {Dtype::kRecord, 16, "", {{"a", Dtype::kU8, 0, 0, {}}, {"b'\xC3\xA9", Dtype::kF32, 0, 4, {2}}}},
      {Dtype::kRecord, 24, "", {{"r", Dtype::kRecord, 6, 0, {}}, {"s", Dtype::kBytes, 0, 16, {}}}},
      {Dtype::kRecord, 4, "", {{"a", Dtype::kU16, 0, 2, {}}, {"b", Dtype::kU16, 0, 0, {}}}},
      {Dtype::kRecord, 4, "", {{"self", Dtype::kRecord, 9, 0, {}}}},
      {Dtype::kForeign, 8, "torch.qint8", {}},
      {Dtype::kRecord, 0, "", {}},
  };
  const NpyTypes types(table);
  const auto descr = [&](Dtype dtype, std::uint32_t index) { return types.DescrOf(dtype, index).value_or("none"); };
  CHECK(descr(Dtype::kF16, 0) == "'<f2'");
  CHECK(descr(Dtype::kComplex128, 0) == "'<c16'");
  CHECK(descr(Dtype::kBf16, 0) == "none");
  CHECK(descr(Dtype::kF8E5M2, 0) == "none");
  CHECK(descr(Dtype::kComplex32, 0) == "none");
  CHECK(descr(Dtype::kBytes, 0) == "'|S5'");
  CHECK(descr(Dtype::kText, 1) == "'<U3'");
  CHECK(descr(Dtype::kVoid, 2) == "'|V3'");
  CHECK(descr(Dtype::kDatetime64, 3) == "'<M8[ns]'");
  CHECK(descr(Dtype::kTimedelta64, 4) == "'<m8[25us]'");
  CHECK(descr(Dtype::kDatetime64, 5) == "none");  // text of the file never reaches the literal unchecked
  const std::string inner = "[('a', '|u1'), ('', '|V3'), ('b\\U00000027\\U000000e9', '<f4', (2,)), ('', '|V4')]";
  CHECK(descr(Dtype::kRecord, 6) == inner);
  CHECK(descr(Dtype::kRecord, 7) == "[('r', " + inner + "), ('s', '|S5'), ('', '|V3')]");
  CHECK(descr(Dtype::kRecord, 8) == "none");  // not in order
  CHECK(descr(Dtype::kRecord, 9) == "none");  // its own field
  CHECK(descr(Dtype::kForeign, 10) == "none");
  CHECK(descr(Dtype::kRecord, 11) == "none");
  CHECK(descr(Dtype::kRecord, 12) == "none");  // outside the table
}

TEST_CASE("npy header: types that double at each level end at the limit") {
  std::vector<ElementType> table = {
      {Dtype::kRecord, 2, "", {{"a", Dtype::kU8, 0, 0, {}}, {"b", Dtype::kU8, 0, 1, {}}}}};
  for (std::uint32_t level = 0; level < 25; ++level) {
    const std::uint32_t size = table.back().item_size;
    table.push_back(
        {Dtype::kRecord, size * 2, "", {{"a", Dtype::kRecord, level, 0, {}}, {"b", Dtype::kRecord, level, size, {}}}});
  }
  const NpyTypes types(table);
  CHECK(types.DescrOf(Dtype::kRecord, 3).has_value());
  CHECK_FALSE(types.DescrOf(Dtype::kRecord, 25).has_value());
}

TEST_CASE("npz: an archive of two tensors, byte by byte") {
  const std::vector<ExportEntry> entries = {{"a/w", Dtype::kU8, 0, {3}, 3}, {"b", Dtype::kI16, 0, {}, 2}};
  auto planned = PlanNpz(entries, {});
  REQUIRE(CodeOf(planned) == "ok");
  NpzLayout& layout = planned.value();
  REQUIRE(layout.members.size() == 2);
  const std::vector<ByteBuffer> data = {{1, 2, 3}, {4, 5}};

  ByteBuffer file;
  for (NpzMember& member : layout.members) {
    CHECK(member.offset == file.size());
    file.insert(file.end(), member.head.begin(), member.head.end());
    const ByteBuffer& bytes = data[member.entry];
    file.insert(file.end(), bytes.begin(), bytes.end());
    member.crc.Update(bytes);
    for (unsigned i = 0; i < 4; ++i)
      file[static_cast<std::size_t>(member.checksum_at) + i] = static_cast<std::uint8_t>(member.crc.value() >> (8 * i));
  }
  CHECK(layout.directory_offset == file.size());

  // Local header of the first entry.
  ByteReader reader(file);
  CHECK(reader.U32().value() == 0x04034b50);
  CHECK(reader.U16().value() == 20);
  CHECK(reader.U16().value() == 0);
  CHECK(reader.U16().value() == 0);
  REQUIRE(reader.Take(4).ok());
  CHECK(reader.U32().value() == layout.members[0].crc.value());
  CHECK(reader.U32().value() == 128 + 3);
  CHECK(reader.U32().value() == 128 + 3);
  CHECK(reader.U16().value() == 7);
  CHECK(reader.U16().value() == 0);
  CHECK(AsText(reader.Take(7).value()) == "a/w.npy");
  Crc32 whole;
  whole.Update(reader.Take(131).value());
  CHECK(whole.value() == layout.members[0].crc.value());

  // The end of the directory says where it starts and how long it is.
  const ByteBuffer directory = CentralDirectory(layout);
  ByteReader end(ByteView(directory).last(22));
  CHECK(end.U32().value() == 0x06054b50);
  REQUIRE(end.Take(4).ok());
  CHECK(end.U16().value() == 2);
  CHECK(end.U16().value() == 2);
  CHECK(end.U32().value() == directory.size() - 22);
  CHECK(end.U32().value() == layout.directory_offset);
}

TEST_CASE("npz: large entries and many of them take the 64-bit fields") {
  const auto large =
      PlanNpz(std::vector<ExportEntry>{{"x", Dtype::kU8, 0, {k4GiB}, k4GiB}, {"y", Dtype::kU8, 0, {1}, 1}}, {});
  REQUIRE(CodeOf(large) == "ok");
  const NpzLayout& layout = large.value();
  ByteReader local(layout.members[0].head);
  REQUIRE(local.Take(18).ok());
  CHECK(local.U32().value() == 0xFFFFFFFF);
  CHECK(local.U32().value() == 0xFFFFFFFF);
  CHECK(local.U16().value() == 5);
  CHECK(local.U16().value() == 20);
  REQUIRE(local.Take(5).ok());
  CHECK(local.U16().value() == 1);
  CHECK(local.U16().value() == 16);
  CHECK(local.U64().value() == k4GiB + 128);
  CHECK(layout.members[1].offset == layout.members[0].head.size() + k4GiB);
  const ByteBuffer directory = CentralDirectory(layout);
  ByteReader locator(ByteView(directory).last(22 + 20));
  CHECK(locator.U32().value() == 0x07064b50);

  std::vector<ExportEntry> many;
  for (int i = 0; i < 65'535; ++i) many.push_back({std::to_string(i), Dtype::kU8, 0, {0}, 0});
  const auto crowded = PlanNpz(many, {});
  REQUIRE(CodeOf(crowded) == "ok");
  const ByteBuffer crowd = CentralDirectory(crowded.value());
  ByteReader end64(ByteView(crowd).last(22 + 20 + 56));
  CHECK(end64.U32().value() == 0x06064b50);
  REQUIRE(end64.Take(20).ok());
  CHECK(end64.U64().value() == 65'535);
}

TEST_CASE("npz: what the format cannot hold is refused by name") {
  const std::vector<std::pair<std::string, std::string>> names = {
      {"w", "ok"},
      {"layer/0/w", "ok"},
      {"\xC3\xA9", "ok"},
      {"...", "ok"},
      {"../x", "name_not_in_format"},
      {"a/../b", "name_not_in_format"},
      {"/etc/passwd", "name_not_in_format"},
      {"a//b", "name_not_in_format"},
      {"a/", "name_not_in_format"},
      {".", "name_not_in_format"},
      {"", "name_not_in_format"},
      {"a\\b", "name_not_in_format"},
      {"c:x", "name_not_in_format"},
      {"a\nb", "name_not_in_format"},
      {"\xFF", "name_not_in_format"},
      {std::string(65'532, 'n'), "name_not_in_format"},
  };
  for (const auto& row : names) {
    const std::string& name = row.first;
    const std::string& code = row.second;
    CAPTURE(name);
    const auto plan = PlanNpz(std::vector<ExportEntry>{{name, Dtype::kU8, 0, {1}, 1}}, {});
    CHECK(CodeOf(plan) == code);
    if (!plan.ok()) CHECK(plan.error().subject == name);
  }
  const ExportEntry w = {"w", Dtype::kU8, 0, {1}, 1};
  const ExportEntry w_npy = {"w.npy", Dtype::kU8, 0, {1}, 1};
  CHECK(CodeOf(PlanNpz(std::vector<ExportEntry>{w_npy}, {})) == "ok");
  CHECK(CodeOf(PlanNpz(std::vector<ExportEntry>{w, w_npy}, {})) == "names_collide");
  CHECK(CodeOf(PlanNpz(std::vector<ExportEntry>{w, w}, {})) == "equal_names");
  // What our own readers refuse is not written: two files that are one where names have no case, and no file at all.
  const ExportEntry upper = {"W", Dtype::kU8, 0, {1}, 1};
  const auto folded = PlanNpz(std::vector<ExportEntry>{w, upper}, {});
  CHECK(CodeOf(folded) == "names_collide");
  CHECK(folded.error().subject == "w, W");
  CHECK(CodeOf(PlanNpz(std::vector<ExportEntry>{w, {"Ü", Dtype::kU8, 0, {1}, 1}, {"ü", Dtype::kU8, 0, {1}, 1}}, {})) ==
        "ok");
  CHECK(CodeOf(PlanNpz({}, {})) == "no_tensors");
  CHECK(CodeOf(PlanNpz(std::vector<ExportEntry>{{"x", Dtype::kBf16, 0, {1}, 2}}, {})) == "dtype_not_in_format");
  CHECK(CodeOf(PlanNpz(std::vector<ExportEntry>{{"x", Dtype::kF32, 0, {1}, 2}}, {})) == "size_mismatch");
}

}  // namespace safemodel::formats
