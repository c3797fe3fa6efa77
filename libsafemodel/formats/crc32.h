// SPDX-License-Identifier: Apache-2.0
// The checksum of zip entries. It detects accidents, not attackers.
#pragma once

#include <cstdint>

#include <safemodel/bytes.h>

namespace safemodel::formats {

// Crc32 computes CRC-32 (ISO 3309, as zip, gzip and PNG use it) incrementally.
class Crc32 {
 public:
  void Update(ByteView bytes);
  [[nodiscard]] std::uint32_t value() const { return ~state_; }

 private:
  std::uint32_t state_ = 0xFFFFFFFF;
};

}  // namespace safemodel::formats
