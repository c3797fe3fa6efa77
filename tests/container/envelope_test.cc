// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "container/fixture.h"

namespace safemodel::container {
namespace {

const Digest kBodyDigest = DigestFilledWith(0xBB);

Envelope ValidEnvelope() {
  Envelope envelope;
  envelope.generation = 7;
  envelope.manifest_digest = DigestFilledWith(0xAA);
  envelope.items = {{1, {1, 2, 3}}, {1, {}}, {999, {4}}, {2, {5, 6}}};
  return envelope;
}

// FrameOf appends a frame digest; which one does not matter here, as the caller computes it.
ByteBuffer FrameOf(const Envelope& envelope) {
  ByteBuffer frame = SerializeEnvelopeBody(envelope);
  frame.insert(frame.end(), kBodyDigest.begin(), kBodyDigest.end());
  return frame;
}

Result<Envelope> Parse(ByteView frame, const Limits& limits = {}) { return ParseEnvelope(frame, kBodyDigest, limits); }

Result<std::uint64_t> Measure(const ByteBuffer& frame, std::uint64_t available) {
  return MeasureEnvelope(ByteView(frame).first(std::min<std::size_t>(frame.size(), kEnvelopeHeadBytes)), available, {});
}

void Put(ByteBuffer& bytes, std::size_t at, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

Envelope WithItems(std::uint16_t kind, std::size_t count) {
  Envelope envelope = ValidEnvelope();
  envelope.items.assign(count, EnvelopeItem{kind, {1}});
  return envelope;
}

}  // namespace

TEST_CASE("envelope: what was written is read back, unknown items too") {
  for (const Envelope& envelope : {ValidEnvelope(), Envelope{}, WithItems(4, 3)}) {
    const ByteBuffer frame = FrameOf(envelope);
    const auto length = Measure(frame, frame.size());
    REQUIRE(length.ok());
    CHECK(length.value() == frame.size());
    const auto parsed = Parse(frame);
    REQUIRE(parsed.ok());
    CHECK(parsed.value() == envelope);
    CHECK(FrameOf(parsed.value()) == frame);
  }
}

TEST_CASE("envelope: torn at every length") {
  const ByteBuffer frame = FrameOf(ValidEnvelope());
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const ByteBuffer torn(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
    const auto length = Measure(torn, torn.size());
    REQUIRE_FALSE(length.ok());
    CHECK(length.error().stage == Stage::kMalformed);
    const auto parsed = Parse(torn);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().stage == Stage::kMalformed);
  }
}

TEST_CASE("envelope: bytes behind the frame") {
  ByteBuffer frame = FrameOf(ValidEnvelope());
  CheckRefused(Measure(frame, frame.size() + 1), Stage::kMalformed, "trailing_bytes");
  CheckRefused(Measure(frame, ~0ull), Stage::kMalformed, "trailing_bytes");
  frame.push_back(0);
  CheckRefused(Parse(frame), Stage::kMalformed, "trailing_bytes");
}

TEST_CASE("envelope: a broken field is refused") {
  struct Row {
    const char* reason;
    Stage stage;
    const char* code;
    std::size_t at;
    std::uint64_t value;
    std::size_t width;
  };
  const std::size_t length = FrameOf(ValidEnvelope()).size();
  const Row rows[] = {
      {"first byte of the magic", Stage::kMalformed, "bad_envelope_magic", 0, 0x88, 1},
      {"magic of the preamble", Stage::kMalformed, "bad_envelope_magic", 3, 'D', 1},
      {"version 0", Stage::kUnsupported, "unknown_envelope_version", 8, 0, 2},
      {"version 2", Stage::kUnsupported, "unknown_envelope_version", 8, 2, 2},
      {"reserved", Stage::kMalformed, "not_zero", 11, 1, 1},
      {"one item too few", Stage::kMalformed, "trailing_bytes", 12, 3, 4},
      {"one item too many", Stage::kMalformed, "bad_item_count", 12, 5, 4},
      {"more items than bytes", Stage::kMalformed, "bad_item_count", 12, 0xFFFFFFFF, 4},
      {"length one less", Stage::kMalformed, "trailing_bytes", 16, length - 1, 8},
      {"length one more", Stage::kMalformed, "torn_envelope", 16, length + 1, 8},
      {"length 0", Stage::kMalformed, "bad_envelope_length", 16, 0, 8},
      {"length of less than an empty frame", Stage::kMalformed, "bad_envelope_length", 16, 95, 8},
      {"length over the limit", Stage::kLimit, "large_envelope", 16, (8u << 20) + 1, 8},
      {"length 2^64 - 1", Stage::kLimit, "large_envelope", 16, ~0ull, 8},
      {"generation 0", Stage::kMalformed, "bad_generation", 24, 0, 8},
      {"generation 2^64 - 1", Stage::kMalformed, "bad_generation", 24, ~0ull, 8},
      {"reserved of an item", Stage::kMalformed, "not_zero", 66, 1, 2},
      {"item longer than the frame", Stage::kMalformed, "truncated", 68, 0xFFFFFFFF, 4},
      {"item reaches into the frame digest", Stage::kMalformed, "truncated", 68, 50, 4},
      {"frame digest", Stage::kMalformed, "envelope_digest", length - 1, 0, 1},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.reason));
    ByteBuffer frame = FrameOf(ValidEnvelope());
    Put(frame, row.at, row.value, row.width);
    CheckRefused(Parse(frame), row.stage, row.code);
  }
}

TEST_CASE("envelope: the first and the last generation are accepted") {
  Envelope envelope = ValidEnvelope();
  for (const std::uint64_t generation : {std::uint64_t{1}, ~std::uint64_t{0} - 1}) {
    envelope.generation = generation;
    CHECK(Parse(FrameOf(envelope)).ok());
  }
}

TEST_CASE("envelope: numbers of statements and wraps are limited, each by itself") {
  CHECK(Parse(FrameOf(WithItems(1, 64))).ok());
  CheckRefused(Parse(FrameOf(WithItems(1, 65))), Stage::kLimit, "many_statements");
  CheckRefused(Parse(FrameOf(WithItems(4, 65))), Stage::kLimit, "many_statements");
  CHECK(Parse(FrameOf(WithItems(2, 64))).ok());
  CheckRefused(Parse(FrameOf(WithItems(2, 65))), Stage::kLimit, "many_key_wraps");
}

TEST_CASE("envelope: the number of items of all kinds is limited, before any is parsed") {
  CHECK(Parse(FrameOf(WithItems(77, 512))).ok());
  CheckRefused(Parse(FrameOf(WithItems(77, 513))), Stage::kLimit, "many_items");
  ByteBuffer broken = FrameOf(WithItems(77, 513));
  Put(broken, kEnvelopeHeadBytes + 2, 1, 2);  // the first item's reserved bytes, which nobody looks at any more
  CheckRefused(Parse(broken), Stage::kLimit, "many_items");
  CheckRefused(Measure(broken, broken.size()), Stage::kLimit, "many_items");
  Limits limits;
  limits.envelope_items = 4;
  CHECK(Parse(FrameOf(ValidEnvelope()), limits).ok());
  limits.envelope_items = 3;
  CheckRefused(Parse(FrameOf(ValidEnvelope()), limits), Stage::kLimit, "many_items");
}

TEST_CASE("envelope: a frame at the limit is read, a larger one is not") {
  Limits limits;
  const ByteBuffer frame = FrameOf(ValidEnvelope());
  limits.envelope_bytes = frame.size();
  CHECK(Parse(frame, limits).ok());
  limits.envelope_bytes -= 1;
  CheckRefused(Parse(frame, limits), Stage::kLimit, "large_envelope");
}

}  // namespace safemodel::container
