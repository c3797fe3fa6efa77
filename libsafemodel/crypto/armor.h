// SPDX-License-Identifier: Apache-2.0
// Text blocks "-----BEGIN label-----", lines of base64, "-----END label-----" (RFC 7468, its strict form): one block
// and nothing beside it.
#pragma once

#include <string>
#include <string_view>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "crypto/secret.h"

namespace safemodel::crypto {

// Armored is a block that was found: views of the text.
struct Armored {
  std::string_view label;
  std::string_view body;  // lines of base64 with their line ends
};

// IsArmored tells whether a text means to be a block.
bool IsArmored(std::string_view text);

// ParseArmor finds the block. Line ends are "\n" or "\r\n"; white space may follow the block. Errors: kKey.
Result<Armored> ParseArmor(std::string_view text);

// DecodeArmor decodes the body into guarded memory of the exact size. Errors: kKey.
Result<SecretBytes> DecodeArmor(const Armored& armored);

// SerializeArmor writes a block with lines of `width` letters.
SecretBytes SerializeArmor(std::string_view label, ByteView bytes, std::size_t width);

}  // namespace safemodel::crypto
