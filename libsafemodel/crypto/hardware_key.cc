// SPDX-License-Identifier: Apache-2.0
#include "crypto/hardware_key.h"

#include "base/cursor.h"
#include "crypto/hash.h"

namespace safemodel::crypto {

ByteBuffer HardwareMessage(std::string_view application, std::uint8_t flags, std::uint32_t counter, ByteView message) {
  ByteWriter writer;
  writer.Bytes(Sha256Of(AsBytes(application)));
  writer.U8(flags);
  writer.U32(__builtin_bswap32(counter));
  writer.Bytes(Sha256Of(message));
  return std::move(writer).Finish();
}

}  // namespace safemodel::crypto
