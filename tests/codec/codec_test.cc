// SPDX-License-Identifier: Apache-2.0
#include "codec/codec.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/cursor.h"
#include "codec/guarded.h"
#include "codec/samples.h"

namespace safemodel::codec {
namespace {

using testing::Edge;
using testing::Guarded;

// Encodes from and decodes to guarded memory, and checks everything that holds for any content.
Codec CheckRoundTrip(Encoder& encoder, Decoder& decoder, Codec wanted, ElementLayout layout, const ByteBuffer& plain) {
  CAPTURE(CodecName(wanted));
  CAPTURE(static_cast<int>(layout));
  CAPTURE(plain.size());
  const Guarded input(plain, Edge::kEnd);
  ByteBuffer stored = {1, 2, 3};  // old content is lost
  const Codec used = encoder.Encode(wanted, layout, input.bytes(), stored);
  REQUIRE(input.copy() == plain);
  REQUIRE(stored.size() <= plain.size());
  if (used == Codec::kRaw) {
    REQUIRE(stored == plain);
  } else {
    REQUIRE(used == wanted);
    REQUIRE(stored.size() * 50 <= plain.size() * 49);
  }
  for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
    const Guarded source(stored, edge);
    const Guarded output(plain.size(), edge);
    REQUIRE(decoder.Decode(used, layout, source.bytes(), output.bytes()).ok());
    REQUIRE(output.copy() == plain);
  }
  return used;
}

TEST_CASE("codec: decode(encode(x)) = x for every codec, layout and length") {
  Encoder encoder(3);
  Decoder decoder;
  for (const ElementLayout layout : testing::kLayouts) {
    const std::size_t width = ElementWidth(layout);
    std::vector<std::size_t> sizes;
    for (std::size_t size = 0; size <= 4 * width + 3; ++size) sizes.push_back(size);
    const std::size_t chunk = 4096;
    for (std::size_t size = chunk - width; size <= chunk + width; ++size) sizes.push_back(size);
    for (const std::size_t size : {std::size_t{1} << 17, (std::size_t{1} << 20) + 3}) sizes.push_back(size);
    for (const Codec codec : testing::kCodecs) {
      for (const std::size_t size : sizes) {
        CheckRoundTrip(encoder, decoder, codec, layout, testing::Weights(layout, size));
        CheckRoundTrip(encoder, decoder, codec, layout, testing::Noise(size));
        CheckRoundTrip(encoder, decoder, codec, layout, ByteBuffer(size));
      }
    }
  }
}

TEST_CASE("codec: weights take planes, text takes zstd, noise stays raw") {
  struct Row {
    ElementLayout layout;
    ByteBuffer content;
    Codec chosen;
    double ratio;  // stored / plain, at most
    const char* what;
  };
  const std::size_t size = 1u << 20;
  ByteBuffer widened = testing::Weights(ElementLayout::kF32, size);
  for (std::size_t i = 0; i < size; i += 4) widened[i] = widened[i + 1] = 0;
  ByteBuffer few(size);  // an INT4 tensor kept as f32
  for (std::size_t i = 0; i < size; i += 4) {
    const auto value = static_cast<float>(static_cast<int>(i / 4 * 2654435761u >> 16 & 15) - 8);
    std::memcpy(&few[i], &value, 4);
  }
  ByteBuffer rows;  // noise that repeats: only matches see it
  for (int i = 0; i < 64; ++i) {
    const ByteBuffer row = testing::Noise(4096);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  const Row table[] = {
      {ElementLayout::kBf16, testing::Weights(ElementLayout::kBf16, size), Codec::kPlanes, 0.68, "bf16 weights"},
      {ElementLayout::kF32, testing::Weights(ElementLayout::kF32, size), Codec::kPlanes, 0.84, "f32 weights"},
      {ElementLayout::kF64, testing::Weights(ElementLayout::kF64, size), Codec::kPlanes, 0.95, "f64 weights"},
      {ElementLayout::kF32, widened, Codec::kPlanes, 0.34, "bf16 weights widened to f32: zero low bytes are caught"},
      {ElementLayout::kF32, few, Codec::kPlanes, 0.14, "few distinct values"},
      {ElementLayout::kF32, rows, Codec::kZstd, 0.05, "repeating noise"},
      {ElementLayout::kF32, ByteBuffer(size), Codec::kZstd, 0.001, "zeros"},
      {ElementLayout::kBytes, testing::Text(size), Codec::kZstd, 0.05, "text"},
      {ElementLayout::kBytes, testing::Noise(size), Codec::kRaw, 1.0, "noise"},
      {ElementLayout::kF32, testing::Noise(size), Codec::kRaw, 1.0, "noise that claims to be f32"},
      {ElementLayout::kF32, {}, Codec::kRaw, 1.0, "nothing"},
      {ElementLayout::kF64, {1, 2, 3}, Codec::kRaw, 1.0, "less than an element"},
  };
  Decoder decoder;
  for (const Row& row : table) {
    CAPTURE(row.what);
    Encoder encoder(3);
    const Codec chosen = encoder.Choose(row.layout, row.content);
    CHECK(std::string(CodecName(chosen)) == CodecName(row.chosen));
    ByteBuffer stored;
    const Codec used = encoder.Encode(chosen, row.layout, row.content, stored);
    CHECK(static_cast<double>(stored.size()) <= row.ratio * static_cast<double>(row.content.size()));
    ByteBuffer plain(row.content.size());
    REQUIRE(decoder.Decode(used, row.layout, stored, plain).ok());
    CHECK(plain == row.content);
  }
}

TEST_CASE("codec: the stored bytes depend on the input alone, not on what an encoder did before") {
  Encoder fresh(3);
  Encoder used(3);
  ByteBuffer scratch;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    static_cast<void>(used.Encode(Codec::kPlanes, ElementLayout::kF64, testing::Noise(300000 + seed, seed), scratch));
    static_cast<void>(used.Choose(ElementLayout::kBytes, testing::Text(1000 * seed)));
  }
  for (const ElementLayout layout : testing::kLayouts) {
    for (const Codec codec : testing::kCodecs) {
      const ByteBuffer plain = testing::Weights(layout, 200001);
      ByteBuffer one;
      ByteBuffer two;
      CHECK(fresh.Encode(codec, layout, plain, one) == used.Encode(codec, layout, plain, two));
      CHECK(one == two);
      CHECK(fresh.Choose(layout, plain) == used.Choose(layout, plain));
    }
  }
}

TEST_CASE("codec: NaN payloads, negative zero and denormals keep their bits") {
  Encoder encoder(3);
  Decoder decoder;
  const std::uint32_t patterns[] = {0x7FC00001, 0x7F800001, 0xFFC12345, 0x80000000,
                                    0x00000001, 0x807FFFFF, 0x7F800000, 0xFF800000};
  ByteBuffer plain;
  for (int i = 0; i < 2000; ++i) {
    for (const std::uint32_t pattern : patterns) {
      for (int shift = 0; shift < 32; shift += 8) plain.push_back(static_cast<std::uint8_t>(pattern >> shift));
    }
  }
  for (const ElementLayout layout : testing::kLayouts) {
    if (layout == ElementLayout::kBytes) continue;
    CHECK(CheckRoundTrip(encoder, decoder, Codec::kPlanes, layout, plain) == Codec::kPlanes);
  }
}

// A chunk of codec 2 as fields, so that a row can break one of them.
struct Chunk {
  std::uint8_t count = 2;
  std::vector<std::pair<std::uint8_t, std::uint32_t>> entries;  // method, stored length
  ByteBuffer body;

  [[nodiscard]] ByteBuffer Serialize() const {
    ByteWriter writer;
    writer.U8(count);
    for (const auto& [method, length] : entries) {
      writer.U8(method);
      writer.U32(length);
    }
    writer.Bytes(body);
    return std::move(writer).Finish();
  }
};

// Four bf16 elements and one byte of tail: 9 plain bytes, planes of 4 raw bytes each.
constexpr std::size_t kPlain = 9;
Chunk GoodChunk() { return {2, {{0, 4}, {0, 4}}, {0x7F, 0x7F, 0x7F, 0x7F, 0, 1, 2, 3, 0xEE}}; }

TEST_CASE("codec: broken planes [C-PLANES]") {
  struct Row {
    Chunk chunk;
    std::string code;  // empty: accepted
    Stage stage;
    const char* why;
  };
  std::vector<Row> rows = {{GoodChunk(), "", Stage::kMalformed, "two raw planes and a tail"}};
  const auto row = [&rows](const char* code, const char* why, auto change, Stage stage = Stage::kMalformed) {
    Chunk chunk = GoodChunk();
    change(chunk);
    rows.push_back({chunk, code, stage, why});
  };
  row("plane_count", "no planes", [](Chunk& c) { c.count = 0; });
  row("plane_count", "one plane", [](Chunk& c) { c.count = 1; });
  row("plane_count", "three planes in a layout of two", [](Chunk& c) {
    c.count = 3;
    c.entries.emplace_back(0, 0);
  });
  row("plane_count", "255 planes", [](Chunk& c) { c.count = 255; });
  row(
      "plane_method", "the next free method", [](Chunk& c) { c.entries[0].first = 2; }, Stage::kUnsupported);
  row(
      "plane_method", "method 255", [](Chunk& c) { c.entries[1].first = 255; }, Stage::kUnsupported);
  row("plane_length", "a raw plane shorter than its elements", [](Chunk& c) { c.entries[0].second = 3; });
  row("plane_length", "a raw plane longer than its elements", [](Chunk& c) { c.entries[0].second = 5; });
  row("plane_length", "lengths that are right only as a sum", [](Chunk& c) { c.entries = {{0, 3}, {0, 5}}; });
  row("plane_length", "2^32 - 1", [](Chunk& c) { c.entries[0].second = 0xFFFFFFFF; });
  row("plane_length", "lengths whose sum wraps", [](Chunk& c) { c.entries = {{1, 0xFFFFFFFC}, {1, 12}}; });
  row("plane_length", "a frame that is no shorter than its plane", [](Chunk& c) { c.entries[0] = {1, 4}; });
  row("truncated", "a frame of no bytes", [](Chunk& c) {
    c.entries[0] = {1, 0};
    c.body.erase(c.body.begin(), c.body.begin() + 4);
  });
  row("truncated", "the tail is missing", [](Chunk& c) { c.body.pop_back(); });
  row("truncated", "everything behind the head is missing", [](Chunk& c) { c.body.clear(); });
  row("truncated", "half an entry", [](Chunk& c) {
    c.entries.pop_back();
    c.body = {0, 4};
  });
  row("trailing_bytes", "one byte behind the tail", [](Chunk& c) { c.body.push_back(0); });
  row("truncated", "a plane that claims to be a frame", [](Chunk& c) {
    c.entries[0] = {1, 3};
    c.body.erase(c.body.begin());
  });
  Decoder decoder;
  for (const Row& r : rows) {
    CAPTURE(r.why);
    ByteBuffer plain(kPlain);
    const Status status = decoder.Decode(Codec::kPlanes, ElementLayout::kBf16, r.chunk.Serialize(), plain);
    if (r.code.empty()) {
      REQUIRE(status.ok());
      CHECK(plain == ByteBuffer{0x80, 0x3F, 0x81, 0x3F, 0x82, 0x3F, 0x83, 0x3F, 0xEE});
      continue;
    }
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == r.code);
    CHECK(status.error().stage == r.stage);
  }
}

TEST_CASE("codec: planes need elements") {
  Decoder decoder;
  ByteBuffer plain(kPlain);
  const ByteBuffer stored = GoodChunk().Serialize();
  const Status layout = decoder.Decode(Codec::kPlanes, ElementLayout::kBytes, stored, plain);
  REQUIRE_FALSE(layout.ok());
  CHECK(layout.error().code == std::string("planes_layout"));
  const Status invalid = decoder.Decode(Codec::kPlanes, ElementLayout{9}, stored, plain);
  REQUIRE_FALSE(invalid.ok());
  CHECK(invalid.error().code == std::string("planes_layout"));
  ByteBuffer byte(1);  // [C-PLANES-EMPTY]
  const Status empty =
      decoder.Decode(Codec::kPlanes, ElementLayout::kBf16, ByteBuffer{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, byte);
  REQUIRE_FALSE(empty.ok());
  CHECK(empty.error().code == std::string("planes_empty"));
}

TEST_CASE("codec: a chunk of planes cut off at every length, or one byte longer, is refused") {
  Encoder encoder(3);
  Decoder decoder;
  for (const ElementLayout layout :
       {ElementLayout::kBf16, ElementLayout::kF16, ElementLayout::kF32, ElementLayout::kF64}) {
    ByteBuffer content = testing::Weights(layout, 6001);
    ByteBuffer stored;
    REQUIRE(encoder.Encode(Codec::kPlanes, layout, content, stored) == Codec::kPlanes);
    ByteBuffer plain(content.size());
    for (std::size_t size = 0; size < stored.size(); ++size) {
      const Status status = decoder.Decode(Codec::kPlanes, layout, ByteView(stored).first(size), plain);
      REQUIRE_FALSE(status.ok());
      REQUIRE(status.error().stage == Stage::kMalformed);
    }
    stored.push_back(0);
    CHECK_FALSE(decoder.Decode(Codec::kPlanes, layout, stored, plain).ok());
    stored.pop_back();
    ByteBuffer longer(content.size() + 1);
    CHECK_FALSE(decoder.Decode(Codec::kPlanes, layout, stored, longer).ok());
    CHECK_FALSE(decoder.Decode(Codec::kPlanes, layout, stored, MutableBytes(plain).first(plain.size() - 1)).ok());
    REQUIRE(decoder.Decode(Codec::kPlanes, layout, stored, plain).ok());  // no state survives a failure
    CHECK(plain == content);
  }
}

TEST_CASE("codec: raw means the plain bytes, and unknown codecs are unsupported") {
  Decoder decoder;
  ByteBuffer plain(4);
  CHECK(decoder.Decode(Codec::kRaw, ElementLayout::kF32, ByteBuffer{1, 2, 3, 4}, plain).ok());
  CHECK(plain == ByteBuffer{1, 2, 3, 4});
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{5}}) {
    const Status status = decoder.Decode(Codec::kRaw, ElementLayout::kF32, ByteBuffer(size), plain);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == std::string("raw_length"));
    CHECK(status.error().stage == Stage::kMalformed);
  }
  for (const int number : {3, 4, 255}) {
    const Status status = decoder.Decode(static_cast<Codec>(number), ElementLayout::kF32, ByteBuffer(4), plain);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == std::string("unknown_codec"));
    CHECK(status.error().stage == Stage::kUnsupported);
  }
}

TEST_CASE("codec: layouts of dtypes") {
  CHECK(LayoutOf(Dtype::kBf16) == ElementLayout::kBf16);
  CHECK(LayoutOf(Dtype::kF16) == ElementLayout::kF16);
  CHECK(LayoutOf(Dtype::kF32) == ElementLayout::kF32);
  CHECK(LayoutOf(Dtype::kComplex64) == ElementLayout::kF32);
  CHECK(LayoutOf(Dtype::kF64) == ElementLayout::kF64);
  CHECK(LayoutOf(Dtype::kComplex128) == ElementLayout::kF64);
  CHECK(LayoutOf(Dtype::kI8) == ElementLayout::kBytes);
  CHECK(LayoutOf(Dtype::kF8E4M3Fn) == ElementLayout::kBytes);
  CHECK(LayoutOf(Dtype::kRecord) == ElementLayout::kBytes);
}

}  // namespace
}  // namespace safemodel::codec
