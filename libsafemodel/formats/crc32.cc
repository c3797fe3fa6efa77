// SPDX-License-Identifier: Apache-2.0
#include "formats/crc32.h"

#include <array>

namespace safemodel::formats {
namespace {

constexpr std::size_t kStride = 8;  // bytes a round ("slicing by 8")
using Tables = std::array<std::array<std::uint32_t, 256>, kStride>;

// tables[k][b] is the remainder of byte b followed by k zero bytes.
constexpr Tables MakeTables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0xEDB88320u : 0u);
    tables[0][byte] = remainder;
  }
  for (std::size_t k = 1; k < kStride; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

}  // namespace

void Crc32::Update(ByteView bytes) {
  std::uint32_t state = state_;
  std::size_t i = 0;
  for (; bytes.size() - i >= kStride; i += kStride) {
    std::uint32_t next = 0;
    for (std::size_t k = 0; k < kStride; ++k) {
      const std::uint32_t mixed = k < 4 ? (state >> (8 * k)) & 0xFF : 0;
      next ^= kTables[kStride - 1 - k][bytes[i + k] ^ mixed];
    }
    state = next;
  }
  for (; i < bytes.size(); ++i) state = (state >> 8) ^ kTables[0][(state ^ bytes[i]) & 0xFF];
  state_ = state;
}

}  // namespace safemodel::formats
