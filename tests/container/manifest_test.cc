// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstring>

#include "container/fixture.h"
#include "container/wire_edit.h"

namespace safemodel::container {
namespace {

Result<Manifest> Parse(ByteView bytes, const Limits& limits = {}) {
  return ParseManifest(bytes, PreambleOf(FixtureManifest()), limits);
}

// WireParts are what a test may put into a manifest beside the fixture's scalars.
struct WireParts {
  flatbuffers::Offset<WireKeyValues> metadata = 0;
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::Extension>>> extensions = 0;
  flatbuffers::Offset<wire::Encryption> encryption = 0;
  flatbuffers::Offset<flatbuffers::String> name = 0;
  bool unknown_field = false;
};

// Build makes a manifest as the writer does, without its checks.
ByteBuffer Build(const std::function<WireParts(flatbuffers::FlatBufferBuilder&)>& make_parts, std::uint16_t minor = 0) {
  const Manifest manifest = FixtureManifest();
  flatbuffers::FlatBufferBuilder builder;
  const WireParts parts = make_parts(builder);
  const auto name = parts.name.IsNull() ? builder.CreateString(manifest.name) : parts.name;
  const auto version = builder.CreateString(manifest.version);
  const wire::Id file_id(flatbuffers::span<const std::uint8_t, 16>(manifest.file_id.data(), 16));
  const wire::Hash digest = WireDigest(manifest.table_digest);
  wire::ManifestBuilder table(builder);
  table.add_major(manifest.major);
  table.add_minor(minor);
  table.add_flags(0);
  table.add_suite(1);
  table.add_file_id(&file_id);
  table.add_manifest_offset(manifest.manifest_offset);
  table.add_name(name);
  table.add_version(version);
  table.add_sequence(1);
  table.add_created(1);
  table.add_chunk_size(manifest.chunk_size);
  table.add_object_count(manifest.object_count);
  table.add_chunk_count(manifest.chunk_count);
  table.add_index_offset(manifest.index_offset);
  table.add_table_offset(manifest.table_offset);
  table.add_table_digest(&digest);
  if (!parts.encryption.IsNull()) table.add_encryption(parts.encryption);
  if (!parts.metadata.IsNull()) table.add_metadata(parts.metadata);
  if (!parts.extensions.IsNull()) table.add_extensions(parts.extensions);
  if (parts.unknown_field) builder.AddElement<std::uint8_t>(wire::Manifest::VT_EXTENSIONS + 2, 1, 0);
  wire::FinishManifestBuffer(builder, table.Finish());
  return FinishedBytes(builder);
}

flatbuffers::Offset<wire::KeyValue> Entry(flatbuffers::FlatBufferBuilder& builder, const std::string& key,
                                          const std::string& value) {
  const auto wire_key = builder.CreateString(key);
  const auto wire_value = builder.CreateString(value);
  return wire::CreateKeyValue(builder, wire_key, wire_value);
}

ByteBuffer BuildWithMetadata(const std::vector<std::pair<std::string, std::string>>& entries) {
  return Build([&](flatbuffers::FlatBufferBuilder& builder) {
    WireParts parts;
    parts.metadata = EncodeMetadata(builder, entries);
    return parts;
  });
}

ByteBuffer BuildWithName(const std::string& name) {
  return Build([&](flatbuffers::FlatBufferBuilder& builder) {
    WireParts parts;
    parts.name = builder.CreateString(name);
    return parts;
  });
}

std::uint8_t* RootBytes(ByteBuffer& bytes) {
  return bytes.data() + flatbuffers::ReadScalar<std::uint32_t>(bytes.data());
}

// SetSoffset changes the distance from the root table to its vtable.
void SetSoffset(ByteBuffer& bytes, std::int32_t distance) { flatbuffers::WriteScalar(RootBytes(bytes), distance); }

struct BadManifest {
  const char* reason;
  Stage stage;
  const char* code;
  std::function<void(Manifest&)> edit;
};

// The rows that a struct can express: the parser must refuse them, and the writer too.
const std::vector<BadManifest>& BadManifests() {
  static const std::vector<BadManifest> rows = {
      {"name empty", Stage::kMalformed, "bad_model_name", [](Manifest& m) { m.name = ""; }},
      {"name with @", Stage::kMalformed, "bad_model_name", [](Manifest& m) { m.name = "a@1"; }},
      {"name with a space", Stage::kMalformed, "bad_model_name", [](Manifest& m) { m.name = "a b"; }},
      {"name with a control", Stage::kMalformed, "bad_model_name", [](Manifest& m) { m.name = "a\n"; }},
      {"Cyrillic look-alike", Stage::kMalformed, "bad_model_name",
       [](Manifest& m) {
         m.name =
             "\xD0\xB0"
             "cme";
       }},
      {"name starts with /", Stage::kMalformed, "bad_model_name", [](Manifest& m) { m.name = "/a"; }},
      {"name ends with /", Stage::kMalformed, "bad_model_name", [](Manifest& m) { m.name = "a/"; }},
      {"empty component", Stage::kMalformed, "bad_model_name", [](Manifest& m) { m.name = "a//b"; }},
      {"component ..", Stage::kMalformed, "bad_model_name", [](Manifest& m) { m.name = "a/../b"; }},
      {"name too long", Stage::kLimit, "long_model_name", [](Manifest& m) { m.name = std::string(256, 'a'); }},
      {"version empty", Stage::kMalformed, "bad_model_version", [](Manifest& m) { m.version = ""; }},
      {"version with /", Stage::kMalformed, "bad_model_version", [](Manifest& m) { m.version = "1/2"; }},
      {"version with a space", Stage::kMalformed, "bad_model_version", [](Manifest& m) { m.version = "1 "; }},
      {"version too long", Stage::kLimit, "long_model_version", [](Manifest& m) { m.version = std::string(256, '1'); }},
      {"created before 1970", Stage::kMalformed, "bad_created", [](Manifest& m) { m.created = -1; }},
      {"created after the year 9999", Stage::kMalformed, "bad_created", [](Manifest& m) { m.created = 253402300800; }},
      {"sequence 2^53", Stage::kLimit, "large_sequence", [](Manifest& m) { m.sequence = 1ull << 53; }},
      {"suite 0", Stage::kUnsupported, "unknown_suite", [](Manifest& m) { m.suite = 0; }},
      {"suite 2", Stage::kUnsupported, "unknown_suite", [](Manifest& m) { m.suite = 2; }},
      {"suite 255", Stage::kUnsupported, "unknown_suite", [](Manifest& m) { m.suite = 255; }},
      {"chunk size 0", Stage::kMalformed, "bad_chunk_size", [](Manifest& m) { m.chunk_size = 0; }},
      {"chunk size 4097", Stage::kMalformed, "bad_chunk_size", [](Manifest& m) { m.chunk_size = 4097; }},
      {"chunk size 2 KiB", Stage::kLimit, "chunk_size_limit", [](Manifest& m) { m.chunk_size = 2048; }},
      {"chunk size 128 MiB", Stage::kLimit, "chunk_size_limit", [](Manifest& m) { m.chunk_size = 128u << 20; }},
      {"no objects", Stage::kMalformed, "no_objects", [](Manifest& m) { m.object_count = 0; }},
      {"objects over the limit", Stage::kLimit, "many_objects", [](Manifest& m) { m.object_count = (1u << 22) + 1; }},
      {"2^32 - 1 objects", Stage::kLimit, "many_objects", [](Manifest& m) { m.object_count = ~0u; }},
      {"chunks over the limit", Stage::kLimit, "many_chunks", [](Manifest& m) { m.chunk_count = (1ull << 28) + 1; }},
      {"count times record size wraps", Stage::kLimit, "many_chunks",
       [](Manifest& m) { m.chunk_count = ~0ull / 48 + 2; }},
      {"one chunk more than the index holds", Stage::kMalformed, "bad_regions",
       [](Manifest& m) { m.chunk_count += 1; }},
      {"one object less than the table holds", Stage::kMalformed, "bad_regions",
       [](Manifest& m) { m.object_count -= 1; }},
      {"gap between index and table", Stage::kMalformed, "bad_regions", [](Manifest& m) { m.index_offset -= 1; }},
      {"index overlaps the table", Stage::kMalformed, "bad_regions", [](Manifest& m) { m.index_offset += 1; }},
      {"table overlaps the manifest", Stage::kMalformed, "bad_regions",
       [](Manifest& m) { m.index_offset += 1, m.table_offset += 1; }},
      {"table behind the manifest", Stage::kMalformed, "bad_regions",
       [](Manifest& m) { m.index_offset += 4096, m.table_offset += 4096; }},
      {"index offset wraps", Stage::kMalformed, "bad_regions", [](Manifest& m) { m.index_offset = ~0ull; }},
      {"table offset wraps", Stage::kMalformed, "bad_regions", [](Manifest& m) { m.table_offset = ~0ull - 5; }},
  };
  return rows;
}

// SerializeUnchecked writes the fields that BadManifests touches into valid bytes.
ByteBuffer SerializeUnchecked(const Manifest& manifest) {
  ByteBuffer bytes = Build([&](flatbuffers::FlatBufferBuilder& builder) {
    WireParts parts;
    parts.name = builder.CreateString(manifest.name);
    return parts;
  });
  if (manifest.version != FixtureManifest().version) {
    flatbuffers::FlatBufferBuilder builder;
    const wire::Id file_id(flatbuffers::span<const std::uint8_t, 16>(manifest.file_id.data(), 16));
    const wire::Hash digest = WireDigest(manifest.table_digest);
    const auto name = builder.CreateString(manifest.name);
    const auto version = builder.CreateString(manifest.version);
    wire::FinishManifestBuffer(
        builder, wire::CreateManifest(builder, std::uint16_t{1}, std::uint16_t{0}, 0u, std::uint8_t{1}, &file_id,
                                      manifest.manifest_offset, name, version, manifest.sequence, manifest.created,
                                      manifest.chunk_size, manifest.object_count, manifest.chunk_count,
                                      manifest.index_offset, manifest.table_offset, &digest));
    return FinishedBytes(builder);
  }
  const auto* root = Root<wire::Manifest>(bytes);
  SetNumber(root, wire::Manifest::VT_SUITE, manifest.suite);
  SetNumber(root, wire::Manifest::VT_SEQUENCE, manifest.sequence);
  SetNumber(root, wire::Manifest::VT_CREATED, manifest.created);
  SetNumber(root, wire::Manifest::VT_CHUNK_SIZE, manifest.chunk_size);
  SetNumber(root, wire::Manifest::VT_OBJECT_COUNT, manifest.object_count);
  SetNumber(root, wire::Manifest::VT_CHUNK_COUNT, manifest.chunk_count);
  SetNumber(root, wire::Manifest::VT_INDEX_OFFSET, manifest.index_offset);
  SetNumber(root, wire::Manifest::VT_TABLE_OFFSET, manifest.table_offset);
  return bytes;
}

}  // namespace

TEST_CASE("manifest: what was written is read back") {
  const Manifest manifest = FixtureManifest();
  const auto parsed = Parse(SerializedManifest(manifest));
  REQUIRE(parsed.ok());
  CHECK(parsed.value() == manifest);
}

TEST_CASE("manifest: read from any address") {
  const ByteBuffer bytes = SerializedManifest(FixtureManifest());
  for (std::size_t shift = 1; shift < 8; ++shift) {
    ByteBuffer shifted(shift, 0xEE);
    shifted.insert(shifted.end(), bytes.begin(), bytes.end());
    const auto parsed = Parse(ByteView(shifted).subspan(shift));
    REQUIRE(parsed.ok());
    CHECK(parsed.value() == FixtureManifest());
  }
}

TEST_CASE("manifest: edges of the rules are accepted") {
  Manifest manifest = FixtureManifest();
  manifest.name = std::string(255, 'a');
  manifest.version = std::string(255, 'Z');
  manifest.sequence = (1ull << 53) - 1;
  manifest.created = 253402300799;
  manifest.metadata.clear();
  manifest.extensions.clear();
  const auto parsed = Parse(SerializedManifest(manifest));
  REQUIRE(parsed.ok());
  CHECK(parsed.value() == manifest);
  manifest.name = "A/b_c-d.e/0";
  manifest.created = 0;
  manifest.sequence = 0;
  CHECK(Parse(SerializedManifest(manifest)).ok());
}

TEST_CASE("manifest: reader and writer refuse the same") {
  for (const BadManifest& row : BadManifests()) {
    CAPTURE(std::string(row.reason));
    Manifest manifest = FixtureManifest();
    row.edit(manifest);
    CheckRefused(SerializeManifest(manifest), row.stage, row.code);
    const auto parsed = Parse(SerializeUnchecked(manifest));
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().stage == row.stage);
  }
}

TEST_CASE("manifest: each field of the preamble's copy counts") {
  const ByteBuffer bytes = SerializedManifest(FixtureManifest());
  const std::vector<std::pair<std::string, std::function<void(Preamble&)>>> rows = {
      {"copy_minor", [](Preamble& p) { p.minor = 1; }},
      {"copy_flags", [](Preamble& p) { p.flags = 1; }},
      {"copy_major", [](Preamble& p) { p.major = 2; }},
      {"copy_file_id", [](Preamble& p) { p.file_id[15] ^= 1; }},
      {"copy_manifest_offset", [](Preamble& p) { p.manifest_offset += 8; }},
  };
  for (const auto& [code, edit] : rows) {
    Preamble preamble = PreambleOf(FixtureManifest());
    edit(preamble);
    CheckRefused(ParseManifest(bytes, preamble, {}), Stage::kMalformed, code);
  }
}

TEST_CASE("manifest: each required field must be there") {
  for (flatbuffers::voffset_t field = wire::Manifest::VT_MAJOR; field < wire::Manifest::VT_ENCRYPTION; field += 2) {
    CAPTURE(field);
    ByteBuffer bytes = SerializedManifest(FixtureManifest());
    EraseField(Root<wire::Manifest>(bytes), field);
    CheckRefused(Parse(bytes), Stage::kMalformed, "missing_field");
  }
  for (const flatbuffers::voffset_t field : {wire::Manifest::VT_METADATA, wire::Manifest::VT_EXTENSIONS}) {
    ByteBuffer bytes = SerializedManifest(FixtureManifest());
    EraseField(Root<wire::Manifest>(bytes), field);
    CHECK(Parse(bytes).ok());
  }
}

TEST_CASE("manifest: fields of its tables must be there") {
  const std::vector<std::function<void(const wire::Manifest*)>> edits = {
      [](const wire::Manifest* m) { EraseField(m->metadata()->Get(0), wire::KeyValue::VT_KEY); },
      [](const wire::Manifest* m) { EraseField(m->metadata()->Get(0), wire::KeyValue::VT_VALUE); },
      [](const wire::Manifest* m) { EraseField(m->extensions()->Get(0), wire::Extension::VT_NAME); },
      [](const wire::Manifest* m) { EraseField(m->extensions()->Get(0), wire::Extension::VT_CRITICAL); },
  };
  for (const auto& edit : edits) {
    ByteBuffer bytes = SerializedManifest(FixtureManifest());
    edit(Root<wire::Manifest>(bytes));
    CheckRefused(Parse(bytes), Stage::kMalformed, "missing_field");
  }
}

TEST_CASE("manifest: a broken FlatBuffer is refused") {
  const std::vector<std::pair<std::string, std::function<void(ByteBuffer&)>>> rows = {
      {"identifier", [](ByteBuffer& b) { b[7] ^= 1; }},
      {"root offset 0", [](ByteBuffer& b) { flatbuffers::WriteScalar<std::uint32_t>(b.data(), 0); }},
      {"root offset negative", [](ByteBuffer& b) { flatbuffers::WriteScalar<std::uint32_t>(b.data(), 0x80000008); }},
      {"root offset past the end",
       [](ByteBuffer& b) { flatbuffers::WriteScalar(b.data(), static_cast<std::uint32_t>(b.size())); }},
      {"root offset odd", [](ByteBuffer& b) { b[0] ^= 1; }},
      {"vtable outside", [](ByteBuffer& b) { SetSoffset(b, 0x7FFFFFF0); }},
      {"vtable odd", [](ByteBuffer& b) { SetSoffset(b, flatbuffers::ReadScalar<std::int32_t>(RootBytes(b)) + 1); }},
      {"vtable size odd", [](ByteBuffer& b) { VtableOf(AsTable(Root<wire::Manifest>(b)))[0] ^= 1; }},
      {"vtable size 0", [](ByteBuffer& b) { VtableOf(AsTable(Root<wire::Manifest>(b)))[0] = 0; }},
      {"vtable size 2", [](ByteBuffer& b) { VtableOf(AsTable(Root<wire::Manifest>(b)))[0] = 2; }},
      {"vtable past the end", [](ByteBuffer& b) { VtableOf(AsTable(Root<wire::Manifest>(b)))[0] = 0xFFFE; }},
      {"field outside",
       [](ByteBuffer& b) { VtableOf(AsTable(Root<wire::Manifest>(b)))[wire::Manifest::VT_SEQUENCE / 2] = 0xFFF0; }},
      {"scalar misaligned",
       [](ByteBuffer& b) { VtableOf(AsTable(Root<wire::Manifest>(b)))[wire::Manifest::VT_SEQUENCE / 2] += 1; }},
      {"string outside",
       [](ByteBuffer& b) { SetNumber(Root<wire::Manifest>(b), wire::Manifest::VT_NAME, 0x7FFFFFF0u); }},
      {"string offset 0", [](ByteBuffer& b) { SetNumber(Root<wire::Manifest>(b), wire::Manifest::VT_NAME, 0u); }},
      {"string without terminator",
       [](ByteBuffer& b) {
         const auto* name = Root<wire::Manifest>(b)->name();
         const_cast<char*>(name->c_str())[name->size()] = 'x';
       }},
      {"string longer than the buffer",
       [](ByteBuffer& b) {
         auto* name = const_cast<flatbuffers::String*>(Root<wire::Manifest>(b)->name());
         flatbuffers::WriteScalar<std::uint32_t>(name, 0x7FFFFFFF);
       }},
      {"table of a vector outside",
       [](ByteBuffer& b) {
         const auto* metadata = Root<wire::Manifest>(b)->metadata();
         flatbuffers::WriteScalar<std::uint32_t>(const_cast<std::uint8_t*>(metadata->Data()), 0x7FFFFFF0);
       }},
  };
  for (const auto& row : rows) {
    const auto& reason = row.first;
    const auto& edit = row.second;
    CAPTURE(reason);
    ByteBuffer bytes = SerializedManifest(FixtureManifest());
    edit(bytes);
    const auto parsed = Parse(bytes);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().stage == Stage::kMalformed);
  }
}

TEST_CASE("manifest: no prefix and no short input reads outside") {
  const ByteBuffer bytes = SerializedManifest(FixtureManifest());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const ByteBuffer prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto parsed = Parse(prefix);
    // The builder's buffer may end in padding, without which it still holds everything.
    if (parsed.ok()) {
      CHECK(size + 8 > bytes.size());
      CHECK(parsed.value() == FixtureManifest());
    } else {
      CHECK(parsed.error().stage == Stage::kMalformed);
    }
  }
}

TEST_CASE("manifest: any changed byte is refused or read as another manifest") {
  const ByteBuffer bytes = SerializedManifest(FixtureManifest());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      ByteBuffer flipped = bytes;
      flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1u << bit));
      const auto parsed = Parse(flipped);
      if (!parsed.ok()) CHECK(parsed.error().stage != Stage::kInternal);
    }
  }
}

TEST_CASE("manifest: text that is no UTF-8 is refused") {
  const std::string bad[] = {"\xC0\xAF",         "\xE0\x80\x80", "\xED\xA0\x80",        "\xFF",
                             "\xF4\x90\x80\x80", "cut \xE2\x82", std::string("a\0b", 3)};
  for (const std::string& text : bad) {
    CheckRefused(Parse(BuildWithMetadata({{"key", text}})), Stage::kMalformed, "bad_utf8");
    CheckRefused(Parse(BuildWithMetadata({{text, "value"}})), Stage::kMalformed, "bad_utf8");
    CheckRefused(Parse(BuildWithName(text)), Stage::kMalformed, "bad_utf8");
    Manifest manifest = FixtureManifest();
    manifest.metadata = {{"key", text}};
    CheckRefused(SerializeManifest(manifest), Stage::kMalformed, "bad_utf8");
  }
}

TEST_CASE("manifest: metadata is in strict order and within its limits") {
  CHECK(Parse(BuildWithMetadata({{"a", ""}, {"b", "x"}, {"ba", "y"}})).ok());
  CheckRefused(Parse(BuildWithMetadata({{"b", "1"}, {"a", "2"}})), Stage::kMalformed, "metadata_order");
  CheckRefused(Parse(BuildWithMetadata({{"a", "1"}, {"a", "2"}})), Stage::kMalformed, "metadata_order");
  CheckRefused(Parse(BuildWithMetadata({{"", "1"}})), Stage::kMalformed, "empty_metadata_key");

  KeyValues many;
  for (std::uint32_t i = 0; i < 4096; ++i) many.emplace_back(std::to_string(100000 + i), "");
  CHECK(Parse(BuildWithMetadata(many)).ok());
  many.emplace_back("x", "");
  CheckRefused(Parse(BuildWithMetadata(many)), Stage::kLimit, "many_metadata");

  Limits limits;
  limits.metadata_bytes = 6;
  CHECK(Parse(BuildWithMetadata({{"a", "12345"}}), limits).ok());
  CheckRefused(Parse(BuildWithMetadata({{"a", "123"}, {"b", "45"}}), limits), Stage::kLimit, "large_metadata");
  CheckRefused(Parse(BuildWithMetadata({{"a", "1234567"}}), limits), Stage::kLimit, "long_text");
}

TEST_CASE("manifest: larger than its limit") {
  Limits limits;
  limits.manifest_bytes = SerializedManifest(FixtureManifest()).size();
  CHECK(Parse(SerializedManifest(FixtureManifest()), limits).ok());
  limits.manifest_bytes -= 1;
  CheckRefused(Parse(SerializedManifest(FixtureManifest()), limits), Stage::kLimit, "large_table");
  Manifest manifest = FixtureManifest();
  manifest.extensions[0].data.resize((1u << 20) - 100);
  CheckRefused(SerializeManifest(manifest), Stage::kLimit, "large_manifest");
}

TEST_CASE("manifest: many slots on one table cannot multiply the work") {
  const auto shared = [](std::size_t slots) {
    return Build([slots](flatbuffers::FlatBufferBuilder& builder) {
      const auto entry = Entry(builder, "key", std::string(200000, 'v'));
      WireParts parts;
      parts.metadata = builder.CreateVector(std::vector(slots, entry));
      return parts;
    });
  };
  CHECK(Parse(shared(1)).ok());
  CheckRefused(Parse(shared(2)), Stage::kMalformed, "metadata_order");
  CheckRefused(Parse(shared(4096)), Stage::kMalformed, "metadata_order");
  CheckRefused(Parse(shared(100000)), Stage::kLimit, "many_metadata");
}

TEST_CASE("manifest: extensions") {
  const auto build = [](const std::vector<std::pair<std::string, bool>>& entries) {
    return Build([&](flatbuffers::FlatBufferBuilder& builder) {
      std::vector<flatbuffers::Offset<wire::Extension>> tables;
      for (const auto& [name, critical] : entries) {
        const auto wire_name = builder.CreateString(name);
        tables.push_back(wire::CreateExtension(builder, wire_name, critical));
      }
      WireParts parts;
      parts.extensions = builder.CreateVector(tables);
      return parts;
    });
  };
  CHECK(Parse(build({{"a", false}, {"b", false}})).ok());
  CheckRefused(Parse(build({{"a", true}})), Stage::kUnsupported, "unknown_critical_extension");
  CheckRefused(Parse(build({{"a", false}, {"a", false}})), Stage::kMalformed, "extension_order");
  CheckRefused(Parse(build({{"b", false}, {"a", false}})), Stage::kMalformed, "extension_order");
  CheckRefused(Parse(build({{"", false}})), Stage::kMalformed, "extension_order");
  CheckRefused(Parse(build({{"a\n", false}})), Stage::kMalformed, "bad_text");
  std::vector<std::pair<std::string, bool>> many;
  for (int i = 0; i < 65; ++i) many.emplace_back("x" + std::to_string(100 + i), false);
  CheckRefused(Parse(build(many)), Stage::kLimit, "many_extensions");
  many.pop_back();
  CHECK(Parse(build(many)).ok());
}

Result<Manifest> ParseWithEncryption(std::optional<std::uint8_t> algorithm, const wire::Hash* commitment,
                                     std::optional<std::uint32_t> bucket) {
  return Parse(Build([&](flatbuffers::FlatBufferBuilder& builder) {
    WireParts parts;
    wire::EncryptionBuilder table(builder);
    if (algorithm) table.add_algorithm(*algorithm);
    if (commitment != nullptr) table.add_commitment(commitment);
    if (bucket) table.add_bucket(*bucket);
    parts.encryption = table.Finish();
    return parts;
  }));
}

TEST_CASE("manifest: an encryption block is complete, of a known algorithm, and its bucket a power of two") {
  const wire::Hash commitment;
  const auto parsed = ParseWithEncryption(std::uint8_t{1}, &commitment, 16384u);
  REQUIRE(parsed.ok());
  CHECK(parsed.value().encryption == Encryption{1, {}, 16384});
  CHECK(ParseWithEncryption(std::uint8_t{1}, &commitment, 1u).ok());
  CHECK(ParseWithEncryption(std::uint8_t{1}, &commitment, 1u << 20).ok());

  CheckRefused(ParseWithEncryption(std::nullopt, &commitment, 1u), Stage::kMalformed, "missing_field");
  CheckRefused(ParseWithEncryption(std::uint8_t{1}, nullptr, 1u), Stage::kMalformed, "missing_field");
  CheckRefused(ParseWithEncryption(std::uint8_t{1}, &commitment, std::nullopt), Stage::kMalformed, "missing_field");
  CheckRefused(ParseWithEncryption(std::uint8_t{0}, &commitment, 1u), Stage::kUnsupported, "unknown_encryption");
  CheckRefused(ParseWithEncryption(std::uint8_t{2}, &commitment, 1u), Stage::kUnsupported, "unknown_encryption");
  CheckRefused(ParseWithEncryption(std::uint8_t{1}, &commitment, 0u), Stage::kMalformed, "bad_bucket");
  CheckRefused(ParseWithEncryption(std::uint8_t{1}, &commitment, 48u), Stage::kMalformed, "bad_bucket");
  CheckRefused(ParseWithEncryption(std::uint8_t{1}, &commitment, 1u << 21), Stage::kLimit, "large_bucket");
}

TEST_CASE("manifest: unknown fields are refused in our own minor version and read in a newer one") {
  const auto in_root = [](flatbuffers::FlatBufferBuilder&) {
    WireParts parts;
    parts.unknown_field = true;
    return parts;
  };
  const auto in_metadata = [](flatbuffers::FlatBufferBuilder& builder) {
    const auto key = builder.CreateString("key");
    const auto value = builder.CreateString("value");
    wire::KeyValueBuilder entry(builder);
    entry.add_key(key);
    entry.add_value(value);
    builder.AddElement<std::uint32_t>(wire::KeyValue::VT_VALUE + 2, 1, 0);
    WireParts parts;
    parts.metadata = builder.CreateVector(std::vector{entry.Finish()});
    return parts;
  };
  for (const std::function<WireParts(flatbuffers::FlatBufferBuilder&)>& make :
       {std::function(in_root), std::function<WireParts(flatbuffers::FlatBufferBuilder&)>(in_metadata)}) {
    CheckRefused(Parse(Build(make)), Stage::kMalformed, "unknown_field");
    Preamble newer = PreambleOf(FixtureManifest());
    newer.minor = 1;
    CHECK(ParseManifest(Build(make, 1), newer, {}).ok());
  }
}

TEST_CASE("manifest: bytes that nothing references are not detectable") {
  const ByteBuffer bytes = Build([](flatbuffers::FlatBufferBuilder& builder) {
    builder.CreateString("nobody refers to this");
    return WireParts{};
  });
  CHECK(Parse(bytes).ok());
}

}  // namespace safemodel::container
