// SPDX-License-Identifier: Apache-2.0
// Contents that codecs meet, all deterministic.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>

#include <safemodel/bytes.h>

#include "codec/codec.h"

namespace safemodel::testing {

inline constexpr codec::ElementLayout kLayouts[] = {codec::ElementLayout::kBytes, codec::ElementLayout::kF16,
                                                    codec::ElementLayout::kBf16, codec::ElementLayout::kF32,
                                                    codec::ElementLayout::kF64};
inline constexpr codec::Codec kCodecs[] = {codec::Codec::kRaw, codec::Codec::kZstd, codec::Codec::kPlanes};

inline ByteBuffer Noise(std::size_t size, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  ByteBuffer bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// Weights are normally distributed around zero, as those of a trained layer are. `size` need not be whole elements.
inline ByteBuffer Weights(codec::ElementLayout layout, std::size_t size, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0.0, 0.04);
  ByteBuffer bytes;
  bytes.reserve(size + 8);
  while (bytes.size() < size) {
    const double wide = normal(random);
    const auto narrow = static_cast<float>(wide);
    std::uint8_t element[8] = {};
    std::size_t width = codec::ElementWidth(layout);
    if (layout == codec::ElementLayout::kF64) {
      std::memcpy(element, &wide, 8);
    } else {
      std::memcpy(element, &narrow, 4);
      // The upper half of an f32 is a bf16; the same bits serve as something f16-like.
      if (width < 4) std::memmove(element, element + 4 - width, width);
    }
    bytes.insert(bytes.end(), element, element + width);
  }
  bytes.resize(size);
  return bytes;
}

inline ByteBuffer Text(std::size_t size) {
  static constexpr std::string_view kWords = "\"##ing\": 2075, \"token\": 19204, \"the\": 1996, \"unused\": 17, ";
  ByteBuffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(kWords[(i + i / 97) % kWords.size()]);
  return bytes;
}

}  // namespace safemodel::testing
