// SPDX-License-Identifier: Apache-2.0
// Bech32 (BIP 173) without its limit of 90 characters, as age uses it: prefix, "1", data and a checksum of 30 bits.
#pragma once

#include <string_view>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "crypto/secret.h"

namespace safemodel::crypto {

struct Bech32 {
  std::string_view prefix;  // as written: upper or lower case, never mixed
  std::size_t size = 0;     // bytes of data
};

// DecodeBech32 writes the data into `out`, which the caller owns (guarded memory for secrets). kMalformed "bad_bech32"
// for mixed case, a wrong checksum, a letter that is none, bits left over that are not zero, and data that does not
// fit.
Result<Bech32> DecodeBech32(std::string_view text, MutableBytes out);

// EncodeBech32 returns the text with `prefix` in the case it has, which the data gets too.
SecretBytes EncodeBech32(std::string_view prefix, ByteView data);

}  // namespace safemodel::crypto
