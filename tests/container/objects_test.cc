// SPDX-License-Identifier: Apache-2.0
// Object table, index slices and the tiling of the core.
#include <doctest/doctest.h>

#include "container/fixture.h"

namespace safemodel::container {
namespace {

using Objects = std::vector<ObjectRecord>;

Result<Objects> Parse(const Objects& objects, const Manifest& manifest = FixtureManifest()) {
  return ParseObjectTable(SerializeObjectTable(objects), manifest, {});
}

Result<std::vector<ChunkRecord>> ParseSlice(const std::vector<ChunkRecord>& slice,
                                            const ObjectRecord& object = FixtureObjects()[2]) {
  return ParseIndexSlice(SerializeChunkRecords(slice), object, FixtureManifest());
}

std::vector<std::uint64_t> FixtureEnds() { return {1524, 352, 684, 778, 778}; }

// OneObject is a container with a directory alone.
Manifest ManifestOfDirectory(std::uint64_t plain_size, std::uint64_t end) {
  Manifest manifest = FixtureManifest();
  manifest.object_count = 1;
  manifest.chunk_count = (plain_size + 4095) / 4096;
  manifest.index_offset = end;
  return manifest;
}

}  // namespace

TEST_CASE("object table: what was written is read back") {
  const auto objects = Parse(FixtureObjects());
  REQUIRE(objects.ok());
  CHECK(objects.value() == FixtureObjects());
  CHECK(SerializeObjectTable(FixtureObjects()).size() == 5 * kObjectRecordBytes);
}

TEST_CASE("object table: a broken record is refused") {
  struct Row {
    const char* reason;
    Stage stage;
    const char* code;
    std::function<void(Objects&)> edit;
  };
  const Row rows[] = {
      {"kind 0", Stage::kUnsupported, "unknown_object_kind",
       [](Objects& o) { o[1].kind = static_cast<ObjectKind>(0); }},
      {"kind 4", Stage::kUnsupported, "unknown_object_kind",
       [](Objects& o) { o[1].kind = static_cast<ObjectKind>(4); }},
      {"kind 255", Stage::kUnsupported, "unknown_object_kind",
       [](Objects& o) { o[1].kind = static_cast<ObjectKind>(255); }},
      {"form 0", Stage::kUnsupported, "unknown_storage_form",
       [](Objects& o) { o[1].form = static_cast<StorageForm>(0); }},
      {"form 3", Stage::kUnsupported, "unknown_storage_form",
       [](Objects& o) { o[1].form = static_cast<StorageForm>(3); }},
      {"layout 5", Stage::kUnsupported, "unknown_element_layout", [](Objects& o) { o[2].element_layout = 5; }},
      {"salt", Stage::kMalformed, "not_zero", [](Objects& o) { o[1].salt[31] = 1; }},
      {"object 0 is no directory", Stage::kMalformed, "misplaced_directory",
       [](Objects& o) { o[0].kind = ObjectKind::kFile; }},
      {"second directory", Stage::kMalformed, "misplaced_directory",
       [](Objects& o) { o[3].kind = ObjectKind::kDirectory; }},
      {"empty directory", Stage::kMalformed, "empty_directory",
       [](Objects& o) { o[0].plain_size = 0, o[0].chunk_count = 0; }},
      {"directory over its limit", Stage::kLimit, "large_directory",
       [](Objects& o) { o[0].plain_size = (1u << 30) + 1; }},
      {"plain size 2^63", Stage::kLimit, "large_content", [](Objects& o) { o[1].plain_size = 1ull << 63; }},
      {"plain size 2^64 - 1", Stage::kLimit, "large_content", [](Objects& o) { o[1].plain_size = ~0ull; }},
      {"sum of plain sizes wraps", Stage::kLimit, "large_content", [](Objects& o) { o[1].plain_size = ~0ull - 499; }},
      {"one chunk too many", Stage::kMalformed, "bad_chunk_count", [](Objects& o) { o[1].chunk_count = 2; }},
      {"one chunk too few", Stage::kMalformed, "bad_chunk_count", [](Objects& o) { o[2].chunk_count = 2; }},
      {"empty object with a chunk", Stage::kMalformed, "bad_chunk_count", [](Objects& o) { o[4].chunk_count = 1; }},
      {"empty object coded", Stage::kMalformed, "empty_coded_object",
       [](Objects& o) { o[4].form = StorageForm::kCoded; }},
      {"first chunk of another object", Stage::kMalformed, "bad_first_chunk", [](Objects& o) { o[2].first_chunk = 1; }},
      {"first chunk 2^64 - 1", Stage::kMalformed, "bad_first_chunk", [](Objects& o) { o[2].first_chunk = ~0ull; }},
      {"chunk sum differs from the manifest", Stage::kMalformed, "bad_chunk_count",
       [](Objects& o) { o[3].plain_size = 5000, o[3].chunk_count = 2, o[4].first_chunk = 7; }},
      {"raw off its alignment", Stage::kMalformed, "object_misplaced", [](Objects& o) { o[1].stored_offset = 257; }},
      {"coded off its alignment", Stage::kMalformed, "object_misplaced", [](Objects& o) { o[2].stored_offset = 385; }},
      {"in the preamble", Stage::kMalformed, "object_misplaced", [](Objects& o) { o[1].stored_offset = 0; }},
      {"padding a whole alignment too long", Stage::kMalformed, "object_misplaced",
       [](Objects& o) { o[1].stored_offset = 512; }},
      {"on the object before", Stage::kMalformed, "object_misplaced", [](Objects& o) { o[2].stored_offset = 320; }},
      {"two objects exchanged", Stage::kMalformed, "object_misplaced",
       [](Objects& o) { std::swap(o[1].stored_offset, o[3].stored_offset); }},
      {"coded before it could end", Stage::kMalformed, "object_misplaced",
       [](Objects& o) { o[3].stored_offset = 256; }},
      {"behind what the coded one can store", Stage::kMalformed, "object_misplaced",
       [](Objects& o) { o[3].stored_offset = 10752; }},
      {"offset 2^64 - 1", Stage::kMalformed, "object_misplaced", [](Objects& o) { o[3].stored_offset = ~0ull; }},
      {"offset + size wraps", Stage::kMalformed, "object_misplaced",
       [](Objects& o) { o[2].stored_offset = ~0ull - 63; }},
      {"empty object not at the end before it", Stage::kMalformed, "object_misplaced",
       [](Objects& o) { o[4].stored_offset = 1024; }},
      {"directory not last", Stage::kMalformed, "object_misplaced", [](Objects& o) { o[0].stored_offset = 256; }},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.reason));
    Objects objects = FixtureObjects();
    row.edit(objects);
    CheckRefused(Parse(objects), row.stage, row.code);
  }
}

TEST_CASE("object table: the index starts where the directory ends") {
  for (const std::uint64_t offset : {std::uint64_t{1523}, std::uint64_t{1525}, std::uint64_t{0}, ~std::uint64_t{0}}) {
    Manifest manifest = FixtureManifest();
    manifest.index_offset = offset;
    CheckRefused(Parse(FixtureObjects(), manifest), Stage::kMalformed, "index_misplaced");
  }
}

TEST_CASE("object table: one record too few or many, reserved byte") {
  ByteBuffer bytes = SerializeObjectTable(FixtureObjects());
  bytes[96 + 3] = 1;
  CheckRefused(ParseObjectTable(bytes, FixtureManifest(), {}), Stage::kMalformed, "not_zero");
  bytes[96 + 3] = 0;
  bytes.push_back(0);
  CheckRefused(ParseObjectTable(bytes, FixtureManifest(), {}), Stage::kMalformed, "bad_table_length");
  bytes.resize(bytes.size() - 97);
  CheckRefused(ParseObjectTable(bytes, FixtureManifest(), {}), Stage::kMalformed, "bad_table_length");
  CheckRefused(ParseObjectTable({}, FixtureManifest(), {}), Stage::kMalformed, "bad_table_length");
}

TEST_CASE("object table: a directory alone, and large alignment") {
  Objects objects = {FixtureObjects()[0]};
  objects[0].stored_offset = 256;
  CHECK(Parse(objects, ManifestOfDirectory(500, 756)).ok());
  objects[0].plain_size = 1u << 20;
  objects[0].chunk_count = 256;
  CheckRefused(Parse(objects, ManifestOfDirectory(1u << 20, 256 + (1u << 20))), Stage::kMalformed, "object_misplaced");
  objects[0].stored_offset = 4096;
  CHECK(Parse(objects, ManifestOfDirectory(1u << 20, 4096 + (1u << 20))).ok());
}

TEST_CASE("slice head: number, kind, form, layout, sizes and count") {
  const ByteBuffer head = SliceHead(2, FixtureObjects()[2], 4096);
  const ByteBuffer expected = {2, 0, 0, 0, 2, 2, 3, 0, 0x10, 0x27, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 3, 0, 0, 0};
  CHECK(head == expected);
}

TEST_CASE("index slice: what was written is read back") {
  const auto slice = ParseSlice(CodedSlice());
  REQUIRE(slice.ok());
  CHECK(slice.value() == CodedSlice());
  CHECK(StoredEnd(FixtureObjects()[2], slice.value()) == 684);
  CHECK(ParseSlice({}, FixtureObjects()[4]).ok());
  CHECK(StoredEnd(FixtureObjects()[4], {}) == 778);
}

TEST_CASE("index slice: plain lengths of chunks") {
  ObjectRecord object;
  const std::pair<std::uint64_t, std::vector<std::uint64_t>> rows[] = {
      {0, {}}, {1, {1}}, {4095, {4095}}, {4096, {4096}}, {4097, {4096, 1}}, {12288, {4096, 4096, 4096}}};
  for (const auto& [size, lengths] : rows) {
    object.plain_size = size;
    for (std::size_t i = 0; i < lengths.size(); ++i)
      CHECK(PlainLength(object, static_cast<std::uint32_t>(i), 4096) == lengths[i]);
    CHECK(PlainLength(object, static_cast<std::uint32_t>(lengths.size()), 4096) == 0);
  }
}

TEST_CASE("index slice: a broken record is refused") {
  using Slice = std::vector<ChunkRecord>;
  struct Row {
    const char* reason;
    Stage stage;
    const char* code;
    std::function<void(Slice&)> edit;
  };
  const Row rows[] = {
      {"codec 3", Stage::kUnsupported, "unknown_codec", [](Slice& s) { s[1].codec = 3; }},
      {"codec 255", Stage::kUnsupported, "unknown_codec", [](Slice& s) { s[1].codec = 255; }},
      {"first chunk not at the object", Stage::kMalformed, "chunk_misplaced",
       [](Slice& s) { s[0].stored_offset += 1; }},
      {"in the preamble", Stage::kMalformed, "chunk_misplaced", [](Slice& s) { s[0].stored_offset = 0; }},
      {"gap", Stage::kMalformed, "chunk_misplaced", [](Slice& s) { s[2].stored_offset += 1; }},
      {"overlap", Stage::kMalformed, "chunk_misplaced", [](Slice& s) { s[2].stored_offset -= 1; }},
      {"two records on one chunk", Stage::kMalformed, "chunk_misplaced", [](Slice& s) { s[2] = s[1]; }},
      {"chunk of another object", Stage::kMalformed, "chunk_misplaced", [](Slice& s) { s[1].stored_offset = 256; }},
      {"descending", Stage::kMalformed, "chunk_misplaced", [](Slice& s) { std::swap(s[0], s[1]); }},
      {"offset 2^64 - 1", Stage::kMalformed, "chunk_misplaced", [](Slice& s) { s[1].stored_offset = ~0ull; }},
      {"length 0", Stage::kMalformed, "bad_chunk_length", [](Slice& s) { s[1].stored_length = 0; }},
      {"longer than its plain bytes", Stage::kMalformed, "bad_chunk_length",
       [](Slice& s) { s[0].stored_length = 4097; }},
      {"last longer than its plain bytes", Stage::kMalformed, "bad_chunk_length",
       [](Slice& s) { s[2].stored_length = 1809; }},
      {"raw but shorter than its plain bytes", Stage::kMalformed, "bad_chunk_length", [](Slice& s) { s[2].codec = 0; }},
      {"into the index", Stage::kMalformed, "chunk_outside", [](Slice& s) { s[0].stored_length = 4096; }},
      {"one record too few", Stage::kMalformed, "bad_slice_length", [](Slice& s) { s.pop_back(); }},
      {"one record too many", Stage::kMalformed, "bad_slice_length", [](Slice& s) { s.push_back(s.back()); }},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.reason));
    Slice slice = CodedSlice();
    row.edit(slice);
    CheckRefused(ParseSlice(slice), row.stage, row.code);
  }
  for (const std::size_t at : {13u, 14u, 15u}) {
    ByteBuffer bytes = SerializeChunkRecords(CodedSlice());
    bytes[48 + at] = 1;
    CheckRefused(ParseIndexSlice(bytes, FixtureObjects()[2], FixtureManifest()), Stage::kMalformed, "not_zero");
  }
}

TEST_CASE("index slice: offset + length that wraps") {
  ObjectRecord object = FixtureObjects()[2];
  object.stored_offset = ~0ull - 63;
  std::vector<ChunkRecord> slice = CodedSlice();
  slice[0].stored_offset = object.stored_offset;
  CheckRefused(ParseSlice(slice, object), Stage::kMalformed, "chunk_outside");
}

TEST_CASE("index slice: a raw object has raw chunks only") {
  const ObjectRecord object = FixtureObjects()[1];
  CHECK(ParseSlice({{256, 96, 0, {}}}, object).ok());
  CheckRefused(ParseSlice({{256, 96, 1, {}}}, object), Stage::kMalformed, "codec_in_raw_object");
  CheckRefused(ParseSlice({{256, 95, 0, {}}}, object), Stage::kMalformed, "bad_chunk_length");
}

TEST_CASE("tiling: padding is what lies between objects") {
  const auto padding = CheckTiling(FixtureManifest(), FixtureObjects(), FixtureEnds());
  REQUIRE(padding.ok());
  const std::pair<std::uint64_t, std::uint64_t> expected[] = {{64, 256}, {352, 384}, {684, 768}, {778, 1024}};
  REQUIRE(padding.value().size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(padding.value()[i].begin == expected[i].first);
    CHECK(padding.value()[i].end == expected[i].second);
  }
}

TEST_CASE("tiling: gaps and overlaps are refused") {
  struct Row {
    const char* reason;
    const char* code;
    std::size_t object;
    std::uint64_t end;
  };
  const Row rows[] = {
      {"a coded object that ends early leaves more padding than needed", "object_misplaced", 2, 500},
      {"a coded object that ends late overlaps the next", "object_misplaced", 2, 769},
      {"the directory ends before the index", "index_misplaced", 0, 1523},
      {"the directory ends inside the index", "index_misplaced", 0, 1525},
      {"the end before an empty object", "object_misplaced", 3, 777},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.reason));
    auto ends = FixtureEnds();
    ends[row.object] = row.end;
    CheckRefused(CheckTiling(FixtureManifest(), FixtureObjects(), ends), Stage::kMalformed, row.code);
  }
}

}  // namespace safemodel::container
