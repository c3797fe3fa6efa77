// SPDX-License-Identifier: Apache-2.0
// Names of what pickles import.
#pragma once

#include <string>
#include <string_view>

#include "pickle/node.h"

namespace safemodel::pickle {

// ShortName cuts a name at 512 bytes: names stand in every finding about a call, and one of a megabyte would be copied
// as often as it is used.
std::string ShortName(std::string_view name);

// FullName returns "module.name" as the pickle states it; parts of more than 512 bytes are cut.
std::string FullName(const GlobalName& global);

// IsIdentifierPath says whether a text is identifiers joined by dots. Bytes above 7F count as letters.
[[nodiscard]] bool IsIdentifierPath(std::string_view path);

}  // namespace safemodel::pickle
