// SPDX-License-Identifier: Apache-2.0
// The installed program `age`, for what we do not do ourselves: plugins and hybrid keys. It is looked for in the
// absolute entries of PATH. Nothing secret is in its arguments or its environment, of which it gets a handful of
// variables; what is secret goes through a pipe.
#pragma once

#include <chrono>
#include <span>

#include <safemodel/result.h>

#include "crypto/age_format.h"
#include "crypto/age_keys.h"

namespace safemodel::crypto::age {

// A person may have to find a token, to type its PIN and to touch it.
inline constexpr std::chrono::milliseconds kProgramTimeout = std::chrono::minutes(2);

// SealWithProgram encrypts for recipients of which none is a passphrase. Errors: kKey "age_missing", "program_failed",
// "program_timeout", "program_output" (what it prints is no age file within the limits).
Result<ByteBuffer> SealWithProgram(std::span<const Recipient> recipients, ByteView plain, const FileLimits& limits,
                                   std::chrono::milliseconds timeout = kProgramTimeout);

// OpenWithProgram tries those of the identities that only the program knows. Errors: the same.
Result<SecretBytes> OpenWithProgram(ByteView file, std::span<const Identity* const> identities,
                                    std::chrono::milliseconds timeout = kProgramTimeout);

}  // namespace safemodel::crypto::age
