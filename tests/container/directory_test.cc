// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstring>

#include "container/fixture.h"
#include "container/wire_edit.h"
#include "testing/cpu_time.h"

namespace safemodel::container {
namespace {

// Rows that only the reader can refuse, who knows the objects. The writer writes them.
struct BadPlacement {
  const char* reason;
  const char* code;
  std::function<void(Directory&)> edit;
};

void SetView(Directory& directory, std::vector<std::uint64_t> shape, std::vector<std::uint64_t> strides,
             std::uint64_t offset) {
  directory.tensors[0].shape = std::move(shape);
  directory.tensors[0].strides = std::move(strides);
  directory.tensors[0].byte_offset = offset;
}

const std::vector<BadPlacement>& Placements() {
  static const std::vector<BadPlacement> rows = {
      {"extent outside", "view_outside_storage", [](Directory& d) { SetView(d, {25}, {1}, 0); }},
      {"offset outside", "view_outside_storage", [](Directory& d) { SetView(d, {1}, {1}, 96); }},
      {"offset 2^64 - 4", "view_outside_storage", [](Directory& d) { SetView(d, {1}, {1}, ~0ull - 3); }},
      {"offset + extent outside", "view_outside_storage", [](Directory& d) { SetView(d, {24}, {1}, 4); }},
      {"strides leave the storage", "view_outside_storage",
       [](Directory& d) {
         SetView(d, {2, 12}, {13, 1}, 0);
       }},
      {"strides wrap", "view_overflow",
       [](Directory& d) {
         SetView(d, {5, 5}, {1ull << 62, 1ull << 62}, 0);
       }},
      {"empty view behind the storage", "view_outside_storage", [](Directory& d) { SetView(d, {0}, {1}, 100); }},
      {"tensor in an empty storage", "view_outside_storage",
       [](Directory& d) {
         d.tensors[3].shape = {1, 1}, d.tensors[3].strides = {1, 1};
       }},
      {"digest absent", "bad_tensor_digest", [](Directory& d) { d.tensors[0].digest.reset(); }},
      {"digest of an expanded tensor", "bad_tensor_digest", [](Directory& d) { SetView(d, {193}, {0}, 0); }},
      {"storage names a file", "object_kind", [](Directory& d) { d.storages[0] = 3; }},
      {"storage names the directory", "object_kind", [](Directory& d) { d.storages[0] = 0; }},
      {"storage names no object", "object_outside", [](Directory& d) { d.storages[0] = 5; }},
      {"file names a storage", "object_kind", [](Directory& d) { d.files[0].object = 1; }},
      {"file names the directory", "object_kind", [](Directory& d) { d.files[0].object = 0; }},
      {"file names no object", "object_outside", [](Directory& d) { d.files[0].object = ~0u; }},
      {"orphan file", "orphan_object", [](Directory& d) { d.files.clear(); }},
      {"orphan storage", "orphan_object", [](Directory& d) { d.storages[1] = 1, d.tensors[1].byte_offset = 0; }},
  };
  return rows;
}

// Patch changes numbers in the bytes of the fixture, which the writer would not write.
struct BadWire {
  const char* reason;
  Stage stage;
  const char* code;
  std::function<void(const wire::Directory*)> edit;
};

char* CharactersOf(const flatbuffers::String* text) { return const_cast<char*>(text->c_str()); }
template <typename T>
void SetEntry(const flatbuffers::Vector<T>* vector, std::uint32_t i, T value) {
  const_cast<flatbuffers::Vector<T>*>(vector)->Mutate(i, value);
}

const std::vector<BadWire>& WireRows() {
  using wire::Tensor;
  static const std::vector<BadWire> rows = {
      {"dtype 0", Stage::kUnsupported, "unknown_dtype",
       [](const auto* d) { SetNumber<std::uint8_t>(d->tensors()->Get(0), Tensor::VT_DTYPE, 0); }},
      {"dtype 25", Stage::kUnsupported, "unknown_dtype",
       [](const auto* d) { SetNumber<std::uint8_t>(d->tensors()->Get(0), Tensor::VT_DTYPE, 25); }},
      {"dtype 39", Stage::kUnsupported, "unknown_dtype",
       [](const auto* d) { SetNumber<std::uint8_t>(d->tensors()->Get(0), Tensor::VT_DTYPE, 39); }},
      {"dtype 255", Stage::kUnsupported, "unknown_dtype",
       [](const auto* d) { SetNumber<std::uint8_t>(d->tensors()->Get(0), Tensor::VT_DTYPE, 255); }},
      {"element type missing", Stage::kMalformed, "bad_element_type",
       [](const auto* d) { SetNumber<std::uint8_t>(d->tensors()->Get(0), Tensor::VT_DTYPE, 37); }},
      {"element type of a plain dtype", Stage::kMalformed, "bad_element_type",
       [](const auto* d) { SetNumber<std::uint8_t>(d->tensors()->Get(2), Tensor::VT_DTYPE, 2); }},
      {"kind of a type 0", Stage::kUnsupported, "unknown_dtype",
       [](const auto* d) { SetNumber<std::uint8_t>(d->element_types()->Get(0), wire::ElementType::VT_KIND, 0); }},
      {"strides that follow from the shape", Stage::kMalformed, "redundant_strides",
       [](const auto* d) {
         SetEntry<std::uint64_t>(d->tensors()->Get(1)->strides(), 0, 4);
         SetEntry<std::uint64_t>(d->tensors()->Get(1)->strides(), 1, 1);
       }},
      {"negative stride", Stage::kMalformed, "bad_strides",
       [](const auto* d) { SetEntry(d->tensors()->Get(1)->strides(), 0, ~std::uint64_t{0}); }},
      {"one stride too few", Stage::kMalformed, "bad_strides",
       [](const auto* d) {
         flatbuffers::WriteScalar<std::uint32_t>(
             const_cast<void*>(static_cast<const void*>(d->tensors()->Get(1)->strides())), 1);
       }},
      {"names unsorted", Stage::kMalformed, "tensor_order",
       [](const auto* d) { CharactersOf(d->tensors()->Get(0)->name())[0] = 'y'; }},
      {"names equal", Stage::kMalformed, "tensor_order",
       [](const auto* d) { CharactersOf(d->tensors()->Get(1)->name())[0] = 'a'; }},
      {"name with a control", Stage::kMalformed, "bad_tensor_name",
       [](const auto* d) { CharactersOf(d->tensors()->Get(0)->name())[0] = '\n'; }},
      {"name no UTF-8", Stage::kMalformed, "bad_utf8",
       [](const auto* d) { CharactersOf(d->tensors()->Get(0)->name())[0] = '\xFF'; }},
      {"name with a zero byte", Stage::kMalformed, "bad_utf8",
       [](const auto* d) { CharactersOf(d->tensors()->Get(0)->name())[0] = '\0'; }},
      {"shape wraps", Stage::kMalformed, "shape_overflow",
       [](const auto* d) {
         SetEntry<std::uint64_t>(d->tensors()->Get(0)->shape(), 0, 1ull << 63);
         SetEntry<std::uint64_t>(d->tensors()->Get(0)->shape(), 1, 2);
       }},
      {"shape wraps beside a zero", Stage::kMalformed, "shape_overflow",
       [](const auto* d) {
         SetEntry<std::uint64_t>(d->tensors()->Get(3)->shape(), 0, 1ull << 63);
         SetEntry<std::uint64_t>(d->tensors()->Get(3)->shape(), 1, 3);
       }},
      {"storage outside", Stage::kMalformed, "storage_outside",
       [](const auto* d) { SetNumber<std::uint32_t>(d->tensors()->Get(0), Tensor::VT_STORAGE, 3); }},
      {"offset not a multiple of the element", Stage::kMalformed, "view_misaligned",
       [](const auto* d) { SetNumber<std::uint64_t>(d->tensors()->Get(0), Tensor::VT_BYTE_OFFSET, 2); }},
      {"path leaves the folder", Stage::kMalformed, "bad_path",
       [](const auto* d) { std::memcpy(CharactersOf(d->files()->Get(0)->path()), "../", 3); }},
      {"path in .git", Stage::kUnsafe, "git_folder",
       [](const auto* d) { std::memcpy(CharactersOf(d->files()->Get(0)->path()), ".git/", 5); }},
      {"paths unsorted", Stage::kMalformed, "file_order",
       [](const auto* d) { CharactersOf(d->files()->Get(0)->path())[0] = 'z'; }},
      {"one the folder of the other", Stage::kMalformed, "paths_meet",
       [](const auto* d) {
         const auto* path = d->files()->Get(0)->path();
         std::memcpy(CharactersOf(path), "DOCS", 5);
         flatbuffers::WriteScalar<std::uint32_t>(const_cast<void*>(static_cast<const void*>(path)), 4);
       }},
      {"metadata with a zero byte", Stage::kMalformed, "bad_utf8",
       [](const auto* d) { CharactersOf(d->metadata()->Get(0)->key())[2] = '\0'; }},
      {"item size 0", Stage::kMalformed, "bad_element_type",
       [](const auto* d) { SetNumber<std::uint32_t>(d->element_types()->Get(0), wire::ElementType::VT_ITEM_SIZE, 0); }},
      {"fields overlap", Stage::kMalformed, "bad_element_type",
       [](const auto* d) {
         SetNumber<std::uint32_t>(d->element_types()->Get(1)->fields()->Get(1), wire::Field::VT_OFFSET, 7);
       }},
      {"reserved bytes of a node", Stage::kMalformed, "not_zero",
       [](const auto* d) {
         const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(d->nodes()->Get(0)))[3] = 1;
       }},
      {"no nodes", Stage::kMalformed, "missing_field", [](const auto* d) { EraseField(d, wire::Directory::VT_NODES); }},
      {"no children", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d, wire::Directory::VT_CHILDREN); }},
      {"no payload", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d, wire::Directory::VT_PAYLOAD); }},
      {"no storages", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d, wire::Directory::VT_STORAGES); }},
      {"no tensors", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d, wire::Directory::VT_TENSORS); }},
      {"no tensor digest", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d, wire::Directory::VT_TENSOR_DIGEST); }},
      {"no content digest", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d, wire::Directory::VT_CONTENT_DIGEST); }},
      {"tensor without a name", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->tensors()->Get(0), Tensor::VT_NAME); }},
      {"tensor without a dtype", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->tensors()->Get(0), Tensor::VT_DTYPE); }},
      {"tensor without a shape", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->tensors()->Get(0), Tensor::VT_SHAPE); }},
      {"tensor without a storage", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->tensors()->Get(0), Tensor::VT_STORAGE); }},
      {"tensor without an offset", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->tensors()->Get(0), Tensor::VT_BYTE_OFFSET); }},
      {"tensor without a digest", Stage::kMalformed, "bad_tensor_digest",
       [](const auto* d) { EraseField(d->tensors()->Get(0), Tensor::VT_DIGEST); }},
      {"file without a path", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->files()->Get(0), wire::File::VT_PATH); }},
      {"file without a media type", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->files()->Get(0), wire::File::VT_MEDIA_TYPE); }},
      {"file without an object", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->files()->Get(0), wire::File::VT_OBJECT); }},
      {"type without a kind", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->element_types()->Get(0), wire::ElementType::VT_KIND); }},
      {"type without a size", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->element_types()->Get(0), wire::ElementType::VT_ITEM_SIZE); }},
      {"type without a detail", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->element_types()->Get(0), wire::ElementType::VT_DETAIL); }},
      {"field without a name", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->element_types()->Get(1)->fields()->Get(0), wire::Field::VT_NAME); }},
      {"field without an offset", Stage::kMalformed, "missing_field",
       [](const auto* d) { EraseField(d->element_types()->Get(1)->fields()->Get(0), wire::Field::VT_OFFSET); }},
      {"vector of numbers misaligned", Stage::kMalformed, "misaligned",
       [](const auto* d) {
         // Let the shape start four bytes further on, where a length of zero or more happens to stand: 2 becomes its
         // high half.
         auto* field = AsTable(d->tensors()->Get(0))->GetAddressOf(Tensor::VT_SHAPE);
         auto* shape = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(d->tensors()->Get(0)->shape()));
         flatbuffers::WriteScalar<std::uint32_t>(shape + 4, 1);
         flatbuffers::WriteScalar(field, flatbuffers::ReadScalar<std::uint32_t>(field) + 4);
       }},
  };
  return rows;
}

// TensorsOnly is a directory whose tensors are all in storage 0, with a list as its tree.
Directory TensorsOnly(std::vector<TensorRecord> tensors) {
  Directory directory;
  directory.storages = {1};
  directory.tensors = std::move(tensors);
  ValueTreeBuilder builder;
  std::vector<NodeId> items;
  for (std::uint32_t i = 0; i < directory.tensors.size(); ++i) items.push_back(builder.Tensor(i, kTensorTorch));
  auto tree = std::move(builder).Finish(builder.Parent(NodeKind::kList, items), {});
  REQUIRE(tree.ok());
  directory.tree = std::move(tree).value();
  return directory;
}

std::vector<ObjectRecord> OneStorage(std::uint64_t plain_size) {
  std::vector<ObjectRecord> objects(2);
  objects[0].kind = ObjectKind::kDirectory;
  objects[1].plain_size = plain_size;
  return objects;
}

}  // namespace

TEST_CASE("directory: what was written is read back") {
  const auto parsed = ParseFixtureDirectory(SerializedDirectory(FixtureDirectory()));
  REQUIRE(parsed.ok());
  CHECK(parsed.value() == FixtureDirectory());
}

TEST_CASE("directory: read from any address") {
  const ByteBuffer bytes = SerializedDirectory(FixtureDirectory());
  ByteBuffer shifted(1, 0);
  shifted.insert(shifted.end(), bytes.begin(), bytes.end());
  CHECK(ParseFixtureDirectory(ByteView(shifted).subspan(1)).ok());
}

TEST_CASE("directory: every kind of tensor comes back as it was") {
  std::vector<TensorRecord> tensors;
  const auto add = [&tensors](Dtype dtype, std::vector<std::uint64_t> shape, std::vector<std::uint64_t> strides,
                              std::uint64_t offset = 0) {
    const std::string number = std::to_string(100 + tensors.size());
    tensors.push_back(FixtureTensor("t" + number, std::move(shape), std::move(strides)));
    tensors.back().dtype = dtype;
    tensors.back().byte_offset = offset;
  };
  for (std::uint8_t dtype = 1; dtype <= 24; ++dtype) add(static_cast<Dtype>(dtype), {2}, {1});
  add(Dtype::kF64, {}, {});                // rank 0
  add(Dtype::kF64, {0}, {1}, 4096);        // nothing, at the end
  add(Dtype::kU8, {3, 0, 2}, {2, 2, 1});   // nothing in the middle
  add(Dtype::kF32, {4, 4}, {1, 4});        // transposed
  add(Dtype::kF32, {1, 4}, {77, 1});       // a stride that does not matter is kept
  add(Dtype::kF32, {4, 4}, {1, 1});        // overlapping rows
  add(Dtype::kF32, {8, 1024}, {0, 1});     // 8 times its storage: still with a digest
  add(Dtype::kF4E2M1, {3, 5}, {5, 1}, 1);  // packed, from any byte
  add(Dtype::kU8, std::vector<std::uint64_t>(64, 1), std::vector<std::uint64_t>(64, 1));
  const Directory directory = TensorsOnly(tensors);
  const auto parsed = ParseDirectory(SerializedDirectory(directory), FixtureManifest(), OneStorage(4096), {});
  REQUIRE(parsed.ok());
  CHECK(parsed.value() == directory);
}

TEST_CASE("directory: an expanded tensor states no digest") {
  TensorRecord expanded = FixtureTensor("x", {1ull << 40}, {0});
  expanded.digest.reset();
  const auto parse = [](const TensorRecord& tensor) {
    return ParseDirectory(SerializedDirectory(TensorsOnly({tensor})), FixtureManifest(), OneStorage(4), {});
  };
  CHECK(parse(expanded).ok());
  expanded.shape = {9};
  CHECK(parse(expanded).ok());
  expanded.shape = {8};
  CheckRefused(parse(expanded), Stage::kMalformed, "bad_tensor_digest");
  expanded.digest = DigestFilledWith(1);
  CHECK(parse(expanded).ok());
}

TEST_CASE("directory: several storages and files may name one object") {
  Directory directory = FixtureDirectory();
  directory.storages.push_back(1);
  directory.tensors.push_back(FixtureTensor("zz", {24}, {1}));
  directory.tensors.back().storage = 3;
  const auto parsed = ParseFixtureDirectory(SerializedDirectory(directory));
  REQUIRE(parsed.ok());
  CHECK(parsed.value() == directory);
}

TEST_CASE("directory: what lies outside its storage or names the wrong object is refused") {
  for (const BadPlacement& row : Placements()) {
    CAPTURE(std::string(row.reason));
    Directory directory = FixtureDirectory();
    row.edit(directory);
    CheckRefused(ParseFixtureDirectory(SerializedDirectory(directory)), Stage::kMalformed, row.code);
  }
}

TEST_CASE("directory: the reader refuses each broken field") {
  for (const BadWire& row : WireRows()) {
    CAPTURE(std::string(row.reason));
    ByteBuffer bytes = SerializedDirectory(FixtureDirectory());
    row.edit(Root<wire::Directory>(bytes));
    CheckRefused(ParseFixtureDirectory(bytes), row.stage, row.code);
  }
}

TEST_CASE("directory: a tensor reference outside the table is refused") {
  Directory directory = FixtureDirectory();
  ValueTreeBuilder builder;
  auto tree = std::move(builder).Finish(builder.Tensor(4, kTensorTorch), {});
  REQUIRE(tree.ok());
  directory.tree = std::move(tree).value();
  const auto parsed = ParseFixtureDirectory(SerializedDirectory(directory));
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.error().stage == Stage::kMalformed);
}

TEST_CASE("directory: counts over their limits are refused before tables are walked") {
  const ByteBuffer bytes = SerializedDirectory(FixtureDirectory());
  const std::vector<std::pair<std::string, std::function<void(Limits&, std::uint32_t)>>> rows = {
      {"many_tensors", [](Limits& l, std::uint32_t less) { l.tensors = 4 - less; }},
      {"many_files", [](Limits& l, std::uint32_t less) { l.files = 2 - less; }},
      {"many_element_types", [](Limits& l, std::uint32_t less) { l.element_types = 2 - less; }},
      {"many_fields", [](Limits& l, std::uint32_t less) { l.record_fields = 3 - less; }},
      {"many_metadata", [](Limits& l, std::uint32_t less) { l.metadata_entries = 1 - less; }},
      {"many_nodes", [](Limits& l, std::uint32_t less) { l.tree_nodes = 7 - less; }},
      {"large_table", [&](Limits& l, std::uint32_t less) { l.directory_bytes = bytes.size() - less; }},
      {"high_rank", [](Limits& l, std::uint32_t less) { l.rank = 2 - less; }},
      {"deep_records", [](Limits& l, std::uint32_t less) { l.record_depth = 1 - less; }},
  };
  for (const auto& row : rows) {
    const auto& code = row.first;
    const auto& edit = row.second;
    CAPTURE(code);
    Limits limits;
    edit(limits, 0);
    CHECK(ParseDirectory(bytes, FixtureManifest(), FixtureObjects(), limits).ok());
    edit(limits, 1);
    CheckRefused(ParseDirectory(bytes, FixtureManifest(), FixtureObjects(), limits), Stage::kLimit, code);
  }
}

TEST_CASE("directory: any changed bit is refused or read as another directory") {
  const ByteBuffer bytes = SerializedDirectory(FixtureDirectory());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      ByteBuffer flipped = bytes;
      flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1u << bit));
      const auto parsed = ParseFixtureDirectory(flipped);
      if (!parsed.ok()) CHECK(parsed.error().stage != Stage::kInternal);
    }
  }
}

TEST_CASE("directory: tables shared by many slots cannot multiply the work") {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<std::uint64_t> shape(64, 1);
  const auto name = builder.CreateString(std::string(4096, 'n'));
  const auto wire_shape = builder.CreateVector(shape);
  const auto tensor = wire::CreateTensor(builder, name, std::uint8_t{1}, flatbuffers::nullopt, wire_shape, 0, 0u, 0ull);
  const auto tensors = builder.CreateVector(std::vector(1000000, tensor));
  const auto storages = builder.CreateVector(std::vector<std::uint32_t>{1});
  wire::DirectoryBuilder table(builder);
  table.add_tensors(tensors);
  table.add_storages(storages);
  wire::FinishDirectoryBuffer(builder, table.Finish());
  CheckRefused(ParseDirectory(FinishedBytes(builder), FixtureManifest(), OneStorage(64), {}), Stage::kMalformed,
               "tensor_order");
}

TEST_CASE("directory: one long text shared by many types cannot multiply the work") {
  flatbuffers::FlatBufferBuilder builder;
  const auto detail = builder.CreateString(std::string(4000, 'd'));
  std::vector<flatbuffers::Offset<wire::ElementType>> types;
  for (int i = 0; i < 60000; ++i) types.push_back(wire::CreateElementType(builder, std::uint8_t{38}, 8u, detail));
  const auto wire_types = builder.CreateVector(types);
  const auto storages = builder.CreateVector(std::vector<std::uint32_t>{1});
  const auto tensors = builder.CreateVector(std::vector<flatbuffers::Offset<wire::Tensor>>());
  wire::DirectoryBuilder table(builder);
  table.add_element_types(wire_types);
  table.add_tensors(tensors);
  table.add_storages(storages);
  wire::FinishDirectoryBuffer(builder, table.Finish());
  CheckRefused(ParseDirectory(FinishedBytes(builder), FixtureManifest(), OneStorage(64), {}), Stage::kLimit,
               "long_text");
}

TEST_CASE("directory: a hundred thousand tensors on one storage open at once") {
  std::vector<TensorRecord> tensors;
  for (int i = 0; i < 100000; ++i) {
    tensors.push_back(FixtureTensor("layer." + std::to_string(1000000 + i) + ".weight", {4, 4}, {1, 4}));
  }
  const Directory directory = TensorsOnly(std::move(tensors));
  const ByteBuffer bytes = SerializedDirectory(directory);
  const double seconds = testing::CpuSeconds([&] {
    const auto parsed = ParseDirectory(bytes, FixtureManifest(), OneStorage(64), {});
    REQUIRE(parsed.ok());
    CHECK(parsed.value().tensors.size() == 100000);
  });
  MESSAGE("100000 tensors parsed in " << seconds << " s");
  CHECK(seconds < 20);  // quadratic work would take hours
}

}  // namespace safemodel::container
