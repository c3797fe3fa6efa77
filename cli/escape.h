// SPDX-License-Identifier: Apache-2.0
// Text from files on its way to a screen or a JSON document. This is the one place where it is escaped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace safemodel::cli {

// EscapeForTerminal makes untrusted text harmless to show: controls, escape sequences, characters that reorder or hide
// text and bytes that are not UTF-8 become `\xNN` or `\u{NNNN}`; a backslash is doubled; text over `limit` bytes is cut
// and its length stated.
std::string EscapeForTerminal(std::string_view text, std::size_t limit = 200);

// Join returns the texts with commas between them, as they are: for what is escaped where it is shown.
std::string Join(const std::vector<std::string>& texts);

// JoinForTerminal returns the texts, each escaped, with commas between them.
std::string JoinForTerminal(const std::vector<std::string>& texts);

// EscapeKeepingEnd cuts text over `limit` bytes in its middle: behind a path stands what the system said of it.
std::string EscapeKeepingEnd(std::string_view text, std::size_t limit = 200);

// QuoteJson returns a JSON string literal in pure ASCII. Lone surrogates (three bytes each) become their `\uD8xx`
// escape and other bytes that are not UTF-8 `\uDCxx`, as Python's surrogateescape reads them, so nothing is lost.
std::string QuoteJson(std::string_view text);

}  // namespace safemodel::cli
