// SPDX-License-Identifier: Apache-2.0
#include "pickle/zip.h"

#include <doctest/doctest.h>

#include "base/thread_pool.h"
#include "pickle/zip_builder.h"

using namespace safemodel;           // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;   // NOLINT(google-build-using-namespace)
using namespace safemodel::testing;  // NOLINT(google-build-using-namespace)

namespace {

using Pack = ZipMember::Pack;

std::string OpenCode(const ByteBuffer& bytes, const ZipLimits& limits = {}) {
  const auto archive = ZipArchive::Open(MakeMemorySource(bytes), limits);
  return archive.ok() ? "ok" : archive.error().code;
}

std::string ReadCode(const ZipArchive& archive, const std::string& name, std::string* plain) {
  const auto entry = archive.Find(name);
  if (!entry.ok()) return entry.error().code;
  if (entry.value() == nullptr) return "absent";
  const auto source = archive.OpenEntry(*entry.value());
  if (!source.ok()) return source.error().code;
  const auto bytes = ReadRange(*source.value(), 0, source.value()->size(), 1u << 30);
  if (!bytes.ok()) return bytes.error().code;
  *plain = std::string(AsText(bytes.value()));
  return "ok";
}

std::string Descriptor(const std::string& plain, bool signature, bool wide) {
  ByteWriter out;
  if (signature) out.U32(0x08074B50);
  out.U32(CrcOf(plain));
  for (int i = 0; i < 2; ++i) wide ? out.U64(plain.size()) : out.U32(static_cast<std::uint32_t>(plain.size()));
  return std::string(AsText(out.view()));
}

void Streamed(ZipField& field) {
  field.flags = 0x0808;
  field.crc = field.size = field.stored_size = 0;
}

void FlagsOnly(ZipField& field) { field.flags = 0x0808; }

struct Row {
  std::string why;
  std::string code;
  std::vector<ZipMember> members;
  ZipEnd end = {};
};

}  // namespace

TEST_CASE("zip: honest archives are read") {
  const std::string body = "some bytes";
  const std::string padding = std::string("FB\x05\0", 4) + "ZZZZZ";
  std::string big(300'000, 'x');
  for (std::size_t i = 0; i < big.size(); i += 7) big[i] = static_cast<char>(i * 31 % 251);
  const std::vector<Row> rows = {
      {"stored and deflated", "ok", {{"a", body}, {"b/c", big, Pack::kDeflated}}},
      {"PyTorch's streaming flags, sizes behind the data",
       "ok",
       {{"a", body, Pack::kStored, Streamed, FlagsOnly, Descriptor(body, true, false)}}},
      {"64-bit descriptor",
       "ok",
       {{"a", body, Pack::kStored, Streamed, FlagsOnly, Descriptor(body, true, true)}, {"b", body}}},
      {"descriptor without signature",
       "ok",
       {{"a", body, Pack::kStored, Streamed, FlagsOnly, Descriptor(body, false, false)}, {"b", body}}},
      {"PyTorch's alignment padding", "ok", {{"a", body, Pack::kStored, [&](ZipField& f) { f.extra = padding; }}}},
      {"CRC 0 everywhere",
       "ok",
       {{"a", body, Pack::kStored, [](ZipField& f) { f.crc = 0; }, [](ZipField& f) { f.crc = 0; }}}},
      {"folders, spaces, UTF-8", "ok", {{"mein Modell/", ""}, {"mein Modell/\xC3\xA4", body}}},
      {"text comment", "ok", {{"a", body}}, {.comment = "made by hand\n"}},
      {"zeros in front of the directory", "ok", {{"a", body}}, {.gap = std::string(5, '\0')}},
      {"zip64 end record", "ok", {{"a", body}}, {.zip64 = ZipEnd::Zip64::kYes}},
      {"no members", "ok", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const ByteBuffer bytes = BuildZip(row.members, row.end);
    const auto archive = ZipArchive::Open(MakeMemorySource(bytes));
    REQUIRE_MESSAGE(archive.ok(), std::string(archive.error().code));
    for (const ZipMember& member : row.members) {
      std::string plain;
      CHECK(ReadCode(archive.value(), member.name, &plain) == "ok");
      CHECK(plain == member.plain);
    }
  }
}

TEST_CASE("zip: what two readers take differently is refused by its rule") {
  const auto local = [](std::function<void(ZipField&)> change) {
    return ZipMember{"a", "body", Pack::kStored, std::move(change)};
  };
  const auto central = [](std::function<void(ZipField&)> change) {
    return ZipMember{"a", "body", Pack::kStored, {}, std::move(change)};
  };
  const auto both = [](const std::function<void(ZipField&)>& change) {
    return ZipMember{"a", "body", Pack::kStored, change, change};
  };
  const std::string inner(AsText(BuildZip({{"a", "evil"}})));
  const std::vector<Row> rows = {
      {"equal names", "ZIP-DUPLICATE", {{"a/data.pkl", "1"}, {"b", ""}, {"a/data.pkl", "2"}}},
      {"names that differ in case only", "ZIP-DUPLICATE", {{"a/data.pkl", "1"}, {"a/DATA.pkl", "2"}}},
      {"two encodings of names",
       "ZIP-NAME",
       {{"\xC3\xA4", "1", Pack::kStored, FlagsOnly, FlagsOnly, Descriptor("1", true, false)}, {"\x84", "2"}}},
      {"local name", "ZIP-NAME-MISMATCH", {local([](ZipField& f) { f.name = "b"; })}},
      {"Unicode path field", "ZIP-NAME-MISMATCH", {local([](ZipField& f) {
         f.extra = std::string("\x75\x70\x06\0\1\0\0\0\0b", 10);
       })}},
      {"encrypted in the local header only", "ZIP-FLAGS", {local([](ZipField& f) { f.flags = 0x1; })}},
      {"patch in the local header only", "ZIP-FLAGS", {local([](ZipField& f) { f.flags = 0x20; })}},
      {"strong encryption in the local header only", "ZIP-FLAGS", {local([](ZipField& f) { f.flags = 0x40; })}},
      {"encrypted", "FILE-ENCRYPTED", {both([](ZipField& f) { f.flags = 0x1; })}},
      {"patch", "ZIP-FLAGS", {both([](ZipField& f) { f.flags = 0x20; })}},
      {"masked headers", "ZIP-FLAGS", {both([](ZipField& f) { f.flags = 0x2000; })}},
      {"version 99", "ZIP-VERSION", {central([](ZipField& f) { f.version = 99; })}},
      {"methods differ", "ZIP-METHOD-MISMATCH", {central([](ZipField& f) { f.method = 8; })}},
      {"bzip2", "FILE-UNSUPPORTED", {both([](ZipField& f) { f.method = 12; })}},
      {"stored member longer than its bytes", "ZIP-SIZES", {both([](ZipField& f) { f.size += 100; })}},
      {"local size differs", "ZIP-SIZES", {local([](ZipField& f) { f.size += 1; })}},
      {"descriptor missing", "ZIP-SIZES", {{"a", "body", Pack::kStored, Streamed, FlagsOnly}}},
      {"descriptor of other sizes",
       "ZIP-SIZES",
       {{"a", "body", Pack::kStored, Streamed, FlagsOnly, Descriptor("bodies", true, false)}}},
      {"local CRC differs", "ZIP-CRC", {local([](ZipField& f) { f.crc ^= 1; })}},
      {"sizes reach into the next member",
       "ZIP-OVERLAP",
       {both([](ZipField& f) { f.size = f.stored_size = 20; }), {"b", "body"}}},
      {"size reaches beyond the file", "ZIP-OVERLAP", {both([](ZipField& f) { f.size = f.stored_size = 1u << 30; })}},
      {"folder attribute on a file", "ZIP-ATTR", {central([](ZipField& f) { f.attributes = 0x10; })}},
      {"folder with bytes", "ZIP-ATTR", {{"a/", "body"}}},
      {"NUL in a name", "ZIP-NAME", {{std::string("a\0b", 3), ""}}},
      {"control character", "ZIP-NAME", {{"a\nb", ""}}},
      {"parent folder", "ZIP-NAME", {{"a/../../b", ""}}},
      {"absolute", "ZIP-NAME", {{"/a", ""}}},
      {"drive", "ZIP-NAME", {{"c:a", ""}}},
      {"backslash", "ZIP-NAME", {{"a\\b", ""}}},
      {"no name", "ZIP-NAME", {{"", ""}}},
      {"bytes in front", "ZIP-OUTSIDE", {{"a", "body"}}, {.front = "MZ"}},
      {"bytes in front, offsets adjusted", "ZIP-OUTSIDE", {{"a", "body", Pack::kStored, {}, {}, {}, "MZ"}}},
      {"bytes between members", "ZIP-OUTSIDE", {{"a", "body"}, {"b", "", Pack::kStored, {}, {}, {}, "hidden"}}},
      {"bytes in front of the directory", "ZIP-OUTSIDE", {{"a", "body"}}, {.gap = "hidden"}},
      {"bytes behind the end", "ZIP-OUTSIDE", {{"a", "body"}}, {.after = "x"}},
      {"comment length too long", "ZIP-OUTSIDE", {{"a", "body"}}, {.comment_size = 5}},
      {"archive in the comment", "ZIP-OUTSIDE", {{"a", "body"}}, {.comment = inner}},
      {"two archives", "ZIP-OUTSIDE", {{"a", "body"}}, {.front = inner}},
      {"data in alignment padding", "ZIP-OUTSIDE", {local([](ZipField& f) {
         f.extra = std::string("FB\x03\0ZxZ", 7);
       })}},
      {"end record counts too few", "ZIP-END", {{"a", "body"}, {"b", ""}}, {.extra_entries = -1}},
      {"end record counts too many", "ZIP-END", {{"a", "body"}}, {.extra_entries = 1}},
      {"several disks", "ZIP-END", {{"a", "body"}}, {.disk = 1}},
      {"zip64 record contradicts", "ZIP-END", {{"a", "body"}}, {.zip64 = ZipEnd::Zip64::kContradicts}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(OpenCode(BuildZip(row.members, row.end)) == row.code);
  }
}

TEST_CASE("zip: names are found exactly") {
  const auto archive = ZipArchive::Open(MakeMemorySource(BuildZip({{"m/DATA.PKL", "x"}})));
  REQUIRE(archive.ok());
  std::string plain;
  CHECK(ReadCode(archive.value(), "m/data.pkl", &plain) == "ZIP-CASE");
  CHECK(ReadCode(archive.value(), "m/other", &plain) == "absent");
}

TEST_CASE("zip: wrong bytes are found when all have been read, in any order") {
  std::string body(1000, 'q');
  ByteBuffer bytes = BuildZip({{"a", body}});
  bytes[40] ^= 1;
  const auto archive = ZipArchive::Open(MakeMemorySource(bytes));
  REQUIRE(archive.ok());
  const auto source = archive.value().OpenEntry(archive.value().entries()[0]);
  REQUIRE(source.ok());
  for (int round = 0; round < 2; ++round) {
    ByteBuffer out(1000);
    const MutableBytes all(out);
    CHECK(source.value()->ReadAt(500, all.subspan(500, 300)).ok());
    CHECK(source.value()->ReadAt(0, all.first(500)).ok());
    CHECK(source.value()->ReadAt(0, all.first(500)).ok());  // twice counts once
    const Status last = source.value()->ReadAt(800, all.last(200));
    REQUIRE_FALSE(last.ok());
    CHECK(std::string(last.error().code) == "ZIP-CRC");
    CHECK(last.error().subject == "a");
  }
}

TEST_CASE("zip: checksums join across threads") {
  std::string body(1u << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 2654435761u >> 13);
  const auto archive = ZipArchive::Open(MakeMemorySource(BuildZip({{"a", body}})));
  REQUIRE(archive.ok());
  const auto source = archive.value().OpenEntry(archive.value().entries()[0]);
  REQUIRE(source.ok());
  const Status status = ParallelFor(256, 4, [&](std::size_t i, unsigned) {
    ByteBuffer piece(4096);
    return source.value()->ReadAt(i * 77 % 256 * 4096, piece);
  });
  CHECK(status.ok());
}

TEST_CASE("zip: deflated members") {
  std::string body(200'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * i >> 7);
  const ByteBuffer bytes = BuildZip({{"a", body, Pack::kDeflated}});
  const auto archive = ZipArchive::Open(MakeMemorySource(bytes));
  REQUIRE(archive.ok());
  const ZipEntry entry = archive.value().entries()[0];
  const auto source = archive.value().OpenEntry(entry);
  REQUIRE(source.ok());
  CHECK(source.value()->sequential());

  SUBCASE("may be read backwards") {
    for (const std::size_t offset : {150'000u, 10u, 199'999u, 0u}) {
      ByteBuffer out(std::min<std::size_t>(1000, body.size() - offset));
      REQUIRE(source.value()->ReadAt(offset, out).ok());
      CHECK(AsText(out) == body.substr(offset, out.size()));
    }
  }
  SUBCASE("refuse a wrong checksum at the end, each time") {
    ByteBuffer broken =
        BuildZip({{"a", body, Pack::kDeflated, [](ZipField& f) { f.crc ^= 1; }, [](ZipField& f) { f.crc ^= 1; }}});
    const auto bad = ZipArchive::Open(MakeMemorySource(broken));
    REQUIRE(bad.ok());
    std::string plain;
    CHECK(ReadCode(bad.value(), "a", &plain) == "ZIP-CRC");
    CHECK(ReadCode(bad.value(), "a", &plain) == "ZIP-CRC");
  }
  SUBCASE("refuse more or fewer bytes than they say") {
    for (const int difference : {-1, 1}) {
      const auto lie = [&](ZipField& f) { f.size = static_cast<std::uint32_t>(static_cast<int>(f.size) + difference); };
      const auto bad = ZipArchive::Open(MakeMemorySource(BuildZip({{"a", body, Pack::kDeflated, lie, lie}})));
      REQUIRE(bad.ok());
      std::string plain;
      CHECK(ReadCode(bad.value(), "a", &plain) == "ZIP-MALFORMED");
    }
  }
  SUBCASE("refuse broken data") {
    ByteBuffer broken = bytes;
    for (std::size_t i = 0; i < 32; ++i) broken[entry.data_offset + 100 + i] = 0xFF;
    const auto bad = ZipArchive::Open(MakeMemorySource(broken));
    REQUIRE(bad.ok());
    std::string plain;
    CHECK(ReadCode(bad.value(), "a", &plain) != "ok");
  }
}

TEST_CASE("zip: limits") {
  const std::string zeros(1u << 20, '\0');
  const ByteBuffer bomb = BuildZip({{"a", zeros, Pack::kDeflated}});
  const auto archive = ZipArchive::Open(MakeMemorySource(bomb), {.ratio = 250, .ratio_free_bytes = 1u << 10});
  REQUIRE(archive.ok());
  std::string plain;
  CHECK(ReadCode(archive.value(), "a", &plain) == "LIMIT-RATIO");
  const auto allowed = ZipArchive::Open(MakeMemorySource(bomb), {.ratio = 250, .ratio_free_bytes = 1u << 20});
  REQUIRE(allowed.ok());
  CHECK(ReadCode(allowed.value(), "a", &plain) == "ok");

  const ByteBuffer two = BuildZip({{"a", ""}, {"b", ""}});
  CHECK(OpenCode(two, {.entries = 2}) == "ok");
  CHECK(OpenCode(two, {.entries = 1}) == "LIMIT-COUNT");
  CHECK(OpenCode(two, {.directory_bytes = 94}) == "ok");
  CHECK(OpenCode(two, {.directory_bytes = 93}) == "LIMIT-BYTES");
}

TEST_CASE("zip: every prefix and every appended byte is refused") {
  const ByteBuffer bytes = BuildZip({{"a", "body"}, {"b", "other", Pack::kDeflated}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(OpenCode(ByteBuffer(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size))) != "ok");
  }
  ByteBuffer longer = bytes;
  longer.push_back('\n');
  CHECK(OpenCode(longer) == "ZIP-OUTSIDE");
}
