// SPDX-License-Identifier: Apache-2.0
#include "pickle/text_values.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/utf8.h"

namespace safemodel::pickle {

namespace {

constexpr std::size_t kMostDigits = 4300;  // sys.get_int_max_str_digits()

bool IsDigit(std::uint8_t byte) { return byte >= '0' && byte <= '9'; }

// The forms of numbers that at least one reader takes: the C readers (strtol, PyLong_FromString with base 0,
// PyOS_string_to_double), for which a text ends at a NUL, or the Python reader (int(text, 0), float(text)), which
// allows spaces around a number. Where the readers differ, what is taken here is all that one of them takes.

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Unsigned {
  std::string_view text;
  bool negative = false;
};

// Trimmed cuts a text at its first NUL, and spaces and a sign off it.
Unsigned Trimmed(ByteView text) {
  std::string_view rest = AsText(text);
  rest = rest.substr(0, rest.find('\0'));
  while (!rest.empty() && IsSpace(rest.front())) rest.remove_prefix(1);
  while (!rest.empty() && IsSpace(rest.back())) rest.remove_suffix(1);
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  return {rest, negative};
}

std::optional<unsigned> HexDigit(std::uint8_t byte) {
  if (IsDigit(byte)) return byte - unsigned{'0'};
  if (byte >= 'a' && byte <= 'f') return byte - unsigned{'a'} + 10;
  if (byte >= 'A' && byte <= 'F') return byte - unsigned{'A'} + 10;
  return std::nullopt;
}

// TakeDigits removes digits, and underscores between them, from the front; false when there are none.
bool TakeDigits(std::string_view& rest, unsigned base) {
  bool any = false;
  while (!rest.empty()) {
    const bool under = any && rest.size() > 1 && rest.front() == '_';
    const auto digit = HexDigit(static_cast<std::uint8_t>(rest[under ? 1 : 0]));
    if (!digit || *digit >= base) break;
    rest.remove_prefix(under ? 2 : 1);
    any = true;
  }
  return any;
}

TextFault IntegerFault(ByteView text) {
  // strtol reads nothing in front of a NUL, and the C reader is content with its 0.
  if (!text.empty() && text[0] == 0) return TextFault::kDifferential;
  std::string_view rest = Trimmed(text).text;
  const std::string prefix = FoldAscii(rest.substr(0, 2));
  const unsigned base = prefix == "0x" ? 16 : prefix == "0o" ? 8 : prefix == "0b" ? 2 : 10;
  if (base != 10) rest.remove_prefix(2);
  if (base != 10 && rest.starts_with('_')) rest.remove_prefix(1);
  return TakeDigits(rest, base) && rest.empty() ? TextFault::kDifferential : TextFault::kMalformed;
}

TextFault FloatFault(ByteView text) {
  std::string_view rest = Trimmed(text).text;
  const std::string word = FoldAscii(rest);
  if (word == "inf" || word == "infinity" || word == "nan") return TextFault::kDifferential;
  const bool whole = TakeDigits(rest, 10);
  const bool point = rest.starts_with('.');
  if (point) rest.remove_prefix(1);
  const bool fraction = point && TakeDigits(rest, 10);
  if (!whole && !fraction) return TextFault::kMalformed;
  if (!rest.starts_with('e') && !rest.starts_with('E')) {
    return rest.empty() ? TextFault::kDifferential : TextFault::kMalformed;
  }
  rest.remove_prefix(1);
  if (rest.starts_with('+') || rest.starts_with('-')) rest.remove_prefix(1);
  return TakeDigits(rest, 10) && rest.empty() ? TextFault::kDifferential : TextFault::kMalformed;
}

// BigInteger converts decimal digits, nine at a time, to two's complement.
ByteBuffer BigInteger(std::string_view digits, bool negative) {
  std::vector<std::uint32_t> limbs;
  for (std::size_t i = 0; i < digits.size();) {
    const std::size_t take = (digits.size() - i) % 9 != 0 ? (digits.size() - i) % 9 : 9;
    std::uint32_t group = 0;
    std::uint32_t scale = 1;
    for (const char digit : digits.substr(i, take)) {
      group = group * 10 + static_cast<std::uint32_t>(digit - '0');
      scale *= 10;
    }
    std::uint64_t carry = group;
    for (std::uint32_t& limb : limbs) {
      carry += std::uint64_t{limb} * scale;
      limb = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) limbs.push_back(static_cast<std::uint32_t>(carry));
    i += take;
  }
  limbs.push_back(0);  // room for the sign
  ByteBuffer bytes;
  std::uint64_t carry = negative ? 1 : 0;
  for (const std::uint32_t limb : limbs) {
    carry += negative ? static_cast<std::uint32_t>(~limb) : limb;
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(carry >> shift));
    carry >>= 32;
  }
  const ByteView minimal = MinimalTwosComplement(bytes);
  bytes.resize(minimal.size());
  return bytes;
}

// TakeHex reads exactly `digits` hexadecimal digits.
std::optional<std::uint32_t> TakeHex(ByteReader& reader, unsigned digits) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < digits; ++i) {
    if (reader.empty()) return std::nullopt;
    const auto digit = HexDigit(reader.U8().value());
    if (!digit) return std::nullopt;
    value = value << 4 | *digit;
  }
  return value;
}

// SimpleEscape returns what a backslash and this letter stand for in a STRING, or -1.
int SimpleEscape(std::uint8_t letter) {
  constexpr std::string_view kLetters = "\\'\"bftnrva";
  constexpr std::string_view kMeanings = "\\'\"\b\f\t\n\r\v\a";
  const std::size_t at = kLetters.find(static_cast<char>(letter));
  return at == std::string_view::npos ? -1 : kMeanings[at];
}

}  // namespace

ByteView MinimalTwosComplement(ByteView bytes) {
  while (!bytes.empty()) {
    const std::uint8_t last = bytes.back();
    const bool before = bytes.size() > 1 && (bytes[bytes.size() - 2] & 0x80) != 0;
    if (!(last == 0 && !before) && !(last == 0xFF && before)) break;
    bytes = bytes.first(bytes.size() - 1);
  }
  return bytes;
}

TextInteger ParseTextInteger(ByteView text) {
  const bool negative = !text.empty() && text[0] == '-';
  const std::string_view digits = AsText(text.subspan(negative ? 1 : 0));
  const bool plain =
      !digits.empty() && std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!plain || (digits.size() > 1 && digits[0] == '0')) return IntegerFault(text);
  if (digits.size() > kMostDigits) return TextFault::kTooLong;
  std::int64_t value = 0;
  const std::string_view all = AsText(text);
  const auto parsed = std::from_chars(all.data(), all.data() + all.size(), value);
  if (parsed.ec == std::errc{}) return value;
  return BigInteger(digits, negative);
}

std::variant<double, TextFault> ParseTextFloat(ByteView text) {
  if (text.size() > kMostDigits) return TextFault::kTooLong;
  std::string_view rest = AsText(text);
  if (!rest.empty() && rest[0] == '-') rest.remove_prefix(1);
  const bool word = rest == "inf" || rest == "nan";
  const bool plain = !rest.empty() && (IsDigit(static_cast<std::uint8_t>(rest[0])) || rest[0] == '.');
  if (!word && !plain) return FloatFault(text);
  double value = 0;
  const std::string_view all = AsText(text);
  const auto parsed = std::from_chars(all.data(), all.data() + all.size(), value, std::chars_format::general);
  // A number out of range is no number to the C reader, and infinite or zero to the Python one.
  if (parsed.ec != std::errc{} || parsed.ptr != all.data() + all.size()) return FloatFault(text);
  return value;
}

std::optional<std::string> MemoDigits(ByteView text) {
  auto [rest, negative] = Trimmed(text);
  std::string digits;
  std::copy_if(rest.begin(), rest.end(), std::back_inserter(digits), [](char c) { return c != '_'; });
  if (!TakeDigits(rest, 10) || !rest.empty()) return std::nullopt;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  if (negative && digits != "0") return std::nullopt;
  return digits;
}

std::optional<ByteBuffer> DecodeStringEscapes(ByteView text) {
  ByteBuffer out;
  out.reserve(text.size());
  ByteReader reader(text);
  while (!reader.empty()) {
    const std::uint8_t byte = reader.U8().value();
    if (byte != '\\') {
      out.push_back(byte);
      continue;
    }
    if (reader.empty()) return std::nullopt;
    const std::uint8_t letter = reader.U8().value();
    if (const int simple = SimpleEscape(letter); simple >= 0) {
      out.push_back(static_cast<std::uint8_t>(simple));
    } else if (letter >= '0' && letter <= '7') {
      unsigned value = letter - unsigned{'0'};
      for (int i = 0; i < 2 && reader.Peek() >= '0' && reader.Peek() <= '7'; ++i) {
        value = value << 3 | (reader.U8().value() - unsigned{'0'});
      }
      out.push_back(static_cast<std::uint8_t>(value));
    } else if (letter == 'x') {
      const auto value = TakeHex(reader, 2);
      if (!value) return std::nullopt;
      out.push_back(static_cast<std::uint8_t>(*value));
    } else {
      out.push_back('\\');
      out.push_back(letter);
    }
  }
  return out;
}

std::optional<ByteBuffer> DecodeRawUnicodeEscapes(ByteView text) {
  ByteBuffer out;
  out.reserve(text.size());
  ByteReader reader(text);
  while (!reader.empty()) {
    const std::uint8_t byte = reader.U8().value();
    if (byte != '\\' || reader.empty()) {
      AppendUtf8(out, byte);
      continue;
    }
    const std::uint8_t letter = reader.U8().value();
    if (letter != 'u' && letter != 'U') {
      out.push_back('\\');
      AppendUtf8(out, letter);
      continue;
    }
    const auto code_point = TakeHex(reader, letter == 'u' ? 4 : 8);
    if (!code_point || *code_point > 0x10FFFF) return std::nullopt;
    AppendUtf8(out, *code_point);
  }
  return out;
}

bool IsUtf8WithSurrogates(ByteView bytes) {
  std::uint8_t seen = 0;
  for (const std::uint8_t byte : bytes) seen |= byte;
  if (seen < 0x80) return true;
  // ED never continues a sequence, so the text may be cut before each surrogate (ED A0…BF 80…BF) and behind it.
  std::string_view rest = AsText(bytes);
  std::size_t from = 0;
  for (;;) {
    const std::size_t at = rest.find('\xED', from);
    if (at == std::string_view::npos || rest.size() - at < 3) return IsUtf8(rest);
    const ByteView sequence = bytes.last(rest.size() - at).first(3);
    if (sequence[1] < 0xA0) {
      from = at + 1;
      continue;
    }
    if ((sequence[1] & 0xC0) != 0x80 || (sequence[2] & 0xC0) != 0x80 || !IsUtf8(rest.substr(0, at))) return false;
    rest.remove_prefix(at + 3);
    from = 0;
  }
}

void AppendUtf8(ByteBuffer& out, std::uint32_t code_point) {
  const auto push = [&out](std::uint32_t byte) { out.push_back(static_cast<std::uint8_t>(byte)); };
  if (code_point < 0x80) {
    push(code_point);
  } else if (code_point < 0x800) {
    push(0xC0 | code_point >> 6);
    push(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    push(0xE0 | code_point >> 12);
    push(0x80 | (code_point >> 6 & 0x3F));
    push(0x80 | (code_point & 0x3F));
  } else {
    push(0xF0 | code_point >> 18);
    push(0x80 | (code_point >> 12 & 0x3F));
    push(0x80 | (code_point >> 6 & 0x3F));
    push(0x80 | (code_point & 0x3F));
  }
}

}  // namespace safemodel::pickle
