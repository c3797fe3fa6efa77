// SPDX-License-Identifier: Apache-2.0
// Views of bytes that somebody else owns.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace safemodel {

using ByteView = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using ByteBuffer = std::vector<std::uint8_t>;

// Digest is a BLAKE3-256 or SHA-256 value; the field that holds it says which.
using Digest = std::array<std::uint8_t, 32>;
// FileId is the 16 random (or, with --reproducible, derived) bytes that tell one container from another.
using FileId = std::array<std::uint8_t, 16>;

}  // namespace safemodel
