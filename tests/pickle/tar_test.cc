// SPDX-License-Identifier: Apache-2.0
// Tar archives: what every reader sees alike is read, everything else refused.
#include "pickle/tar.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <doctest/doctest.h>

#include "base/cursor.h"
#include "base/file.h"
#include "pickle/import.h"
#include "pickle/tar_builder.h"

namespace safemodel::pickle {
namespace {

using namespace safemodel::testing;  // NOLINT(google-build-using-namespace)

std::string CodeOf(const std::string& bytes, const TarLimits& limits = {}) {
  const auto archive = TarArchive::Open(SourceOf(bytes), limits);
  return archive.ok() ? "ok" : archive.error().code;
}

std::string Code(const std::vector<TarMember>& members) { return CodeOf(BuildTar(members)); }

const std::string kLong(150, 'n');

}  // namespace

TEST_CASE("tar: members and their bytes") {
  const std::string bytes =
      BuildTar({{"pickle", "N."}, {"folder/", "", Type('5')}, {"folder/a", std::string(513, 'a')}});
  const auto archive = TarArchive::Open(SourceOf(bytes));
  REQUIRE(archive.ok());
  const auto& entries = archive.value().entries();
  REQUIRE(entries.size() == 3);
  CHECK(entries[1].name == "folder");
  CHECK(entries[1].kind == TarEntry::Kind::kFolder);
  CHECK(entries[2].size == 513);
  CHECK(archive.value().end() == 512 * 6);
  CHECK(archive.value().Find("folder") == nullptr);
  const TarEntry* pickle = archive.value().Find("pickle");
  REQUIRE(pickle != nullptr);
  const auto source = archive.value().OpenEntry(*pickle);
  REQUIRE(source.ok());
  CHECK(AsText(ReadRange(*source.value(), 0, 2, 2).value()) == "N.");
  CHECK(CodeOf(TarEnd()) == "ok");
}

TEST_CASE("tar: names in all three dialects") {
  const auto name = [](const std::vector<TarMember>& members) {
    const auto archive = TarArchive::Open(SourceOf(BuildTar(members)));
    return archive.ok() ? archive.value().entries().at(0).name : archive.error().code;
  };
  const auto old = [](TarField& field) { field.magic = "", field.type = '\0', field.device = ""; };
  const auto gnu = [](TarField& field) { field.magic = std::string("ustar  \0", 8); };
  CHECK(name({{"a", "1", old}}) == "a");
  CHECK(name({{"a", "1", gnu}}) == "a");
  CHECK(name({{"a", "1", [](TarField& field) { field.prefix = "in/side"; }}}) == "in/side/a");
  CHECK(name({{"././@LongLink", kLong + '\0', Type('L')}, {"cut", "1"}}) == kLong);
  CHECK(name({{"PaxHeader", PaxRecord("path", kLong) + PaxRecord("mtime", "1.5"), Type('x')}, {"cut", "1"}}) == kLong);
  CHECK(name({{"global", PaxRecord("comment", "0123"), Type('g')}, {"a", "1"}}) == "a");
  CHECK(name({{"global", PaxRecord("comment", "0123"), Type('g')},
              {"x", PaxRecord("path", "b"), Type('x')},
              {"a", "1"}}) == "b");
  CHECK(name({{"folder/", "", old}}) == "folder");
}

TEST_CASE("tar: an archive that is cut off anywhere is never read") {
  const std::string bytes = BuildTar({{"x", PaxRecord("path", "b"), Type('x')}, {"a", "12345"}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(CodeOf(bytes.substr(0, size)) == "TAR-MALFORMED");
  }
}

TEST_CASE("tar: names that lead astray, links and devices") {
  for (const char* name : {"/etc/passwd", "../a", "a/../../b", "..", "", "c:\\a", "a\\b", "a\nb", "a/"}) {
    CAPTURE(name);
    CHECK(Code({{name, "1"}}) == "TAR-NAME");
    CHECK(Code({{"x", PaxRecord("path", name), Type('x')}, {"a", "1"}}) == "TAR-NAME");
  }
  for (const char type : {'1', '2', '3', '4', '6', 'K'}) {
    CAPTURE(type);
    CHECK(Code({{"a", "", Type(type)}}) == "TAR-NAME");
  }
  CHECK(Code({{"x", PaxRecord("linkpath", "b"), Type('x')}, {"a", "1"}}) == "TAR-NAME");
  CHECK(Code({{"x", PaxRecord("path", std::string("a\0b", 3)), Type('x')}, {"a", "1"}}) == "TAR-NAME");
  CHECK(Code({{"L", std::string("a\0b", 3), Type('L')}, {"a", "1"}}) == "TAR-NAME");
  // A field that GNU uses for times, and tarfile for a folder.
  CHECK(Code({{"a", "1", [](TarField& field) {
                 field.magic = std::string("ustar  \0", 8);
                 field.prefix = "14000000000";
               }}}) == "TAR-NAME");
}

TEST_CASE("tar: a member has one name") {
  const TarMember gnu{"L", "a", Type('L')};
  const TarMember pax{"x", PaxRecord("path", "b"), Type('x')};
  for (const auto& [first, second] : {std::pair{gnu, gnu}, {gnu, pax}, {pax, gnu}, {pax, pax}}) {
    CHECK(Code({first, second, {"c", "1"}}) == "TAR-NAME");
  }
  CHECK(Code({{"x", PaxRecord("path", "a") + PaxRecord("path", "b"), Type('x')}, {"c", "1"}}) == "TAR-NAME");
  CHECK(Code({{"g", PaxRecord("path", "a"), Type('g')}, {"c", "1"}}) == "TAR-NAME");
  CHECK(Code({{"g", PaxRecord("size", "1"), Type('g')}, {"c", "1"}}) == "TAR-NAME");
}

TEST_CASE("tar: no name twice") {
  CHECK(Code({{"pickle", "N."}, {"pickle", "evil"}}) == "TAR-DUPLICATE");
  CHECK(Code({{"pickle", "N."}, {"./pickle", "evil"}}) == "TAR-DUPLICATE");
  CHECK(Code({{"a/b", "N."}, {"a//b", "evil"}}) == "TAR-DUPLICATE");
  CHECK(Code({{"a", "N."}, {"a/", "", Type('5')}}) == "TAR-DUPLICATE");
  CHECK(Code({{"a", "N."}, {"x", PaxRecord("path", "a"), Type('x')}, {"b", "evil"}}) == "TAR-DUPLICATE");
  CHECK(Code({{"a", "N."}, {"A", "other"}}) == "ok");
}

TEST_CASE("tar: bytes that only some readers see") {
  CHECK(CodeOf(BuildTar({{"a", "1"}}) + "x") == "TAR-OUTSIDE");
  CHECK(CodeOf(BuildTar({{"a", "1"}}) + std::string(9000, '\0')) == "ok");
  CHECK(CodeOf(BuildTar({{"a", "1"}}) + BuildTar({{"b", "1"}})) == "TAR-OUTSIDE");
  CHECK(CodeOf(MemberBytes({"a", "1"}) + std::string(512, '\0') + MemberBytes({"b", "1"}) + TarEnd()) == "TAR-OUTSIDE");
  CHECK(Code({{"a", "1", {}, 'x'}}) == "TAR-OUTSIDE");
  CHECK(Code({{"a/", "data", Type('5')}}) == "TAR-OUTSIDE");
  CHECK(Code({{"x", PaxRecord("size", "1"), Type('x')}, {"a", "1"}}) == "ok");
  CHECK(Code({{"x", PaxRecord("size", "0"), Type('x')}, {"a", std::string(512, 'a')}}) == "TAR-OUTSIDE");
  CHECK(Code({{"x", PaxRecord("size", "512"), Type('x')}, {"a", ""}}) == "TAR-OUTSIDE");
  CHECK(Code({{"x", PaxRecord("size", "9000000000"), Type('x')}, {"a", ""}}) == "TAR-MALFORMED");  // not there
}

TEST_CASE("tar: holes") {
  CHECK(Code({{"a", "1", Type('S')}}) == "TAR-SPARSE");
  CHECK(Code({{"x", PaxRecord("GNU.sparse.major", "1"), Type('x')}, {"a", "1"}}) == "TAR-SPARSE");
  CHECK(Code({{"g", PaxRecord("GNU.sparse.name", "b"), Type('g')}, {"a", "1"}}) == "TAR-SPARSE");
}

TEST_CASE("tar: headers that tarfile would take for the end of the archive") {
  const auto with = [](std::function<void(TarField&)> change) {
    return Code({{"a", "1"}, {"b", "1", std::move(change)}});
  };
  CHECK(with({}) == "ok");
  CHECK(with([](TarField& field) { field.sum = "0000000"; }) == "TAR-MALFORMED");
  CHECK(with([](TarField& field) { field.mode = "0o644"; }) == "TAR-MALFORMED");
  CHECK(with([](TarField& field) { field.device = "xyz"; }) == "TAR-MALFORMED");
  CHECK(with([](TarField& field) { field.magic = "pax"; }) == "TAR-MALFORMED");
  for (const char* size : {"-1", "0x1", "1_0", "+1", "8", "0001 1"}) {
    CAPTURE(size);
    CHECK(with([&](TarField& field) { field.size = size; }) == "TAR-MALFORMED");
  }
  CHECK(with([](TarField& field) { field.size = "  1 "; }) == "ok");
  CHECK(with([](TarField& field) { field.size = std::string("\x80\0\0\0\0\0\0\0\0\0\0\1", 12); }) == "ok");
  CHECK(with([](TarField& field) { field.size = std::string("\x80\0\0\x7f\0\0\0\0\0\0\0\1", 12); }) == "TAR-MALFORMED");
  CHECK(with([](TarField& field) { field.size = std::string(12, '\xff'); }) == "TAR-MALFORMED");
  CHECK(with([](TarField& field) { field.type = 'Z'; }) == "FILE-UNSUPPORTED");
  CHECK(Code({{"a", "1"}, {"x", PaxRecord("path", "b"), Type('x')}}) == "TAR-MALFORMED");
}

TEST_CASE("tar: records of pax headers") {
  for (const char* records :
       {"x", "5", "5 ", "6 a=b\n\n", "5 a=b", "99 a=b\n", "6 =bc\n", "6 abc\n", "-6 a=b\n", " 6 a=b\n"}) {
    CAPTURE(records);
    CHECK(Code({{"x", records, Type('x')}, {"a", "1"}}) == "TAR-MALFORMED");
  }
  CHECK(Code({{"x", "6 a=b\n", Type('x')}, {"a", "1"}}) == "ok");
  CHECK(Code({{"x", PaxRecord("size", "1x"), Type('x')}, {"a", "1"}}) == "TAR-MALFORMED");
}

TEST_CASE("tar: limits") {
  CHECK(CodeOf(BuildTar({{"a", "1"}, {"b", "1"}}), {.entries = 1}) == "LIMIT-COUNT");
  CHECK(CodeOf(BuildTar({{"L", kLong, Type('L')}, {"b", "1"}}), {.extension_bytes = 100}) == "LIMIT-BYTES");
  CHECK(CodeOf(BuildTar({{"aaaa", "1"}, {"bbbb", "1"}}), {.name_bytes = 7}) == "LIMIT-BYTES");
}

TEST_CASE("tar: what is a tar archive too") {
  CHECK(LooksLikeTar(ReadRange(*SourceOf(BuildTar({{"a", "1"}})), 0, 512, 512).value()));
  CHECK(!LooksLikeTar(ByteBuffer(512)));
  // Numbers that Python takes for the sum all the same: with its spaces, a sign, or cut short by the end of the field.
  const std::string tar = BuildTar({{"a", "1"}});
  const std::string digits = tar.substr(148 + 2, 4);  // 00DDDD
  for (const std::string& sum : {"+" + digits, "\xC2\xA0" + digits, "\t\x1F" + digits, "\xE2\x80\x80" + digits}) {
    CAPTURE(sum);
    std::string other = tar;
    other.replace(148, 8, sum + std::string(8 - sum.size(), '\0'));
    CHECK(LooksLikeTar(AsBytes(other)));
  }
  // Bytes with signs may have a negative sum, which Python takes in octal and in two's complement.
  std::string other = tar;
  other.replace(157, 100, std::string(100, '\x80'));
  const int sum = std::stoi(digits, nullptr, 8) - 100 * 128;
  const std::string octal = "-" + OctalText(static_cast<std::uint64_t>(-sum), 5);
  const std::string binary =
      "\xFF\xFF\xFF\xFF\xFF\xFF" + std::string{static_cast<char>(sum >> 8), static_cast<char>(sum)};
  for (const std::string& stated : {octal, "-0o" + octal.substr(1), binary}) {
    CAPTURE(stated);
    other.replace(148, 8, stated + std::string(8 - stated.size(), '\0'));
    CHECK(LooksLikeTar(AsBytes(other)));
    CHECK(CodeOf(other) == "ok");
  }
  for (const std::string& stated : {octal.substr(1), "-0o_" + octal.substr(1, 3), "--" + octal.substr(1)}) {
    CAPTURE(stated);
    other.replace(148, 8, stated + std::string(8 - stated.size(), '\0'));
    CHECK(!LooksLikeTar(AsBytes(other)));
  }
  const auto code = [](const std::string& bytes) {
    const auto model = ImportPickleFamily(SourceOf(bytes), {});
    return model.ok() ? "ok" : model.error().code;
  };
  // The name of the first member is a pickle, or the start of an array.
  CHECK(code(BuildTar({{"N.", "1"}})) == std::string("FILE-POLYGLOT"));
  CHECK(code(BuildTar({{std::string("\x93NUMPY\1\0v\0{", 11), "1"}})) == std::string("FILE-POLYGLOT"));
  CHECK(code(BuildTar({{"a", "1"}})) == std::string("FILE-UNSUPPORTED"));
  CHECK(code(BuildTar({{"a", "cos\nsystem\n(S'id'\ntR."}})) == std::string("GLOBAL-DANGEROUS"));
}

TEST_CASE("tar: compressed bytes are no archive") {
  std::mt19937 random(11);
  std::size_t archives = 0;
  ByteBuffer block(512);
  for (int i = 0; i < 100'000; ++i) {
    std::generate(block.begin(), block.end(), [&] { return static_cast<std::uint8_t>(random() & 0xFF); });
    if (LooksLikeTar(block)) ++archives;
  }
  // With every byte that is no digit passed over, it was 26.
  CHECK(archives <= 2);
}

// tests/interop/tar_test.py makes archives with tarfile, and beside each a list of what tarfile reads from it.
TEST_CASE("tar: the archives of a folder") {
  const char* folder = std::getenv("SAFEMODEL_TAR_FOLDER");
  if (folder == nullptr) return;
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".tar") continue;
    CAPTURE(file.path().string());
    auto source = File::Open(file.path().string());
    REQUIRE(source.ok());
    const auto archive = TarArchive::Open(source.value());
    std::ostringstream found;
    if (!archive.ok()) found << archive.error().code << '\n';
    if (archive.ok()) {
      for (const TarEntry& entry : archive.value().entries()) {
        found << (entry.kind == TarEntry::Kind::kFolder ? "folder " : "file ") << entry.data_offset << ' ' << entry.size
              << ' ' << entry.name << '\n';
      }
    }
    std::ifstream list(file.path().string() + ".list", std::ios::binary);
    std::ostringstream wanted;
    wanted << list.rdbuf();
    CHECK(found.str() == wanted.str());
    ++count;
  }
  CHECK(count > 0);
  MESSAGE(count << " archives");
}

}  // namespace safemodel::pickle
