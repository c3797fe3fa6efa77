// SPDX-License-Identifier: Apache-2.0
#include "pickle/tar_header.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"

namespace safemodel::pickle {

namespace {

constexpr std::size_t kSum = 148;
constexpr std::size_t kSumSize = 8;
constexpr std::string_view kPosix(
    "ustar\0"
    "00",
    8);
constexpr std::string_view kGnu("ustar  \0", 8);

Error Malformed(const char* text, std::uint64_t offset) { return {Stage::kMalformed, "TAR-MALFORMED", text, offset}; }

// Sums are those of all bytes with the field of the sum itself as spaces; old programs took bytes as signed.
struct Sums {
  std::int64_t plain = std::int64_t{' '} * kSumSize;
  std::int64_t with_signs = std::int64_t{' '} * kSumSize;
};

Sums SumsOf(ByteView block) {
  Sums sums;
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (i >= kSum && i < kSum + kSumSize) continue;
    sums.plain += block[i];
    sums.with_signs += static_cast<std::int8_t>(block[i]);
  }
  return sums;
}

bool IsSum(std::int64_t stated, const Sums& sums) { return stated == sums.plain || stated == sums.with_signs; }

// Text cuts a field at its first NUL.
std::string_view Text(ByteView field) {
  const std::string_view text = AsText(field);
  return text.substr(0, text.find('\0'));
}

// Octal reads spaces, octal digits, then nothing but spaces and NULs; an empty field is 0.
std::optional<std::uint64_t> Octal(ByteView field) {
  const std::string_view text = AsText(field);
  constexpr std::string_view kFill(" \0", 2);
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  std::size_t end = begin;
  std::uint64_t value = 0;
  for (; end < text.size() && text[end] >= '0' && text[end] <= '7'; ++end) {
    value = value << 3 | static_cast<std::uint64_t>(text[end] - '0');  // 12 digits are 36 bits
  }
  if (text.find_first_not_of(kFill, end) != std::string_view::npos) return std::nullopt;
  return value;
}

// Number reads octal digits, or as GNU writes what they cannot hold: 0x80, then the number in big-endian order.
std::optional<std::uint64_t> Number(ByteView field) {
  if (field[0] != 0x80) return Octal(field);
  std::uint64_t value = 0;
  for (const std::uint8_t byte : field.subspan(1)) {
    if (value >> 55 != 0) return std::nullopt;
    value = value << 8 | byte;
  }
  return value;
}

// IsNumber also takes negative numbers (0xFF): times before 1970.
bool IsNumber(ByteView field) { return field[0] == 0xFF || Number(field); }

// WithoutPrefix removes the 0o that Python's int() takes in front of octal digits; a _ may stand between the two.
std::string_view WithoutPrefix(std::string_view digits) {
  if (!digits.starts_with("0o") && !digits.starts_with("0O")) return digits;
  digits.remove_prefix(2);
  if (digits.starts_with('_')) digits.remove_prefix(1);
  return digits.empty() ? "?" : digits;
}

// PythonOctal reads what int(text, 8) does: a sign, 0o, and a _ between two digits.
std::optional<std::int64_t> PythonOctal(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const std::string_view digits = WithoutPrefix(text);
  std::int64_t value = 0;
  bool behind_digit = false;
  for (const char c : digits) {
    const bool digit = c >= '0' && c <= '7';
    if (!digit && !(c == '_' && behind_digit)) return std::nullopt;
    if (digit) value = value << 3 | (c - '0');
    behind_digit = digit;
  }
  if (!behind_digit) return std::nullopt;
  return negative ? -value : value;
}

bool IsBinary(ByteView field) { return field[0] == 0x80 || field[0] == 0xFF; }

// PythonText reads a field of digits exactly as nti() of Python's tarfile does, whose headers torch.load follows.
std::optional<std::int64_t> PythonText(ByteView field) {
  constexpr std::string_view kSpace = " \t\n\v\f\r\x1C\x1D\x1E\x1F";
  std::string_view text = Text(field);
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  text = text.substr(0, text.find_last_not_of(kSpace) + 1);
  return text.empty() ? 0 : PythonOctal(text);
}

// PythonSum knows negative sums, which bytes with signs may have, in both ways of writing a number.
std::optional<std::int64_t> PythonSum(ByteView field) {
  if (!IsBinary(field)) return PythonText(field);
  constexpr std::int64_t kBeyond = std::int64_t{1} << (8 * (kSumSize - 1));
  std::int64_t value = 0;
  for (const std::uint8_t byte : field.subspan(1)) value = value << 8 | byte;
  return field[0] == 0xFF ? value - kBeyond : value;
}

// IsBlank says whether some reader skips these bytes before a number: Python strips all that Unicode calls space, and
// takes a sign.
bool IsBlank(ByteView bytes) {
  constexpr std::string_view kAscii = " \t\n\v\f\r\x1C\x1D\x1E\x1F+-";
  constexpr std::string_view kLeads = "\xC2\xE1\xE2\xE3";  // of U+0085 and U+00A0, U+1680, U+2000 and on, U+3000
  std::uint8_t before = 0;
  for (const std::uint8_t byte : bytes) {
    const char c = static_cast<char>(byte);
    const bool continues = byte >= 0x80 && byte <= 0xBF && before >= 0x80;
    if (!continues && kAscii.find(c) == std::string_view::npos && kLeads.find(c) == std::string_view::npos)
      return false;
    before = byte;
  }
  return true;
}

}  // namespace

bool HasTarChecksum(ByteView block) {
  if (block.size() < kTarBlock) return false;
  block = block.first(kTarBlock);
  const ByteView field = block.subspan(kSum, kSumSize);
  const Sums sums = SumsOf(block);
  if (const auto stated = PythonSum(field); stated && IsSum(*stated, sums)) return true;
  std::int64_t stated = 0;
  const bool binary = field[0] == 0x80;
  const auto is_first = [](std::uint8_t byte) { return byte == 0 || (byte >= '0' && byte <= '7'); };
  const auto first = std::find_if(field.begin(), field.end(), is_first);
  // Bytes of other formats are no number, and must not count as 0: the sum of bytes with signs often is 0.
  if (!binary && !IsBlank(field.first(static_cast<std::size_t>(first - field.begin())))) return false;
  for (const std::uint8_t byte : field.subspan(binary ? 1 : 0)) {
    if (binary) {
      stated = stated << 8 | byte;
    } else if (byte == 0) {
      break;
    } else if (byte >= '0' && byte <= '7') {
      stated = stated << 3 | (byte - '0');
    }
  }
  return IsSum(stated, sums);
}

bool IsPythonTarHeader(ByteView block) {
  struct Field {
    std::size_t begin, size;
  };
  constexpr Field kNumbers[] = {{100, 8}, {108, 8}, {116, 8}, {124, 12}, {136, 12}, {329, 8}, {337, 8}};
  if (block.size() < kTarBlock) return false;
  block = block.first(kTarBlock);
  const auto sum = PythonSum(block.subspan(kSum, kSumSize));
  return sum && IsSum(*sum, SumsOf(block)) && std::ranges::all_of(kNumbers, [&](const Field& number) {
           const ByteView field = block.subspan(number.begin, number.size);
           return IsBinary(field) || PythonText(field);
         });
}

Result<TarHeader> ReadTarHeader(ByteView block, std::uint64_t offset) {
  ByteReader reader(block, offset);
  TarHeader header;
  SAFEMODEL_ASSIGN(const ByteView name, reader.Take(100));
  header.name = Text(name);
  for (int i = 0; i < 3; ++i) {  // mode, user, group
    SAFEMODEL_ASSIGN(const ByteView field, reader.Take(8));
    if (!IsNumber(field)) return Malformed("a number in a header is none", reader.offset());
  }
  SAFEMODEL_ASSIGN(const ByteView size_field, reader.Take(12));
  SAFEMODEL_ASSIGN(const ByteView time, reader.Take(12));
  SAFEMODEL_ASSIGN(const ByteView sum_field, reader.Take(kSumSize));
  SAFEMODEL_ASSIGN(const std::uint8_t type, reader.U8());
  SAFEMODEL_TRY(reader.Take(100));  // of links, which are refused
  SAFEMODEL_ASSIGN(const ByteView magic, reader.Take(8));
  SAFEMODEL_TRY(reader.Take(64));  // names of user and group
  for (int i = 0; i < 2; ++i) {    // numbers of a device
    SAFEMODEL_ASSIGN(const ByteView field, reader.Take(8));
    if (!IsNumber(field)) return Malformed("a number in a header is none", reader.offset());
  }
  SAFEMODEL_ASSIGN(const ByteView prefix_field, reader.Take(155));
  const auto size = Number(size_field);
  const auto sum = PythonSum(sum_field);
  if (!size || !sum || !IsNumber(time)) return Malformed("a number in a header is none", offset);
  if (!IsSum(*sum, SumsOf(block))) return Malformed("the sum of a header is wrong", offset);
  header.size = *size;
  header.type = static_cast<char>(type);
  const bool posix = AsText(magic) == kPosix;
  const bool old = std::all_of(magic.begin(), magic.end(), [](std::uint8_t byte) { return byte == 0; });
  if (!posix && !old && AsText(magic) != kGnu) return Malformed("a header is of no known kind of tar", offset);
  const std::string_view prefix = Text(prefix_field);
  if (prefix.empty()) return header;
  // GNU has other fields in its place, which tarfile takes for a folder all the same.
  if (!posix) {
    return Error{Stage::kUnsafe, "TAR-NAME", "readers put the name of a member together differently", offset,
                 header.name};
  }
  header.name = std::string(prefix) + "/" + header.name;
  return header;
}

std::optional<std::uint64_t> ParseTarSize(std::string_view digits) {
  constexpr std::size_t kMostDigits = 18;
  if (digits.empty() || digits.size() > kMostDigits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = 10 * value + static_cast<std::uint64_t>(digit - '0');
  }
  return value;
}

Result<std::map<std::string, std::string>> ReadPaxRecords(ByteView bytes, std::uint64_t offset) {
  std::map<std::string, std::string> records;
  std::string_view rest = AsText(bytes);
  while (!rest.empty()) {
    const std::size_t space = rest.find(' ');
    const auto size = ParseTarSize(rest.substr(0, std::min(space, rest.size())));
    if (space == std::string_view::npos || !size || *size <= space + 1 || *size > rest.size()) {
      return Malformed("a record of a pax header has no length", offset);
    }
    const std::string_view record = rest.substr(space + 1, static_cast<std::size_t>(*size) - space - 1);
    const std::size_t equals = record.find('=');
    if (equals == 0 || equals == std::string_view::npos || record.back() != '\n') {
      return Malformed("a record of a pax header is broken", offset);
    }
    const std::string key(record.substr(0, equals));
    if (!records.emplace(key, record.substr(equals + 1, record.size() - equals - 2)).second) {
      return Error{Stage::kUnsafe, "TAR-NAME", "a pax header says the same thing twice", offset, key};
    }
    rest.remove_prefix(static_cast<std::size_t>(*size));
  }
  return records;
}

}  // namespace safemodel::pickle
