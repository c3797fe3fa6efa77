// SPDX-License-Identifier: Apache-2.0
// From the words of a file of allowed classes to the language of the allow-list's tables.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include <safemodel/result.h>

#include "toml/toml.h"

namespace safemodel {

// IsIdentifier says whether a text is one Python identifier of ASCII letters. What passes can stand in a table.
bool IsIdentifier(std::string_view text);

// CheckClassName returns why a user may not vouch for this class, or null: the built-in list decides on it, or it
// belongs to Python, or it is known to run code.
const char* CheckClassName(std::string_view full_name);

// SchemaOf translates a type such as "list[ndarray | none]" into a schema; empty when it is none. `classes` are the
// classes that the files state; those that the built-in list knows are types as well.
std::string SchemaOf(std::string_view type, const std::set<std::string>& classes);

// ClassEntry reads one [[class]] to its end and returns its entry as a text of a table.
Result<std::string> ClassEntry(toml::Table& table, const std::set<std::string>& classes);

}  // namespace safemodel
