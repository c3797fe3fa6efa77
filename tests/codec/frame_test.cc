// SPDX-License-Identifier: Apache-2.0
#include "codec/frame.h"

#include <doctest/doctest.h>
#include <zstd.h>

#include <initializer_list>
#include <string>

#include "base/cursor.h"
#include "codec/samples.h"

namespace safemodel::codec {
namespace {

constexpr std::size_t kSize = 100;  // content of the hand-made frames

ByteBuffer Join(std::initializer_list<ByteBuffer> parts) {
  ByteBuffer all;
  for (const ByteBuffer& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

const ByteBuffer kMagic = {0x28, 0xB5, 0x2F, 0xFD};
const ByteBuffer kSingleSegment = {0x20, kSize};  // one byte of content size

ByteBuffer Content() { return ByteBuffer(kSize, 'x'); }

enum class BlockType : std::uint8_t { kRaw = 0, kRepeat = 1, kCompressed = 2, kReserved = 3 };

ByteBuffer Block(BlockType type, std::size_t size, const ByteBuffer& body, bool last = true) {
  const std::size_t header = (last ? 1u : 0u) | static_cast<std::size_t>(type) << 1 | size << 3;
  return Join({{static_cast<std::uint8_t>(header), static_cast<std::uint8_t>(header >> 8),
                static_cast<std::uint8_t>(header >> 16)},
               body});
}
ByteBuffer RawBlock(std::size_t size = kSize, bool last = true) {
  return Block(BlockType::kRaw, size, ByteBuffer(size, 'x'), last);
}
ByteBuffer Compressed(const ByteBuffer& body) { return Block(BlockType::kCompressed, body.size(), body); }
ByteBuffer Good() { return Join({kMagic, kSingleSegment, RawBlock()}); }
ByteBuffer Skippable() { return {0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 'h', 'i', 'd', 'e'}; }

ByteBuffer FrameOf(ByteView plain, ZSTD_cParameter parameter, int value) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  REQUIRE(ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)) == 0);
  ByteBuffer frame(ZSTD_compressBound(plain.size()));
  const std::size_t size = ZSTD_compress2(context, frame.data(), frame.size(), plain.data(), plain.size());
  ZSTD_freeCCtx(context);
  REQUIRE(ZSTD_isError(size) == 0);
  frame.resize(size);
  return frame;
}

struct Row {
  ByteBuffer frame;
  std::string code;  // empty: accepted
  const char* why;
};

void CheckRow(FrameDecoder& decoder, const Row& row, const ByteBuffer& content) {
  CAPTURE(row.why);
  ByteBuffer plain(content.size());
  const Status status = decoder.Decode(row.frame, plain);
  if (row.code.empty()) {
    REQUIRE(status.ok());
    CHECK(plain == content);
    return;
  }
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().stage == Stage::kMalformed);
  CHECK(status.error().code == row.code);
}

TEST_CASE("frame: headers [C-FRAME]") {
  const ByteBuffer raw = RawBlock();
  const ByteBuffer wide_size = {0xE0, kSize, 0, 0, 0, 0, 0, 0, 0};
  const Row rows[] = {
      {Good(), "", "single segment, one byte of content size"},
      {Join({kMagic, wide_size, raw}), "", "eight bytes of content size"},
      {Join({kMagic, {0x80, 0x38, kSize, 0, 0, 0}, raw}), "", "a window of 128 KiB"},
      {Join({kMagic, {0x21, 0x00, kSize}, raw}), "", "a dictionary field that says none"},
      {{}, "truncated", "nothing"},
      {Join({kMagic, {0x00, 0x38}, raw}), "frame_content_size", "content size not stated"},
      {Join({kMagic, {0x20, kSize - 1}, RawBlock(kSize - 1)}), "frame_content_size", "truly one byte shorter"},
      {Join({kMagic, {0x20, kSize + 1}, RawBlock(kSize + 1)}), "frame_content_size", "truly one byte longer"},
      {Join({kMagic, {0xE0, 0, 0, 0, 0, 0, 0, 0, 0x7F}, raw}), "frame_content_size",
       "claims 2^62.9 bytes: nothing is allocated"},
      {Join({kMagic, {0x21, 0x07, kSize}, raw}), "frame_dictionary", "dictionary 7, one byte"},
      {Join({kMagic, {0x23, 0, 0, 0, 0x80, kSize}, raw}), "frame_dictionary", "dictionary 2^31, four bytes"},
      {Join({kMagic, {0x80, 0x39, kSize, 0, 0, 0}, raw}), "frame_window", "a window one step above 128 KiB"},
      {Join({kMagic, {0x80, 0xA8, kSize, 0, 0, 0}, raw}), "frame_window", "window log 31"},
      {Join({kMagic, {0x80, 0xFF, kSize, 0, 0, 0}, raw}), "frame_window", "the largest window that can be written"},
      {Join({kMagic, {0x28, kSize}, raw}), "frame_blocks", "reserved bit of the descriptor"},
  };
  FrameDecoder decoder;
  for (const Row& row : rows) CheckRow(decoder, row, Content());
}

TEST_CASE("frame: other formats are refused by their magic") {
  const ByteBuffer rest = Join({kSingleSegment, RawBlock()});
  const Row rows[] = {
      {Join({{0x25, 0xB5, 0x2F, 0xFD}, rest}), "frame_magic", "zstd 0.5, which libzstd with legacy support decodes"},
      {Join({{0x26, 0xB5, 0x2F, 0xFD}, rest}), "frame_magic", "zstd 0.6"},
      {Join({{0x27, 0xB5, 0x2F, 0xFD}, rest}), "frame_magic", "zstd 0.7"},
      {rest, "frame_magic", "a magicless frame"},
      {Content(), "frame_magic", "raw bytes under a record that says zstd"},
      {Skippable(), "frame_magic", "a skippable frame alone"},
      {Join({Skippable(), Good()}), "frame_magic", "a skippable frame in front"},
      {{0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0}, "frame_magic", "gzip"},
  };
  FrameDecoder decoder;
  for (const Row& row : rows) CheckRow(decoder, row, Content());
}

TEST_CASE("frame: exactly one frame, to the byte") {
  const Row rows[] = {
      {Join({Good(), {0}}), "frame_extent", "one byte behind"},
      {Join({Good(), Skippable()}), "frame_extent", "a skippable frame behind: a hiding place"},
      {Join({Good(), Good()}), "frame_extent", "a second frame"},
      {Join({kMagic, {0x20, 0}, RawBlock(0), Good()}), "frame_content_size", "an empty frame in front"},
      {Join({kMagic, kSingleSegment, RawBlock(kSize, false)}), "frame_blocks", "no last block"},
      {Join({kMagic, kSingleSegment, RawBlock(40, false), RawBlock(60)}), "", "two blocks"},
      {Join({kMagic, kSingleSegment, RawBlock(40, false), RawBlock(59)}), "frame_corrupt", "makes one byte too few"},
      {Join({kMagic, kSingleSegment, RawBlock(40, false), RawBlock(61)}), "frame_corrupt", "makes one byte too many"},
      {Join({kMagic, kSingleSegment, Block(BlockType::kRepeat, kSize, {'x'})}), "", "a repeated byte"},
      {Join({kMagic, kSingleSegment, Block(BlockType::kRepeat, 1u << 20, {'x'})}), "frame_corrupt",
       "a bomb behind a small size"},
  };
  FrameDecoder decoder;
  for (const Row& row : rows) CheckRow(decoder, row, Content());
}

TEST_CASE("frame: broken blocks") {
  const auto with = [](const ByteBuffer& body) { return Join({kMagic, kSingleSegment, Compressed(body)}); };
  const Row rows[] = {
      {Join({kMagic, kSingleSegment, Block(BlockType::kReserved, kSize, Content())}), "frame_blocks",
       "reserved block type"},
      {with({}), "frame_corrupt", "a compressed block without content"},
      // Literals section: type 2, 16 literals from 8 bytes; the tree's header says 128 direct weights.
      {with({0x02, 0x01, 0x02, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0}), "frame_corrupt",
       "a Huffman tree whose weights are all zero"},
      {with({0x03, 0x01, 0x02, 1, 2, 3, 4, 5, 6, 7, 8, 0}), "frame_corrupt",
       "literals that reuse a tree, but none came before"},
      // One raw literal, then one sequence.
      {with({0x08, 'x', 1, 0xFC, 0x10}), "frame_corrupt", "sequences that reuse tables, but none came before"},
      {with({0x08, 'x', 1, 0x56, 1, 4, 0, 0x10}), "frame_corrupt", "reserved bits of the sequence modes"},
      {with({0x08, 'x', 1, 0x54, 1, 4, 0, 0x1F}), "frame_corrupt", "an offset in front of the first byte"},
      {with({0x08, 'x', 1, 0xA8, 0xFF, 0xFF, 0xFF, 0xFF}), "frame_corrupt", "an FSE table with too large an accuracy"},
  };
  FrameDecoder decoder;
  for (const Row& row : rows) CheckRow(decoder, row, Content());
}

TEST_CASE("frame: a checksum may be there, and then it counts") {
  const ByteBuffer content = testing::Text(5000);
  ByteBuffer frame = FrameOf(content, ZSTD_c_checksumFlag, 1);
  FrameDecoder decoder;
  CheckRow(decoder, {frame, "", "right"}, content);
  frame.back() ^= 1;
  CheckRow(decoder, {frame, "frame_corrupt", "wrong"}, content);
}

TEST_CASE("frame: cut off at every length") {
  const ByteBuffer content = testing::Weights(ElementLayout::kF32, 3000);
  const ByteBuffer frame = FrameOf(content, ZSTD_c_compressionLevel, 3);
  FrameDecoder decoder;
  ByteBuffer plain(content.size());
  for (std::size_t size = 0; size < frame.size(); ++size) {
    CAPTURE(size);
    REQUIRE_FALSE(decoder.Decode(ByteView(frame).first(size), plain).ok());
  }
  CHECK(decoder.Decode(frame, plain).ok());
}

TEST_CASE("frame: a good frame decodes after a hundred bad ones in the same context") {
  const ByteBuffer content = testing::Text(20000);
  FrameEncoder encoder(3);
  ByteBuffer good;
  encoder.Encode(Matching::kLevel, content, good);
  FrameDecoder decoder;
  const ByteBuffer noise = testing::Noise(200);
  int refused = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    ByteBuffer bad = good;
    for (std::size_t k = 0; k < 8; ++k) bad[8 + (i * 131 + k) % (bad.size() - 8)] = noise[i + k];
    ByteBuffer plain(content.size());
    if (!decoder.Decode(bad, plain).ok()) ++refused;
    REQUIRE(decoder.Decode(good, plain).ok());
    REQUIRE(plain == content);
  }
  CHECK(refused > 50);  // the rest hit literals, which only the digest of the chunk protects
}

TEST_CASE("frame: 64 MiB of zeros are accepted, because the caller stated that size") {
  const ByteBuffer zeros(64u << 20);
  FrameEncoder encoder(3);
  ByteBuffer frame;
  encoder.Encode(Matching::kLevel, zeros, frame);
  CHECK(frame.size() < 8192);
  ByteBuffer plain(zeros.size(), 0xA5);
  FrameDecoder decoder;
  REQUIRE(decoder.Decode(frame, plain).ok());
  CHECK(plain == zeros);
}

TEST_CASE("frame: written frames state their size and nothing else") {
  FrameEncoder encoder(3);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{255}, std::size_t{256}, std::size_t{70000}, std::size_t{1} << 20}) {
    for (const Matching matching : {Matching::kNone, Matching::kLevel}) {
      ByteBuffer frame;
      encoder.Encode(matching, testing::Weights(ElementLayout::kBf16, size), frame);
      CHECK(ZSTD_getFrameContentSize(frame.data(), frame.size()) == size);
      CHECK(ZSTD_getDictID_fromFrame(frame.data(), frame.size()) == 0);
      CHECK((frame[4] & 0x07) == 0);  // no checksum, no dictionary field
    }
  }
}

}  // namespace
}  // namespace safemodel::codec
