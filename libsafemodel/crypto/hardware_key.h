// SPDX-License-Identifier: Apache-2.0
// What a FIDO token signs for OpenSSH (PROTOCOL.u2f): never the message itself. Spec: section 11.7.
#pragma once

#include <string_view>

#include <safemodel/bytes.h>

namespace safemodel::crypto {

inline constexpr std::uint8_t kUserPresent = 0x01;  // somebody touched the token

// HardwareMessage returns SHA-256 of the application, flags, counter (big-endian), SHA-256 of the message.
ByteBuffer HardwareMessage(std::string_view application, std::uint8_t flags, std::uint32_t counter, ByteView message);

}  // namespace safemodel::crypto
