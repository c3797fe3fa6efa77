// SPDX-License-Identifier: Apache-2.0
// Listings: the vectors say what is refused and why; here it is what holds for all of them.
#include "container/artifact.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace safemodel::container {
namespace {

Digest DigestOf(std::uint8_t byte) {
  Digest digest{};
  digest.fill(byte);
  return digest;
}

FilesManifest Folder() {
  FilesManifest manifest;
  manifest.identity = {{1, 2, 3}, "team/weights", "1.0", 7, 1'700'000'000};
  manifest.patterns = {"**/cache", "x"};
  manifest.left_out = {"q/cache", "x"};
  manifest.files = {{".git/config", 3, DigestOf(1)}, {"a/b", 0, DigestOf(2)}, {"c", 1u << 30, DigestOf(3)}};
  return manifest;
}

SetManifest Set() {
  SetManifest manifest;
  manifest.identity = {{9}, "release", "2", 0, 0};
  manifest.members = {{"a.safemodel", "a", "1", 1, DigestOf(1)}, {"sub/b.safemodel", "b", "1", 2, DigestOf(2)}};
  return manifest;
}

std::string CodeOf(const FilesManifest& manifest, const Limits& limits = {}) {
  const auto bytes = SerializeFilesManifest(manifest, limits);
  return bytes.ok() ? "ok" : bytes.error().code;
}

}  // namespace

TEST_CASE("listing: what is written is read") {
  const Limits limits;
  const auto files = SerializeFilesManifest(Folder(), limits);
  REQUIRE(files.ok());
  REQUIRE(ParseFilesManifest(files.value(), limits).ok());
  CHECK(ParseFilesManifest(files.value(), limits).value() == Folder());
  const auto set = SerializeSetManifest(Set(), limits);
  REQUIRE(set.ok());
  REQUIRE(ParseSetManifest(set.value(), limits).ok());
  CHECK(ParseSetManifest(set.value(), limits).value() == Set());
  CHECK_FALSE(ParseSetManifest(files.value(), limits).ok());
  CHECK_FALSE(ParseFilesManifest(set.value(), limits).ok());
}

TEST_CASE("listing: each bit flipped is refused or says something else, and no prefix is accepted") {
  const Limits limits;
  const ByteBuffer good = SerializeFilesManifest(Folder(), limits).value();
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    ByteBuffer broken = good;
    broken[bit / 8] = static_cast<std::uint8_t>(broken[bit / 8] ^ (1u << (bit % 8)));
    const auto parsed = ParseFilesManifest(broken, limits);
    if (!parsed.ok()) continue;
    CAPTURE(bit);
    CHECK_FALSE(parsed.value() == Folder());
    const auto again = SerializeFilesManifest(parsed.value(), limits);
    REQUIRE(again.ok());
    CHECK(again.value() == broken);
  }
  for (std::size_t length = 0; length < good.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(ParseFilesManifest(ByteView(good).first(length), limits).ok());
  }
  ByteBuffer longer = good;
  longer.push_back(0);
  CHECK_FALSE(ParseFilesManifest(longer, limits).ok());
}

TEST_CASE("listing: the writer refuses what the reader would") {
  using Edit = void (*)(FilesManifest&);
  struct Row {
    const char* code;
    Edit edit;
  };
  const Row rows[] = {
      {"no_files", [](FilesManifest& m) { m.files.clear(); }},
      {"listing_order", [](FilesManifest& m) { std::swap(m.files[0], m.files[1]); }},
      {"bad_path", [](FilesManifest& m) { m.files[0].path = "../x"; }},
      {"paths_meet", [](FilesManifest& m) { m.files[2].path = "a/b/c"; }},
      {"large_files", [](FilesManifest& m) { m.files[2].size = ~std::uint64_t{0}; }},
      {"left_out_alone", [](FilesManifest& m) { m.patterns.clear(); }},
      {"bad_model_name", [](FilesManifest& m) { m.identity.name = "a b"; }},
      {"large_sequence", [](FilesManifest& m) { m.identity.sequence = 1ull << 53; }},
      {"bad_created", [](FilesManifest& m) { m.identity.created = -1; }},
      {"bad_shape", [](FilesManifest& m) { m.shape = FilesManifest::Shape::kFile; }},
      {"long_pattern", [](FilesManifest& m) { m.patterns[1] = std::string(4097, 'x'); }},
  };
  CHECK(CodeOf(Folder()) == "ok");
  for (const Row& row : rows) {
    FilesManifest manifest = Folder();
    row.edit(manifest);
    CAPTURE(row.code);
    CHECK(CodeOf(manifest) == row.code);
  }
  Limits limits;
  limits.files = 3;
  CHECK(CodeOf(Folder(), limits) == "ok");
  limits.files = 2;
  CHECK(CodeOf(Folder(), limits) == "many_files");
}

// Each limit is tested at it and one over, for the writer and for the reader of what another writer made.
TEST_CASE("listing: limits hold exactly") {
  const Limits standard;
  const ByteBuffer files = SerializeFilesManifest(Folder(), standard).value();
  const ByteBuffer set = SerializeSetManifest(Set(), standard).value();
  const auto head = [](const ByteBuffer& bytes) { return ByteView(bytes).first(kListingHeadBytes); };
  const auto code = [](const auto& result) { return result.ok() ? std::string("ok") : result.error().code; };
  Limits at;
  at.listing_bytes = files.size();
  at.listing_patterns = 2;
  CHECK(CodeOf(Folder(), at) == "ok");
  CHECK(code(ParseFilesManifest(files, at)) == "ok");
  CHECK(code(MeasureListing(head(files), kFilesMagic, files.size(), at)) == "ok");
  Limits over = at;
  over.listing_bytes = files.size() - 1;
  CHECK(CodeOf(Folder(), over) == "large_listing");
  CHECK(code(ParseFilesManifest(files, over)) == "large_listing");
  CHECK(code(MeasureListing(head(files), kFilesMagic, files.size(), over)) == "large_listing");
  over = at;
  over.listing_patterns = 1;
  CHECK(CodeOf(Folder(), over) == "many_patterns");
  CHECK(code(ParseFilesManifest(files, over)) == "many_patterns");
  at.set_members = 2;
  CHECK(code(SerializeSetManifest(Set(), at)) == "ok");
  CHECK(code(ParseSetManifest(set, at)) == "ok");
  over = at;
  over.set_members = 1;
  CHECK(code(SerializeSetManifest(Set(), over)) == "many_members");
  CHECK(code(ParseSetManifest(set, over)) == "many_files");
}

}  // namespace safemodel::container
