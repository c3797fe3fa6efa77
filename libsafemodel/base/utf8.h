// SPDX-License-Identifier: Apache-2.0
// UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <string_view>

namespace safemodel {

// IsUtf8 says whether the whole text is well-formed UTF-8. U+0000 is well-formed.
[[nodiscard]] bool IsUtf8(std::string_view text);

// HasControls says whether UTF-8 text contains a C0 or C1 control or DEL: what terminals and logs would interpret.
[[nodiscard]] bool HasControls(std::string_view text);

}  // namespace safemodel
