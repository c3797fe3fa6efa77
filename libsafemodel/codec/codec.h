// SPDX-License-Identifier: Apache-2.0
// Codecs: plain bytes of a chunk to stored bytes and back. Spec section 4.
#pragma once

#include <cstdint>
#include <memory>

#include <safemodel/bytes.h>
#include <safemodel/dtype.h>
#include <safemodel/result.h>

namespace safemodel::codec {

enum class Codec : std::uint8_t { kRaw = 0, kZstd = 1, kPlanes = 2 };
enum class ElementLayout : std::uint8_t { kBytes = 0, kF16 = 1, kBf16 = 2, kF32 = 3, kF64 = 4 };

const char* CodecName(Codec codec);
// LayoutOf returns the element layout in which storages of this dtype compress best.
ElementLayout LayoutOf(Dtype dtype);
// ElementWidth returns 1, 2, 4 or 8 bytes.
unsigned ElementWidth(ElementLayout layout);

// Encoder compresses chunks. One per thread: it owns a compression context. The input is never changed.
class Encoder {
 public:
  explicit Encoder(int level);
  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;
  ~Encoder();

  // Encode tries `wanted` and writes the stored bytes to `out`, whose old content is lost. The answer is the codec that
  // was used: kRaw with a copy of the input when the gain is under 2 %, so `out` is never longer than `plain`.
  [[nodiscard]] Codec Encode(Codec wanted, ElementLayout layout, ByteView plain, ByteBuffer& out);
  // Choose returns the codec that suits an object, judged from a sample of its bytes (a chunk or so). Deterministic.
  [[nodiscard]] Codec Choose(ElementLayout layout, ByteView sample);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Decoder restores chunks. One per thread. No state survives a failure.
class Decoder {
 public:
  Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;
  ~Decoder();

  // Decode fills the whole of `plain` from verified stored bytes. Errors: kMalformed (see the codes in the spec),
  // kUnsupported (codec). On failure the content of `plain` is unspecified; callers zero it.
  [[nodiscard]] Status Decode(Codec codec, ElementLayout layout, ByteView stored, MutableBytes plain);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace safemodel::codec
