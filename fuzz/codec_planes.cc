// SPDX-License-Identifier: Apache-2.0
// Codec 2. Input: layout and mode u8, plain size u16, then either a stored chunk or plain bytes.
//   decode: no read or write outside; a failure is malformed or unsupported; what decodes is what every decoder makes
//   of it encode: decode(encode(x)) = x, never longer than x; the vector kernels give the bytes of the scalar ones
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "codec/codec.h"
#include "codec/split.h"
#include "fuzz/property.h"

namespace {

using namespace safemodel;         // NOLINT(google-build-using-namespace)
using namespace safemodel::codec;  // NOLINT(google-build-using-namespace)

void CheckDecode(ElementLayout layout, ByteView stored, std::size_t plain_size) {
  ByteBuffer plain(plain_size, 0xA5);
  const Status status = Decoder().Decode(Codec::kPlanes, layout, stored, plain);
  if (!status.ok()) {
    const Stage stage = status.error().stage;
    SAFEMODEL_PROPERTY(stage == Stage::kMalformed || stage == Stage::kUnsupported);
    return;
  }
  ByteBuffer again(plain_size, 0x5A);
  SAFEMODEL_PROPERTY(Decoder().Decode(Codec::kPlanes, layout, stored, again).ok());
  SAFEMODEL_PROPERTY(plain == again);
}

void CheckEncode(ElementLayout layout, ByteView plain) {
  Encoder encoder(3);
  ByteBuffer stored;
  const Codec codec = encoder.Encode(Codec::kPlanes, layout, plain, stored);
  SAFEMODEL_PROPERTY(stored.size() <= plain.size());
  ByteBuffer back(plain.size());
  SAFEMODEL_PROPERTY(Decoder().Decode(codec, layout, stored, back).ok());
  SAFEMODEL_PROPERTY(back == ByteBuffer(plain.begin(), plain.end()));
}

void CheckKernels(ElementLayout layout, ByteView plain) {
  const std::size_t width = ElementWidth(layout);
  const ByteView elements = plain.first(plain.size() / width * width);
  ByteBuffer planes[2][kMaxPlanes];
  for (const Kernel kernel : {Kernel::kScalar, Kernel::kBest}) {
    ByteBuffer* const mine = planes[static_cast<int>(kernel)];
    PlanePointers pointers{};
    for (std::size_t p = 0; p < PlaneCount(layout); ++p) {
      mine[p].resize(elements.size() / width * PlaneWidth(layout, p));
      pointers[p] = mine[p].data();
    }
    Split(layout, elements, pointers, kernel);
  }
  for (std::size_t p = 0; p < kMaxPlanes; ++p) SAFEMODEL_PROPERTY(planes[0][p] == planes[1][p]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader(ByteView(data, size));
  const auto selector = reader.U8();
  const auto plain_size = reader.U16();
  if (!selector.ok() || !plain_size.ok()) return 0;
  const auto layout = static_cast<ElementLayout>(selector.value() & 7);  // unknown layouts too
  const ByteView rest = reader.TakeRest();
  if ((selector.value() & 0x80) == 0) {
    CheckDecode(layout, rest, plain_size.value());
  } else if (PlaneCount(layout) != 0) {
    CheckEncode(layout, rest);
    CheckKernels(layout, rest);
  }
  return 0;
}
