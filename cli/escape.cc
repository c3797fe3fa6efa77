// SPDX-License-Identifier: Apache-2.0
#include "escape.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace safemodel::cli {
namespace {

// Scalar is one decoded unit of text: a code point, or (valid = false) one byte that is no UTF-8.
struct Scalar {
  std::uint32_t value;
  std::size_t size;
  bool valid;
};

std::uint8_t ByteAt(std::string_view text, std::size_t i) { return static_cast<std::uint8_t>(text[i]); }

// Decodes strict UTF-8, but lets lone surrogates pass: value trees hold them.
Scalar Decode(std::string_view text, std::size_t i) {
  const std::uint8_t first = ByteAt(text, i);
  if (first < 0x80) return {first, 1, true};
  const Scalar bad{first, 1, false};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() - i < size) return bad;
  std::uint32_t value = first & (0xFFu >> (size + 1));
  for (std::size_t k = 1; k < size; ++k) {
    if ((ByteAt(text, i + k) & 0xC0) != 0x80) return bad;
    value = (value << 6) | (ByteAt(text, i + k) & 0x3Fu);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[size] || value > 0x10FFFF) return bad;
  return {value, size, true};
}

struct Span {
  std::uint32_t first;
  std::uint32_t last;
};

// Characters that a terminal or a reader's eye takes for something else: controls, soft hyphen, bidirectional marks,
// zero width, line separators, interlinear and variation marks, byte order mark, tags, surrogates, private use.
constexpr Span kHidden[] = {{0x00, 0x1F},     {0x7F, 0x9F},       {0xAD, 0xAD},       {0x34F, 0x34F},
                            {0x61C, 0x61C},   {0x115F, 0x1160},   {0x17B4, 0x17B5},   {0x180B, 0x180F},
                            {0x200B, 0x200F}, {0x2028, 0x202E},   {0x2060, 0x206F},   {0x3164, 0x3164},
                            {0xD800, 0xF8FF}, {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
                            {0xFFF0, 0xFFFB}, {0x1D173, 0x1D17A}, {0xE0000, 0x10FFFF}};

bool Hidden(std::uint32_t value) {
  for (const Span& span : kHidden) {
    if (value >= span.first && value <= span.last) return true;
  }
  return false;
}

template <typename... Arguments>
std::string Print(const char* format, Arguments... arguments) {
  std::array<char, 32> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), format, arguments...);
  return {buffer.data(), static_cast<std::size_t>(size)};
}

std::string Utf16Escape(std::uint32_t value) {
  if (value < 0x10000) return Print("\\u%04x", value);
  value -= 0x10000;
  return Print("\\u%04x", 0xD800 + (value >> 10)) + Print("\\u%04x", 0xDC00 + (value & 0x3FF));
}

}  // namespace

std::string EscapeForTerminal(std::string_view text, std::size_t limit) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    if (out.size() >= limit) return out + Print("... (%zu bytes)", text.size());
    const Scalar scalar = Decode(text, i);
    if (!scalar.valid) {
      out += Print("\\x%02x", scalar.value);
    } else if (scalar.value == '\\') {
      out += "\\\\";
    } else if (Hidden(scalar.value)) {
      out += scalar.value < 0x80 ? Print("\\x%02x", scalar.value) : Print("\\u{%x}", scalar.value);
    } else {
      out += text.substr(i, scalar.size);
    }
    i += scalar.size;
  }
  return out;
}

std::string EscapeKeepingEnd(std::string_view text, std::size_t limit) {
  constexpr std::size_t kEnd = 80;
  if (text.size() <= limit || limit < kEnd) return EscapeForTerminal(text, limit);
  const auto between_characters = [text](std::size_t at) {
    while (at < text.size() && (ByteAt(text, at) & 0xC0) == 0x80) ++at;
    return at;
  };
  const std::string head = EscapeForTerminal(text.substr(0, between_characters(limit - kEnd)), limit);
  const std::string end = EscapeForTerminal(text.substr(between_characters(text.size() - kEnd)), limit);
  return head + "... (" + std::to_string(text.size()) + " bytes) ..." + end;
}

std::string QuoteJson(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const Scalar scalar = Decode(text, i);
    if (!scalar.valid) {
      out += Print("\\udc%02x", scalar.value);
    } else if (scalar.value == '"' || scalar.value == '\\') {
      out += '\\';
      out += text[i];
    } else if (scalar.value >= 0x20 && scalar.value < 0x7F) {
      out += text[i];
    } else {
      out += Utf16Escape(scalar.value);
    }
    i += scalar.size;
  }
  return out + "\"";
}

std::string Join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined += (joined.empty() ? "" : ", ") + text;
  return joined;
}

std::string JoinForTerminal(const std::vector<std::string>& texts) {
  std::vector<std::string> escaped;
  for (const std::string& text : texts) escaped.push_back(EscapeForTerminal(text));
  return Join(escaped);
}

}  // namespace safemodel::cli
