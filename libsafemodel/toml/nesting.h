// SPDX-License-Identifier: Apache-2.0
// How deeply TOML text is nested, before the parser recurses on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace safemodel::toml {

// FindTooDeep returns the offset where brackets are nested more deeply than `depth`, or where a key has more than
// `depth` dots; nothing where the text keeps within. toml++ limits nested values, but a key "a.a.a..." makes a table
// for each dot, and half a million tables inside each other end a process when they are destroyed, one stack frame
// each. Text that is no TOML is looked at up to a string that does not end on its line, where every parser stops.
std::optional<std::size_t> FindTooDeep(std::string_view text, std::uint32_t depth);

}  // namespace safemodel::toml
