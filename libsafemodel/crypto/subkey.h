// SPDX-License-Identifier: Apache-2.0
// Keys from keys: BLAKE3 in derive-key mode, which leaves nothing of the secret behind in memory.
#pragma once

#include <safemodel/bytes.h>

namespace safemodel::crypto {

// DeriveSubkey fills `out` (32 bytes) with BLAKE3(context; secret | material). Each use has a context of its own.
void DeriveSubkey(const char* context, ByteView secret, ByteView material, MutableBytes out);

}  // namespace safemodel::crypto
