// SPDX-License-Identifier: Apache-2.0
// The text forms of pickle protocol 0: numbers and escaped strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include <safemodel/bytes.h>

namespace safemodel::pickle {

// TextFault says why a text form was refused. kDifferential: some readers of Python take it and others do not, or they
// read different values ("010" is 8 to the C reader and 10 to the Python one). kTooLong: whether readers take it
// depends on their version and settings. kMalformed: every reader refuses it.
enum class TextFault : std::uint8_t { kMalformed, kDifferential, kTooLong };

// An integer that fits, or the two's complement bytes (little-endian, minimal) of one that does not.
using TextInteger = std::variant<std::int64_t, ByteBuffer, TextFault>;

// ParseTextInteger reads `-?[0-9]+` in canonical form, with at most 4 300 digits as in CPython.
TextInteger ParseTextInteger(ByteView text);

// ParseTextFloat reads a plain decimal float, inf or nan.
std::variant<double, TextFault> ParseTextFloat(ByteView text);

// MemoDigits returns the digits, without leading zeros, of a memo number as some reader takes it: with spaces around
// it, a sign, underscores, a NUL behind it. Nothing when every reader refuses it.
std::optional<std::string> MemoDigits(ByteView text);

// DecodeStringEscapes decodes the inside of a quoted STRING; nothing when an escape is broken.
std::optional<ByteBuffer> DecodeStringEscapes(ByteView text);

// DecodeRawUnicodeEscapes decodes a UNICODE line to UTF-8; lone surrogates take three bytes each. Nothing when broken.
std::optional<ByteBuffer> DecodeRawUnicodeEscapes(ByteView text);

// IsUtf8WithSurrogates says whether bytes are UTF-8 in which lone surrogates are allowed, as pickle writes str.
bool IsUtf8WithSurrogates(ByteView bytes);

// AppendUtf8 appends one code point up to U+10FFFF.
void AppendUtf8(ByteBuffer& out, std::uint32_t code_point);

// MinimalTwosComplement drops redundant sign bytes; zero has none left.
ByteView MinimalTwosComplement(ByteView little_endian);

}  // namespace safemodel::pickle
