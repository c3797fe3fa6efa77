// SPDX-License-Identifier: Apache-2.0
// The same cuts as split.cc, 32 elements at a time. The functions carry their target themselves, so that the library
// runs on every x86-64 processor and picks these when it starts.
#include "codec/split.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define SAFEMODEL_AVX2 __attribute__((target("avx2")))

namespace safemodel::codec {
namespace {

constexpr std::size_t kBlock = 32;  // elements in one round: a full register of each narrow plane

bool HasAvx2() {
  static const bool has = static_cast<bool>(__builtin_cpu_supports("avx2"));
  return has;
}

// Pair is 32 16-bit lanes in element order.
struct Pair {
  __m256i low;
  __m256i high;
};

SAFEMODEL_AVX2 inline __m256i Load(const std::uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
SAFEMODEL_AVX2 inline void Store(std::uint8_t* to, __m256i value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), value);
}
SAFEMODEL_AVX2 inline __m128i LoadHalf(const std::uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
SAFEMODEL_AVX2 inline void StoreHalf(std::uint8_t* to, __m128i value) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), value);
}

// The pack instructions work in 128-bit lanes; the permutation puts the quarters back into element order.
constexpr int kOrderQuarters = 0xD8;
SAFEMODEL_AVX2 inline __m256i Pack16To8(__m256i low, __m256i high) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), kOrderQuarters);
}
SAFEMODEL_AVX2 inline __m256i Pack32To16(__m256i low, __m256i high) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), kOrderQuarters);
}

SAFEMODEL_AVX2 inline void StoreTop(const Pair& top, const PlanePointers& planes, std::size_t i) {
  const __m256i byte = _mm256_set1_epi16(0xFF);
  const __m256i sign = _mm256_set1_epi16(0x80);
  const __m256i mantissa = _mm256_set1_epi16(0x7F);
  const auto exponent_of = [&](__m256i v) SAFEMODEL_AVX2 { return _mm256_and_si256(_mm256_srli_epi16(v, 7), byte); };
  const auto rest_of = [&](__m256i v) SAFEMODEL_AVX2 {
    return _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(v, 8), sign), _mm256_and_si256(v, mantissa));
  };
  Store(planes[0] + i, Pack16To8(exponent_of(top.low), exponent_of(top.high)));
  Store(planes[1] + i, Pack16To8(rest_of(top.low), rest_of(top.high)));
}

SAFEMODEL_AVX2 inline Pair LoadTop(const ConstPlanePointers& planes, std::size_t i) {
  const __m256i sign = _mm256_set1_epi16(0x80);
  const __m256i mantissa = _mm256_set1_epi16(0x7F);
  const auto join = [&](const std::uint8_t* first, const std::uint8_t* second) SAFEMODEL_AVX2 {
    const __m256i e = _mm256_slli_epi16(_mm256_cvtepu8_epi16(LoadHalf(first)), 7);
    const __m256i s = _mm256_cvtepu8_epi16(LoadHalf(second));
    const __m256i signs = _mm256_slli_epi16(_mm256_and_si256(s, sign), 8);
    return _mm256_or_si256(_mm256_or_si256(signs, e), _mm256_and_si256(s, mantissa));
  };
  return {join(planes[0] + i, planes[1] + i), join(planes[0] + i + 16, planes[1] + i + 16)};
}

SAFEMODEL_AVX2 std::size_t SplitF16(const std::uint8_t* elements, std::size_t count, const PlanePointers& planes) {
  const __m256i byte = _mm256_set1_epi16(0xFF);
  std::size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    const __m256i a = Load(elements + 2 * i);
    const __m256i b = Load(elements + 2 * i + 32);
    Store(planes[0] + i, Pack16To8(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)));
    Store(planes[1] + i, Pack16To8(_mm256_and_si256(a, byte), _mm256_and_si256(b, byte)));
  }
  return i;
}

SAFEMODEL_AVX2 std::size_t SplitBf16(const std::uint8_t* elements, std::size_t count, const PlanePointers& planes) {
  std::size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    StoreTop({Load(elements + 2 * i), Load(elements + 2 * i + 32)}, planes, i);
  }
  return i;
}

SAFEMODEL_AVX2 std::size_t SplitF32(const std::uint8_t* elements, std::size_t count, const PlanePointers& planes) {
  const __m256i low_half = _mm256_set1_epi32(0xFFFF);
  std::size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    Pair top{};
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t at = i + 16 * half;
      const __m256i a = Load(elements + 4 * at);
      const __m256i b = Load(elements + 4 * at + 32);
      (half == 0 ? top.low : top.high) = Pack32To16(_mm256_srli_epi32(a, 16), _mm256_srli_epi32(b, 16));
      Store(planes[2] + 2 * at, Pack32To16(_mm256_and_si256(a, low_half), _mm256_and_si256(b, low_half)));
    }
    StoreTop(top, planes, i);
  }
  return i;
}

// An f64 has six low bytes. Each lane packs two elements into 12 bytes and stores 16, so the last four are overwritten
// by the next store; the loop therefore stops while at least one element (6 bytes) is left for the scalar code.
SAFEMODEL_AVX2 std::size_t SplitF64(const std::uint8_t* elements, std::size_t count, const PlanePointers& planes) {
  const __m256i pack = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1,  //
                                        0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1);
  std::size_t i = 0;
  for (; i + kBlock < count; i += kBlock) {
    __m256i tops[4];  // 8 elements each, as 32-bit lanes
    for (std::size_t group = 0; group < 4; ++group) {
      const std::size_t at = i + 8 * group;
      const __m256i a = Load(elements + 8 * at);
      const __m256i b = Load(elements + 8 * at + 32);
      tops[group] = Pack32To16(_mm256_srli_epi64(a, 48), _mm256_srli_epi64(b, 48));
      std::uint8_t* const rest = planes[2] + 6 * at;
      const __m256i packed_a = _mm256_shuffle_epi8(a, pack);
      const __m256i packed_b = _mm256_shuffle_epi8(b, pack);
      StoreHalf(rest, _mm256_castsi256_si128(packed_a));
      StoreHalf(rest + 12, _mm256_extracti128_si256(packed_a, 1));
      StoreHalf(rest + 24, _mm256_castsi256_si128(packed_b));
      StoreHalf(rest + 36, _mm256_extracti128_si256(packed_b, 1));
    }
    StoreTop({Pack32To16(tops[0], tops[1]), Pack32To16(tops[2], tops[3])}, planes, i);
  }
  return i;
}

SAFEMODEL_AVX2 std::size_t MergeF16(const ConstPlanePointers& planes, std::size_t count, std::uint8_t* elements) {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256i high = _mm256_slli_epi16(_mm256_cvtepu8_epi16(LoadHalf(planes[0] + i)), 8);
    Store(elements + 2 * i, _mm256_or_si256(high, _mm256_cvtepu8_epi16(LoadHalf(planes[1] + i))));
  }
  return i;
}

SAFEMODEL_AVX2 std::size_t MergeBf16(const ConstPlanePointers& planes, std::size_t count, std::uint8_t* elements) {
  std::size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    const Pair top = LoadTop(planes, i);
    Store(elements + 2 * i, top.low);
    Store(elements + 2 * i + 32, top.high);
  }
  return i;
}

SAFEMODEL_AVX2 inline void MergeSixteenF32(__m256i top, const std::uint8_t* rest, std::uint8_t* elements) {
  const __m256i low = Load(rest);
  const __m256i outer = _mm256_unpacklo_epi16(low, top);  // elements 0-3 and 8-11
  const __m256i inner = _mm256_unpackhi_epi16(low, top);  // elements 4-7 and 12-15
  Store(elements, _mm256_permute2x128_si256(outer, inner, 0x20));
  Store(elements + 32, _mm256_permute2x128_si256(outer, inner, 0x31));
}

SAFEMODEL_AVX2 std::size_t MergeF32(const ConstPlanePointers& planes, std::size_t count, std::uint8_t* elements) {
  std::size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    const Pair top = LoadTop(planes, i);
    MergeSixteenF32(top.low, planes[2] + 2 * i, elements + 4 * i);
    MergeSixteenF32(top.high, planes[2] + 2 * i + 32, elements + 4 * i + 64);
  }
  return i;
}

// Four elements: 24 low bytes, read as two overlapping 16-byte loads that end 4 bytes behind them.
SAFEMODEL_AVX2 inline void MergeFourF64(__m128i top, const std::uint8_t* rest, std::uint8_t* elements) {
  const __m256i spread = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, -1, -1, 6, 7, 8, 9, 10, 11, -1, -1,  //
                                          0, 1, 2, 3, 4, 5, -1, -1, 6, 7, 8, 9, 10, 11, -1, -1);
  const __m256i packed = _mm256_set_m128i(LoadHalf(rest + 12), LoadHalf(rest));
  const __m256i high = _mm256_slli_epi64(_mm256_cvtepu16_epi64(top), 48);
  Store(elements, _mm256_or_si256(_mm256_shuffle_epi8(packed, spread), high));
}

// The loop leaves at least one element to the scalar code, so that no load passes the end of the plane.
SAFEMODEL_AVX2 std::size_t MergeF64(const ConstPlanePointers& planes, std::size_t count, std::uint8_t* elements) {
  std::size_t i = 0;
  for (; i + kBlock < count; i += kBlock) {
    const Pair top = LoadTop(planes, i);
    const __m128i eights[4] = {_mm256_castsi256_si128(top.low), _mm256_extracti128_si256(top.low, 1),
                               _mm256_castsi256_si128(top.high), _mm256_extracti128_si256(top.high, 1)};
    for (std::size_t group = 0; group < 4; ++group) {
      const std::size_t at = i + 8 * group;
      MergeFourF64(eights[group], planes[2] + 6 * at, elements + 8 * at);
      MergeFourF64(_mm_srli_si128(eights[group], 8), planes[2] + 6 * at + 24, elements + 8 * at + 32);
    }
  }
  return i;
}

}  // namespace

std::size_t SplitAvx2(ElementLayout layout, const std::uint8_t* elements, std::size_t count,
                      const PlanePointers& planes) {
  if (!HasAvx2()) return 0;
  switch (layout) {
    case ElementLayout::kBytes: return 0;
    case ElementLayout::kF16: return SplitF16(elements, count, planes);
    case ElementLayout::kBf16: return SplitBf16(elements, count, planes);
    case ElementLayout::kF32: return SplitF32(elements, count, planes);
    case ElementLayout::kF64: return SplitF64(elements, count, planes);
  }
  return 0;
}

std::size_t MergeAvx2(ElementLayout layout, const ConstPlanePointers& planes, std::size_t count,
                      std::uint8_t* elements) {
  if (!HasAvx2()) return 0;
  switch (layout) {
    case ElementLayout::kBytes: return 0;
    case ElementLayout::kF16: return MergeF16(planes, count, elements);
    case ElementLayout::kBf16: return MergeBf16(planes, count, elements);
    case ElementLayout::kF32: return MergeF32(planes, count, elements);
    case ElementLayout::kF64: return MergeF64(planes, count, elements);
  }
  return 0;
}

}  // namespace safemodel::codec

#else

namespace safemodel::codec {

std::size_t SplitAvx2(ElementLayout, const std::uint8_t*, std::size_t, const PlanePointers&) { return 0; }
std::size_t MergeAvx2(ElementLayout, const ConstPlanePointers&, std::size_t, std::uint8_t*) { return 0; }

}  // namespace safemodel::codec

#endif
