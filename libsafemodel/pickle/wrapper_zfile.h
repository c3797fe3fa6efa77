// SPDX-License-Identifier: Apache-2.0
// Z-files, which joblib wrote up to version 0.9: "ZF", the plain size as text, zlib data.
#pragma once

#include <memory>

#include "pickle/decoder.h"

namespace safemodel::pickle {

// MakeZFileDecoder: kMalformed WRAP-MALFORMED also when the plain size is not the stated one.
std::unique_ptr<Decoder> MakeZFileDecoder();

}  // namespace safemodel::pickle
