// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "base/checked.h"
#include "base/utf8.h"

namespace safemodel {
namespace {

const ByteBuffer kBytes = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A};

template <typename Outcome>
void CheckTruncated(const Outcome& outcome, std::uint64_t offset) {
  REQUIRE_FALSE(outcome.ok());
  CHECK(outcome.error().stage == Stage::kMalformed);
  CHECK(std::string(outcome.error().code) == "truncated");
  CHECK(outcome.error().offset == offset);
}

}  // namespace

TEST_CASE("cursor: integers of both orders") {
  CHECK(ByteReader(kBytes).U8().value() == 0x01);
  CHECK(ByteReader(kBytes).U16().value() == 0x0201);
  CHECK(ByteReader(kBytes).U32().value() == 0x04030201);
  CHECK(ByteReader(kBytes).U64().value() == 0x0807060504030201);
  CHECK(ByteReader(kBytes).U32BigEndian().value() == 0x01020304);
  CHECK(ByteReader(kBytes).U64BigEndian().value() == 0x0102030405060708);
}

TEST_CASE("cursor: a read that does not fit fails at its offset and moves nothing") {
  ByteReader reader(ByteView(kBytes).first(3), 100);
  REQUIRE(reader.U16().ok());
  CheckTruncated(reader.U16(), 102);
  CheckTruncated(reader.U32(), 102);
  CheckTruncated(reader.U64(), 102);
  CheckTruncated(reader.Take(2), 102);
  CheckTruncated(reader.Take(std::numeric_limits<std::uint64_t>::max()), 102);
  CheckTruncated(reader.Sub(std::numeric_limits<std::uint64_t>::max() - 1), 102);
  CheckTruncated(reader.TakeArray<2>(), 102);
  CheckTruncated(reader.TakeLine(), 102);
  CHECK(reader.remaining() == 1);
  CHECK(reader.U8().value() == 3);
  CheckTruncated(reader.U8(), 103);
  CHECK(reader.Peek() == -1);
  CHECK(reader.ExpectEnd().ok());
}

TEST_CASE("cursor: a child reads its part only") {
  ByteReader reader(kBytes, 1000);
  REQUIRE(reader.U8().ok());
  auto child = reader.Sub(3);
  REQUIRE(child.ok());
  CHECK(child.value().offset() == 1001);
  CHECK(child.value().remaining() == 3);
  CheckTruncated(child.value().U32(), 1001);
  CHECK(child.value().U8().value() == 2);
  const Status end = child.value().ExpectEnd();
  REQUIRE_FALSE(end.ok());
  CHECK(std::string(end.error().code) == "trailing_bytes");
  CHECK(end.error().offset == 1002);
  CHECK(reader.U8().value() == 5);
}

TEST_CASE("cursor: zeros, lines, rest") {
  const ByteBuffer bytes = {0, 0, 'a', 'b', '\n', '\n', 0, 1, 9};
  ByteReader reader(bytes);
  CHECK(reader.ExpectZeros(2).ok());
  CHECK(AsText(reader.TakeLine().value()) == "ab");
  CHECK(reader.TakeLine().value().empty());
  const Status zeros = reader.ExpectZeros(2);
  REQUIRE_FALSE(zeros.ok());
  CHECK(std::string(zeros.error().code) == "not_zero");
  CHECK(zeros.error().offset == 6);
  CHECK(reader.TakeRest().size() == 1);
  CHECK(reader.empty());
}

TEST_CASE("cursor: what the writer writes is read back") {
  ByteWriter writer;
  writer.U8(0xFE);
  writer.U16(0xFEDC);
  writer.U32(0xFEDCBA98);
  writer.U64(0xFEDCBA9876543210);
  writer.Text("text");
  writer.Zeros(3);
  CHECK(writer.size() == 22);
  const ByteBuffer bytes = std::move(writer).Finish();
  ByteReader reader(bytes);
  CHECK(reader.U8().value() == 0xFE);
  CHECK(reader.U16().value() == 0xFEDC);
  CHECK(reader.U32().value() == 0xFEDCBA98);
  CHECK(reader.U64().value() == 0xFEDCBA9876543210);
  CHECK(AsText(reader.Take(4).value()) == "text");
  CHECK(reader.ExpectZeros(3).ok());
  CHECK(reader.ExpectEnd().ok());
}

TEST_CASE("checked: sums, products and narrowing at their edges") {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  CHECK(CheckedAdd<std::uint64_t>(kMax - 1, 1) == kMax);
  CHECK_FALSE(CheckedAdd<std::uint64_t>(kMax, 1).has_value());
  CHECK(CheckedMul<std::uint64_t>(1ull << 32, (1ull << 32) - 1).has_value());
  CHECK_FALSE(CheckedMul<std::uint64_t>(1ull << 32, 1ull << 32).has_value());
  CHECK_FALSE(CheckedAdd<std::uint8_t>(200, 100).has_value());
  CHECK(Narrow<std::uint8_t>(std::uint64_t{255}) == std::uint8_t{255});
  CHECK_FALSE(Narrow<std::uint8_t>(std::uint64_t{256}).has_value());
  CHECK(CeilDiv(0, 8) == 0);
  CHECK(CeilDiv(8, 8) == 1);
  CHECK(CeilDiv(9, 8) == 2);
  CHECK(CeilDiv(kMax, 2) == 1ull << 63);
}

TEST_CASE("UTF-8: the edges of RFC 3629") {
  const std::string good[] = {"",
                              "a",
                              std::string("\0", 1),
                              "\x7F",
                              "\xC2\x80",
                              "\xDF\xBF",
                              "\xE0\xA0\x80",
                              "\xED\x9F\xBF",
                              "\xEE\x80\x80",
                              "\xEF\xBF\xBF",
                              "\xF0\x90\x80\x80",
                              "\xF4\x8F\xBF\xBF"};
  for (const std::string& text : good) CHECK(IsUtf8(text));
  const std::string bad[] = {"\x80",
                             "\xBF",
                             "\xC0\x80",
                             "\xC1\xBF",
                             "\xC2",
                             "\xC2\x41",
                             "\xC2\xC0",
                             "\xE0\x9F\xBF",
                             "\xE0\xA0",
                             "\xE1\x80\x41",
                             "\xED\xA0\x80",
                             "\xED\xBF\xBF",
                             "\xF0\x8F\xBF\xBF",
                             "\xF0\x90\x80",
                             "\xF4\x90\x80\x80",
                             "\xF5\x80\x80\x80",
                             "\xFF"};
  for (const std::string& text : bad) CHECK_FALSE(IsUtf8(text));
}

TEST_CASE("UTF-8: controls are C0, DEL and C1") {
  for (const std::string text : {"\x1F", "a\nb", "\x7F", "\xC2\x80", "x\xC2\x9F"}) CHECK(HasControls(text));
  CHECK(HasControls(std::string("\0", 1)));
  for (const std::string text : {"", " ", "~", "\xC2\xA0", "\xC3\x80"}) CHECK_FALSE(HasControls(text));
}

}  // namespace safemodel
