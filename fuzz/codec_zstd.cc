// SPDX-License-Identifier: Apache-2.0
// Codec 1. Input: mode u8, plain size u24, then either a frame or plain bytes.
//   decode: no read or write outside; a failure is malformed; what decodes is one frame with the magic of RFC 8878
//   encode: decode(encode(x)) = x with and without matches, and a frame is refused for any other size
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "codec/codec.h"
#include "codec/frame.h"
#include "fuzz/property.h"

namespace {

using namespace safemodel;         // NOLINT(google-build-using-namespace)
using namespace safemodel::codec;  // NOLINT(google-build-using-namespace)

void CheckDecode(ByteView stored, std::size_t plain_size) {
  ByteBuffer plain(plain_size, 0xA5);
  const Status status = FrameDecoder().Decode(stored, plain);
  if (!status.ok()) {
    SAFEMODEL_PROPERTY(status.error().stage == Stage::kMalformed);
    return;
  }
  ByteReader reader(stored);
  SAFEMODEL_PROPERTY(reader.U32().value() == 0xFD2FB528);
  ByteBuffer again(plain_size, 0x5A);
  SAFEMODEL_PROPERTY(Decoder().Decode(Codec::kZstd, ElementLayout::kBytes, stored, again).ok());
  SAFEMODEL_PROPERTY(plain == again);
}

void CheckEncode(Matching matching, ByteView plain) {
  ByteBuffer frame;
  FrameEncoder(3).Encode(matching, plain, frame);
  FrameDecoder decoder;
  ByteBuffer back(plain.size() + 1);
  SAFEMODEL_PROPERTY(!decoder.Decode(frame, back).ok());
  back.pop_back();
  SAFEMODEL_PROPERTY(decoder.Decode(frame, back).ok());
  SAFEMODEL_PROPERTY(back == ByteBuffer(plain.begin(), plain.end()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader(ByteView(data, size));
  const auto mode = reader.U8();
  const auto low = reader.U16();
  const auto high = reader.U8();
  if (!mode.ok() || !low.ok() || !high.ok()) return 0;
  const std::size_t plain_size = low.value() | static_cast<std::size_t>(high.value() & 0x0F) << 16;  // up to 1 MiB
  switch (mode.value() & 3) {
    case 0: CheckEncode(Matching::kNone, reader.TakeRest()); break;
    case 1: CheckEncode(Matching::kLevel, reader.TakeRest()); break;
    default: CheckDecode(reader.TakeRest(), plain_size); break;
  }
  return 0;
}
