// SPDX-License-Identifier: Apache-2.0
#include "codec/codec.h"

namespace safemodel::codec {

const char* CodecName(Codec codec) {
  switch (codec) {
    case Codec::kRaw: return "raw";
    case Codec::kZstd: return "zstd";
    case Codec::kPlanes: return "planes";
  }
  return "?";
}

ElementLayout LayoutOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF16:
    case Dtype::kComplex32:
    case Dtype::kI16:  // high byte apart from low byte suits 16-bit integers as well
    case Dtype::kU16: return ElementLayout::kF16;
    case Dtype::kBf16: return ElementLayout::kBf16;
    case Dtype::kF32:
    case Dtype::kComplex64: return ElementLayout::kF32;
    case Dtype::kF64:
    case Dtype::kComplex128: return ElementLayout::kF64;
    default: return ElementLayout::kBytes;
  }
}

unsigned ElementWidth(ElementLayout layout) {
  switch (layout) {
    case ElementLayout::kBytes: return 1;
    case ElementLayout::kF16: return 2;
    case ElementLayout::kBf16: return 2;
    case ElementLayout::kF32: return 4;
    case ElementLayout::kF64: return 8;
  }
  return 1;
}

}  // namespace safemodel::codec
