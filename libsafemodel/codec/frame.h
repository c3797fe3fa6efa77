// SPDX-License-Identifier: Apache-2.0
// zstd frames: one frame, exactly framed, of a size that is known before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace safemodel::codec {

// Matching says whether an encoder looks for repetitions. Without it only the frequencies of bytes are used (Huffman),
// which is what exponents of weights need: matches found in them cost more than they save, in size and in time.
enum class Matching : std::uint8_t { kNone, kLevel };

// FrameEncoder writes frames. It owns the two compression contexts it needs, one for each kind of matching.
class FrameEncoder {
 public:
  explicit FrameEncoder(int level);

  // Encode replaces `frame` by one frame with the content of `plain`. Deterministic.
  void Encode(Matching matching, ByteView plain, ByteBuffer& frame);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  using Context = std::unique_ptr<ZSTD_CCtx_s, Free>;
  static Context MakeContext(int level);

  Context entropy_only_;
  Context leveled_;
};

// FrameDecoder reads frames of which nothing is believed.
class FrameDecoder {
 public:
  FrameDecoder();

  // Decode fills the whole of `plain`. Everything else than exactly one frame of exactly that content, without
  // dictionary and with a bounded window, is kMalformed [C-FRAME].
  [[nodiscard]] Status Decode(ByteView stored, MutableBytes plain);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

}  // namespace safemodel::codec
