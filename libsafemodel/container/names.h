// SPDX-License-Identifier: Apache-2.0
// Rules of names. Readers refuse what breaks them, and so do writers.
#pragma once

#include <string_view>

#include <safemodel/limits.h>
#include <safemodel/result.h>

namespace safemodel::container {

// CheckModelName accepts ASCII letters, digits, '.', '_', '-' and '/', in components that are neither empty nor "." nor
// ".."; [M-NAME]. ASCII only, so that no look-alike of a known name can be signed for. kMalformed "bad_model_name",
// kLimit.
Status CheckModelName(std::string_view name, const Limits& limits);

// CheckModelVersion accepts ASCII letters, digits, '.', '_' and '-'; [M-NAME]. kMalformed "bad_model_version", kLimit.
Status CheckModelVersion(std::string_view version, const Limits& limits);

// CheckTensorName accepts UTF-8 without controls, at least one byte; [D-NAMES]. kMalformed "bad_tensor_name", kLimit.
Status CheckTensorName(std::string_view name, const Limits& limits);

// CheckLabel checks other short texts (field names, media types, extension names) by the rules of tensor names, but
// lets them be empty. kMalformed "bad_text", kLimit.
Status CheckLabel(std::string_view text, const Limits& limits);

}  // namespace safemodel::container
