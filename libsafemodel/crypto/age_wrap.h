// SPDX-License-Identifier: Apache-2.0
// Key wraps: a small secret as an age v1 file, which `age -d` opens too.
#pragma once

#include <span>

#include "crypto/age_format.h"
#include "crypto/age_keys.h"

namespace safemodel::crypto::age {

// SealWrap encrypts `plain` for all recipients: a passphrase alone, or others. Errors: kUsage "no_recipients",
// "passphrase_not_alone" and those of WrapFileKey; kLimit "too_many_recipients", "age_size" when the result would be
// over the limits; kKey, also of SealWithProgram; kIo "no_memory".
Result<ByteBuffer> SealWrap(std::span<const Recipient> recipients, ByteView plain, const FileLimits& limits = {});

// OpenWrap opens what was sealed for one of the identities. Our own are tried first, the program `age` last. Errors:
//   kLimit      "age_size", "age_stanzas", "scrypt_cost"
//   kMalformed  "age_header", "age_payload"
//   kKey        "no_identity", "wrong_passphrase"; "age_mac" when the header was changed; "age_payload"; also those
//               of asking for a passphrase and of OpenWithProgram
//   kIo         "no_memory"
Result<SecretBytes> OpenWrap(ByteView file, std::span<const Identity* const> identities, const FileLimits& limits = {});
Result<SecretBytes> OpenWrap(ByteView file, std::span<const Identity> identities, const FileLimits& limits = {});

// IsForPassphrase tells a file that a passphrase opens; what cannot be read is none. kLimit as OpenWrap.
Result<bool> IsForPassphrase(ByteView file, const FileLimits& limits = {});

}  // namespace safemodel::crypto::age
