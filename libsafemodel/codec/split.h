// SPDX-License-Identifier: Apache-2.0
// Planes: the elements of a chunk, cut by bit field so that the bits which compress stand apart from those that do not.
//
//   bf16, f32, f64   plane 0  exponent           8 bits   skewed: about 2.6 bits of entropy in trained weights
//                    plane 1  sign and mantissa  8 bits   nearly uniform
//                    plane 2  the low bytes      w - 2    f32 and f64 only; nearly uniform, or zero in widened weights
//   f16              plane 0  high byte, plane 1 low byte
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <safemodel/bytes.h>

#include "codec/codec.h"

namespace safemodel::codec {

inline constexpr std::size_t kMaxPlanes = 3;

// PlaneCount returns 2 or 3, or 0 for a layout that has no planes.
std::size_t PlaneCount(ElementLayout layout);
// PlaneWidth returns the bytes that one element has in a plane.
std::size_t PlaneWidth(ElementLayout layout, std::size_t plane);

// Where each plane begins. Plane p holds n x PlaneWidth(layout, p) bytes; entries beyond PlaneCount are not touched.
using PlanePointers = std::array<std::uint8_t*, kMaxPlanes>;
using ConstPlanePointers = std::array<const std::uint8_t*, kMaxPlanes>;

// Kernel picks the code that moves the bits. Every kernel gives the same bytes; tests compare them.
enum class Kernel : std::uint8_t { kScalar, kBest };

// Split cuts whole elements into planes. The size of `elements` is a multiple of the element width.
void Split(ElementLayout layout, ByteView elements, const PlanePointers& planes, Kernel kernel = Kernel::kBest);
// Merge is the inverse of Split: it fills `elements`, whose size is a multiple of the element width.
void Merge(ElementLayout layout, const ConstPlanePointers& planes, MutableBytes elements,
           Kernel kernel = Kernel::kBest);

// The vector kernels handle a prefix of the `count` elements and return its length; it is 0 where the processor lacks
// the instructions. They neither read nor write outside the planes and elements that they are given.
std::size_t SplitAvx2(ElementLayout layout, const std::uint8_t* elements, std::size_t count,
                      const PlanePointers& planes);
std::size_t MergeAvx2(ElementLayout layout, const ConstPlanePointers& planes, std::size_t count,
                      std::uint8_t* elements);

}  // namespace safemodel::codec
