// SPDX-License-Identifier: Apache-2.0
#include "pickle/wrapper.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "base/cursor.h"
#include "pickle/compress.h"
#include "pickle/import.h"

using namespace safemodel;             // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;     // NOLINT(google-build-using-namespace)
using namespace safemodel::testing;    // NOLINT(google-build-using-namespace)
using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

namespace {

SharedSource Source(const std::string& bytes) { return MakeMemorySource(ByteBuffer(bytes.begin(), bytes.end())); }

std::string All(const SharedSource& source) {
  const auto bytes = ReadRange(*source, 0, source->size(), 1u << 30);
  return bytes.ok() ? std::string(AsText(bytes.value())) : std::string("unreadable: ") + bytes.error().code;
}

// Text has words that come again and numbers that do not.
std::string Text(std::size_t size) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < size) text += "weight " + std::to_string(random()) + "; ";
  text.resize(size);
  return text;
}

std::optional<Unwrapped> Open(const std::string& bytes, const WrapperLimits& limits = {}) {
  auto unwrapped = Unwrap(Source(bytes), bytes.size(), limits);
  REQUIRE(unwrapped.ok());
  return std::move(unwrapped).value();
}

// Code is the fault of a file, "ok", or "none" when it is no wrapper.
std::string Code(const std::string& bytes, const WrapperLimits& limits = {}) {
  const auto unwrapped = Open(bytes, limits);
  if (!unwrapped) return "none";
  return unwrapped->fault ? unwrapped->fault->code : "ok";
}

// kStreaming keeps nothing, so that every read decodes.
const WrapperLimits kStreaming = {.kept_bytes = 0};

std::string Import(const std::string& bytes) {
  const auto model = ImportPickleFamily(Source(bytes), {});
  return model.ok() ? model.value().layout : model.error().code;
}

const std::string kBenign =
    "\x80\x02]q\x01(K\x01K\x02X\x03\0\0\0"
    "abce."s;
const std::string kDangerous =
    "\x80\x02"
    "cos\nsystem\nX\x04\0\0\0true\x85R."s;

}  // namespace

TEST_CASE("wrapper: every kind is recognised and yields what was compressed, in any order") {
  const std::string plain = Text(700'000);
  for (const WrapperKind kind : kAllWrappers) {
    CAPTURE(WrapperName(kind));
    const std::string file = Compress(kind, plain);
    const auto kept = Open(file);
    REQUIRE(kept);
    CHECK(kept->kind == kind);
    CHECK(!kept->fault);
    CHECK(!kept->plain->sequential());
    CHECK(All(kept->plain) == plain);
    const auto streamed = Open(file, kStreaming);
    REQUIRE(streamed);
    CHECK(streamed->plain->sequential());
    REQUIRE(streamed->plain->size() == plain.size());
    for (const std::size_t at : {600'000u, 100u, 0u, 350'000u, 350'010u, 699'990u}) {
      const auto part = ReadRange(*streamed->plain, at, 10, 10);
      REQUIRE(part.ok());
      CHECK(AsText(part.value()) == plain.substr(at, 10));
    }
    CHECK(All(streamed->plain) == plain);
    CHECK(ReadRange(*streamed->plain, 699'995, 10, 10).ok() == false);
  }
}

TEST_CASE("wrapper: a file that is cut anywhere has a fault and the bytes in front of it") {
  const std::string plain = Text(3000);
  for (const WrapperKind kind : kAllWrappers) {
    CAPTURE(WrapperName(kind));
    const std::string file = Compress(kind, plain);
    std::size_t most = 0;
    for (std::size_t size = 0; size < file.size(); ++size) {
      CAPTURE(size);
      for (const WrapperLimits& limits : {WrapperLimits{}, kStreaming}) {
        const auto cut = Open(file.substr(0, size), limits);
        if (!cut) {
          CHECK(size < 10);  // not enough to recognise it
          continue;
        }
        REQUIRE(cut->fault);
        CHECK(cut->fault->stage == Stage::kMalformed);
        const std::string got = All(cut->plain);
        CHECK(plain.starts_with(got));
        most = std::max(most, got.size());
      }
    }
    CHECK(most == plain.size());  // without its last byte a file still yields everything
  }
}

TEST_CASE("wrapper: a changed byte is noticed, or changes nothing, where the format has a checksum") {
  const std::string plain = Text(2000);
  for (const WrapperKind kind : kAllWrappers) {
    if (kind == WrapperKind::kLzma) continue;
    CAPTURE(WrapperName(kind));
    const std::string file = Compress(kind, plain);
    bool wrong_checksum_only = false;
    for (std::size_t at = 0; at < file.size(); ++at) {
      std::string changed = file;
      changed[at] = static_cast<char>(changed[at] ^ 0x10);
      CAPTURE(at);
      const auto unwrapped = Open(changed);
      if (!unwrapped) continue;
      // Adler-32 is weak: some changed bytes of these texts keep it.
      const bool adler = kind == WrapperKind::kZlib || kind == WrapperKind::kZFile;
      const bool equal = All(unwrapped->plain) == plain;
      CHECK((unwrapped->fault || equal || adler));
      if (!unwrapped->fault) continue;
      CHECK(unwrapped->fault->stage != Stage::kInternal);
      const bool crc = std::string_view(unwrapped->fault->code) == "WRAP-CRC";
      wrong_checksum_only |= crc && equal;
    }
    CHECK(wrong_checksum_only);
  }
}

TEST_CASE("wrapper: what may follow the data") {
  const std::string text = Text(500);
  const std::string zeros(1000, '\0');
  for (const WrapperKind kind : kAllWrappers) {
    CAPTURE(WrapperName(kind));
    const std::string file = Compress(kind, text);
    CHECK(Code(file + zeros) == "ok");
    CHECK(Code(file + zeros + "x") == "WRAP-OUTSIDE");
    CHECK(Code(file + zeros + file) == "WRAP-OUTSIDE");
    const auto outside = Open(file + "x");
    REQUIRE(outside);
    REQUIRE(outside->fault);
    CHECK(outside->fault->code == std::string("WRAP-OUTSIDE"));
    CHECK(outside->fault->offset == file.size());
    CHECK(All(outside->plain) == text);
    const bool joins = kind == WrapperKind::kGzip || kind == WrapperKind::kXz || kind == WrapperKind::kLzip;
    const auto joined = Open(file + Compress(kind, "second") + file, kStreaming);
    REQUIRE(joined);
    CHECK(joined->fault.has_value() == !joins);
    CHECK(All(joined->plain) == (joins ? text + "second" + text : text));
  }
  const std::string gzip = Compress(WrapperKind::kGzip, text);
  CHECK(Code(gzip + Compress(WrapperKind::kXz, text)) == "WRAP-OUTSIDE");
  CHECK(Code(gzip + gzip.substr(0, gzip.size() - 1)) == "WRAP-MALFORMED");
}

TEST_CASE("wrapper: headers") {
  const std::string plain = "plain";
  const std::string gzip = Compress(WrapperKind::kGzip, plain);
  const auto with = [&](char flags, const std::string& fields) {
    std::string file = gzip;
    file[3] = flags;
    return file.insert(10, fields);
  };
  const std::string zlib = Compress(WrapperKind::kZlib, plain);
  const std::string long_name(100'000, 'n');
  struct Row {
    std::string why;
    std::string file;
    std::string code;
  };
  const std::vector<Row> rows = {
      {"gzip with all fields",
       with(0x1F, std::string("\x03\0ext", 5) + std::string("name\0", 5) + std::string("comment\0", 8) + "cc"), "ok"},
      {"gzip with a long name", with(0x08, long_name + '\0'), "ok"},
      {"gzip whose name never ends", "\x1F\x8B\x08\x08" + std::string(6, '\0') + long_name, "WRAP-MALFORMED"},
      {"gzip with reserved flags", with('\x20', ""), "WRAP-MALFORMED"},
      {"gzip of another method", "\x1F\x8B\x07" + gzip.substr(3), "WRAP-MALFORMED"},
      {"zlib with a wrong header check", "\x78\x9D" + zlib.substr(2), "none"},
      {"zlib with a dictionary", "\x78\xBB" + zlib.substr(2), "WRAP-MALFORMED"},
      {"Z-file of Python 2 and joblib 0.8", ZFile(plain, "0x5                 "), "ok"},
      {"Z-file with two spaces more", ZFile(plain, "0x5                  "), "WRAP-MALFORMED"},
      {"Z-file with a smaller size", ZFile(plain, "0x4                "), "WRAP-MALFORMED"},
      {"Z-file with a larger size", ZFile(plain, "0x6                "), "WRAP-MALFORMED"},
      {"Z-file with capital digits", ZFile("0123456789", "0xA                "), "WRAP-MALFORMED"},
      {"Z-file without size", ZFile(plain, "0x                 "), "WRAP-MALFORMED"},
      {"Z-file with a negative size", ZFile(plain, "-0x5               "), "WRAP-MALFORMED"},
      {"Z-file whose size is too large", ZFile(plain, "0x10000000000000005"), "WRAP-MALFORMED"},
      {"Z-file with digits behind spaces", ZFile(plain, "0x5       5        "), "WRAP-MALFORMED"},
      {"bzip2 without a block", "BZh9ABCDEFGHIJKL", "none"},
      {"bzip2 of level 0", "BZh01AY&SYxxxxxxxx", "none"},
      {"empty bzip2", Compress(WrapperKind::kBzip2, ""), "ok"},
      {"empty gzip", Compress(WrapperKind::kGzip, ""), "ok"},
      {"LZMA that is none", std::string("\x5D\0\0\0\0\0\0\0\0\0\0\0\0\x77\0\0\0", 17), "WRAP-MALFORMED"},
      {"LZ4 with a broken header", std::string("\x04\x22\x4D\x18\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 11), "WRAP-MALFORMED"},
      {"a pickle", kBenign, "none"},
      {"nothing", "", "none"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Code(row.file) == row.code);
  }
}

TEST_CASE("wrapper: bombs end early") {
  const WrapperLimits limits = {.ratio_free_bytes = 1u << 20, .burst_bytes = 2u << 20, .kept_bytes = 1u << 20};
  const std::string zeros(8u << 20, '\0');
  for (const WrapperKind kind : kAllWrappers) {
    CAPTURE(WrapperName(kind));
    const std::string bomb = Compress(kind, zeros);
    CHECK(bomb.size() < zeros.size() / 250);
    const auto unwrapped = Open(bomb, limits);
    REQUIRE(unwrapped);
    REQUIRE(unwrapped->fault);
    CHECK(unwrapped->fault->stage == Stage::kLimit);
    CHECK(unwrapped->fault->code == std::string("LIMIT-RATIO"));
    CHECK(unwrapped->plain->size() < zeros.size());
    CHECK(Code(bomb) == "ok");  // 8 MiB are always allowed
  }
  // Zeros at the front of other data may run ahead of the ratio.
  const std::string padded = Compress(WrapperKind::kZlib, zeros.substr(0, 1u << 20) + Text(100'000));
  CHECK(Code(padded, limits) == "ok");
  // A second wrapper multiplies nothing: the size of the file counts.
  const std::string twice = Compress(WrapperKind::kGzip, Compress(WrapperKind::kZlib, zeros));
  const auto peeled = PeelWrappers(Source(twice), limits);
  REQUIRE(peeled.ok());
  REQUIRE(peeled.value().fault);
  CHECK(peeled.value().fault->code == std::string("LIMIT-RATIO"));
}

TEST_CASE("wrapper: a dictionary that is too large") {
  const WrapperLimits limits = {.lzma_memory = 100'000};  // preset 0 has one of 256 KiB
  for (const WrapperKind kind : {WrapperKind::kXz, WrapperKind::kLzma, WrapperKind::kLzip}) {
    const auto unwrapped = Open(Compress(kind, Text(1000)), limits);
    REQUIRE(unwrapped);
    REQUIRE(unwrapped->fault);
    CHECK(unwrapped->fault->stage == Stage::kLimit);
    CHECK(unwrapped->fault->code == std::string("LIMIT-BYTES"));
  }
}

TEST_CASE("wrapper: LZMA without the usual header is what something comes out of") {
  const std::uint32_t dictionaries[] = {4096, 4096 + 2048, 1u << 16, 1u << 30};  // the last is more than there may be
  for (const std::uint32_t dictionary : dictionaries) {
    CAPTURE(dictionary);
    const std::string file = LzmaWith(kBenign, 1, dictionary);
    CHECK(file[0] != '\x5D');
    CHECK(Import(file) == "pickle, lzma");
    CHECK(Import(LzmaWith(kDangerous, 1, dictionary)) == "GLOBAL-DANGEROUS");
    CHECK(Import(LzmaWith(file, 2, dictionary)) == "pickle, lzma, lzma");
    CHECK(Import(file.substr(0, file.size() - 3)) == "WRAP-MALFORMED");
    CHECK(Code(LzmaWith(Text(100), 1, dictionary)) == "none");
  }
  CHECK(Import(LzmaWith(kBenign, 3, 4096 + 2048)) == "pickle, lzma");  // 5D, but not 5D 00 00
  CHECK(Code(std::string(13, '\0')) == "none");
  CHECK(Code(std::string(100'000, '\0')) == "none");
  std::string other = LzmaWith(kBenign, 1, 1u << 16);
  other[12] = '\x40';  // of a size beyond what liblzma believes
  CHECK(Code(other) == "none");
  other = LzmaWith(kBenign, 1, 1u << 16);
  other[1] = '\x11';  // the dictionary likewise
  CHECK(Code(other) == "none");
}

TEST_CASE("wrapper: frames that are skipped") {
  const std::string file = SkippedFrame("abcd") + SkippedFrame("") + Lz4File(kDangerous);
  CHECK(Import(file) == "GLOBAL-DANGEROUS");
  CHECK(Import(SkippedFrame("abcd") + Lz4File(kBenign)) == "pickle, lz4");
  const auto outside = Open(file + "x");
  REQUIRE(outside);
  REQUIRE(outside->fault);
  CHECK(outside->fault->offset == file.size());
  CHECK(Code(SkippedFrame("abcd")) == "none");
  CHECK(Code(SkippedFrame("abcd") + "abcd") == "none");
  CHECK(Code(SkippedFrame("abcd").substr(0, 10)) == "none");
}

TEST_CASE("wrapper: wrappers inside wrappers") {
  std::string file = kBenign;
  for (std::size_t i = 0; i < 8; ++i) file = Compress(kAllWrappers[i], file);
  CHECK(Import(file) == "pickle, Z-file, lz4, lzip, lzma, xz, bzip2, gzip, zlib");
  CHECK(Import(Compress(WrapperKind::kGzip, file)) == "LIMIT-DEPTH");
}

TEST_CASE("wrapper: content is judged, and before the fault") {
  for (const WrapperKind kind : kAllWrappers) {
    CAPTURE(WrapperName(kind));
    const std::string good = Compress(kind, kBenign);
    const std::string evil = Compress(kind, kDangerous);
    CHECK(Import(good) == std::string("pickle, ") + WrapperName(kind));
    CHECK(Import(evil) == "GLOBAL-DANGEROUS");
    CHECK(Import(good + "x") == "WRAP-OUTSIDE");
    CHECK(Import(evil + "x") == "GLOBAL-DANGEROUS");
    CHECK(Import(good.substr(0, good.size() - 1)) == "WRAP-MALFORMED");
    CHECK(Import(evil.substr(0, evil.size() - 1)) == "GLOBAL-DANGEROUS");
  }
  std::string wrong = Compress(WrapperKind::kGzip, kBenign);
  wrong.back() = 1;
  CHECK(Import(wrong) == "WRAP-CRC");
  CHECK(Import(Compress(WrapperKind::kGzip, "no model at all")) == "FILE-UNSUPPORTED");
}

TEST_CASE("wrapper: files that other readers take for something else") {
  // BZ is an opcode with the first byte of a length: 90.
  const std::string bytes = std::string("BZ\0\0\0", 5) + std::string(90, 'x') + ".";
  CHECK(Import(bytes) == "pickle");
  // A gzip header may hold a tar header, which torch.load looks for first.
  std::string extra(600, '\0');
  const std::string gzip = Compress(WrapperKind::kGzip, kBenign);
  std::string file = gzip.substr(0, 10) + std::string("\x58\x02", 2) + extra + gzip.substr(10);
  file[3] = 4;
  CHECK(Import(file) == "pickle, gzip");
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? 0u : static_cast<std::uint8_t>(file[i]);
  std::array<char, 8> octal{};
  std::snprintf(octal.data(), octal.size(), "%06o", sum);
  std::copy(octal.begin(), octal.end(), file.begin() + 148);
  CHECK(Import(file) == "FILE-POLYGLOT");
}
