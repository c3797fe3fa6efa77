// SPDX-License-Identifier: Apache-2.0
#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_c_literalCompressionMode; the frames that it makes are standard ones
#include "codec/frame.h"

#include <zstd.h>

#include <algorithm>
#include <new>

#include "base/cursor.h"
#include "base/try.h"

namespace safemodel::codec {
namespace {

// Below this level zstd's fast match finder steps so far that it finds nothing in any data.
constexpr int kNoMatches = -1000;
constexpr std::uint64_t kBlockBytes = 128u << 10;

// FrameHeader is what a frame states about itself, RFC 8878 section 3.1.1.1.
struct FrameHeader {
  bool states_content_size = false;
  std::uint64_t content_size = 0;
  std::uint64_t window_size = 0;
  std::uint32_t dictionary_id = 0;
};

Error Malformed(const char* code, const char* text) { return {Stage::kMalformed, code, text}; }

Result<std::uint64_t> ReadInteger(ByteReader& reader, unsigned width) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < width; ++i) {
    SAFEMODEL_ASSIGN(const std::uint64_t byte, reader.U8());
    value |= byte << (8 * i);
  }
  return value;
}

// Magic: compared here, because a libzstd built with legacy support decodes the formats of zstd 0.5 to 0.7 as well, and
// skips skippable frames. A frame must mean the same to every reader.
Status ReadMagic(ByteReader& reader) {
  SAFEMODEL_ASSIGN(const std::uint32_t magic, reader.U32());
  if (magic == ZSTD_MAGICNUMBER) return {};
  return Malformed("frame_magic",
                   "a zstd frame does not begin with the magic number of RFC 8878; the writer is at fault");
}

Result<FrameHeader> ReadHeader(ByteView stored) {
  static constexpr unsigned kDictionaryWidths[] = {0, 1, 2, 4};
  static constexpr unsigned kContentWidths[] = {0, 2, 4, 8};
  ByteReader reader(stored);
  SAFEMODEL_TRY(ReadMagic(reader));
  SAFEMODEL_ASSIGN(const unsigned descriptor, reader.U8());
  const bool single_segment = (descriptor & 0x20) != 0;
  FrameHeader header;
  if (!single_segment) {
    SAFEMODEL_ASSIGN(const unsigned window, reader.U8());
    const std::uint64_t base = std::uint64_t{1} << (10 + (window >> 3));
    header.window_size = base + base / 8 * (window & 7);
  }
  SAFEMODEL_ASSIGN(const std::uint64_t dictionary, ReadInteger(reader, kDictionaryWidths[descriptor & 3]));
  header.dictionary_id = static_cast<std::uint32_t>(dictionary);
  const unsigned code = descriptor >> 6;
  const unsigned width = code == 0 && single_segment ? 1 : kContentWidths[code];
  header.states_content_size = width != 0;
  SAFEMODEL_ASSIGN(header.content_size, ReadInteger(reader, width));
  if (width == 2) header.content_size += 256;
  if (single_segment) header.window_size = header.content_size;
  return header;
}

// Rule [C-FRAME], except for the extent of the frame.
Status CheckHeader(const FrameHeader& header, std::uint64_t plain_size) {
  if (!header.states_content_size) {
    return Malformed("frame_content_size", "a zstd frame does not state its content size; the writer is at fault");
  }
  if (header.content_size != plain_size) {
    return Malformed("frame_content_size",
                     "a zstd frame states another content size than its record; the file is damaged or forged");
  }
  if (header.dictionary_id != 0) {
    return Malformed("frame_dictionary",
                     "a zstd frame asks for a dictionary, which the format does not have; the writer is at fault");
  }
  const std::uint64_t window_max = std::max(plain_size, kBlockBytes);
  if (header.window_size > window_max) {
    return Malformed("frame_window", "a zstd frame asks for a window larger than its content; the writer is at fault");
  }
  return {};
}

}  // namespace

void FrameEncoder::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

FrameEncoder::Context FrameEncoder::MakeContext(int level) {
  Context context(ZSTD_createCCtx());
  if (context == nullptr) throw std::bad_alloc();
  // The defaults are spelled out: an exact content size, no checksum (the chunk has a digest), no dictionary.
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 1);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 0);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_dictIDFlag, 0);
  return context;
}

FrameEncoder::FrameEncoder(int level)
    : entropy_only_(MakeContext(kNoMatches)),
      leveled_(MakeContext(std::clamp(level, ZSTD_minCLevel(), ZSTD_maxCLevel()))) {
  // Negative levels leave literals uncompressed unless told otherwise, and then nothing would be left to gain.
  ZSTD_CCtx_setParameter(entropy_only_.get(), ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
}

void FrameEncoder::Encode(Matching matching, ByteView plain, ByteBuffer& frame) {
  ZSTD_CCtx* const context = matching == Matching::kNone ? entropy_only_.get() : leveled_.get();
  frame.resize(ZSTD_compressBound(plain.size()));
  const std::size_t size = ZSTD_compress2(context, frame.data(), frame.size(), plain.data(), plain.size());
  // With a destination of compressBound bytes the one failure is a lack of memory.
  if (ZSTD_isError(size) != 0) throw std::bad_alloc();
  frame.resize(size);
}

void FrameDecoder::Free::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

FrameDecoder::FrameDecoder() : context_(ZSTD_createDCtx()) {
  if (context_ == nullptr) throw std::bad_alloc();
}

Status FrameDecoder::Decode(ByteView stored, MutableBytes plain) {
  SAFEMODEL_ASSIGN(const FrameHeader header, ReadHeader(stored));
  SAFEMODEL_TRY(CheckHeader(header, plain.size()));
  const std::size_t extent = ZSTD_findFrameCompressedSize(stored.data(), stored.size());
  if (ZSTD_isError(extent) != 0) {
    return Malformed("frame_blocks", "the blocks of a zstd frame are broken or cut off; the file is damaged or forged");
  }
  if (extent != stored.size()) {
    return Malformed("frame_extent", "bytes stand behind the end of a zstd frame; the file is damaged or forged");
  }
  const std::size_t size =
      ZSTD_decompressDCtx(context_.get(), plain.data(), plain.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0) {
    return Malformed("frame_corrupt", "a zstd frame cannot be decoded; the file is damaged or forged");
  }
  if (size != plain.size()) {
    return Malformed("frame_short", "a zstd frame makes fewer bytes than it states; the file is damaged or forged");
  }
  return {};
}

}  // namespace safemodel::codec
