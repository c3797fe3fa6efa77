// SPDX-License-Identifier: Apache-2.0
// Opcodes that push constants: numbers, text, bytes.
#include <bit>
#include <variant>

#include "base/cursor.h"
#include "pickle/machine_core.h"
#include "pickle/text_values.h"

namespace safemodel::pickle {

namespace {

// Bytes beyond this size stay in the stream: array data, of which nothing is read until it is written. Fewer stay
// there when they can be read again as they are, which costs less than memory for a copy. What may be a text does not.
constexpr std::uint64_t kLargeBytes = 1u << 20;
constexpr std::uint64_t kLargeArrayBytes = 16u << 10;

std::int64_t SignedOf(ByteView little_endian) {
  std::uint64_t value = !little_endian.empty() && (little_endian.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (auto byte = little_endian.rbegin(); byte != little_endian.rend(); ++byte) value = value << 8 | *byte;
  return static_cast<std::int64_t>(value);
}

}  // namespace

bool Machine::OddNumber(TextFault fault) {
  switch (fault) {
    case TextFault::kDifferential:
      Tell(Stage::kUnsafe, "PKL-DIFFERENTIAL", "a number is written so that readers of Python disagree about it");
      return true;
    case TextFault::kTooLong:
      // Python before 3.10.7 reads it, and later ones do when they are told to.
      Tell(Stage::kLimit, "LIMIT-BYTES", "a number has more digits than Python reads");
      return true;
    case TextFault::kMalformed: break;
  }
  return Malformed("the text of a number is broken");
}

bool Machine::PushUnknown(NodeIndex node) {
  graph_.Taint(node);
  return Push(node);
}

bool Machine::PushInteger(ByteView text) {
  TextInteger parsed = ParseTextInteger(text);
  if (const auto* fault = std::get_if<TextFault>(&parsed)) {
    return OddNumber(*fault) && PushUnknown(graph_.AddInt(at_.offset, 0));
  }
  if (const auto* value = std::get_if<std::int64_t>(&parsed)) return Push(graph_.AddInt(at_.offset, *value));
  return Push(graph_.AddLong(at_.offset, graph_.Keep(std::move(std::get<ByteBuffer>(parsed)))));
}

bool Machine::IntText() {
  ByteView line;
  if (!reader_.TakeLine(line)) return ReadFailed();
  if (AsText(line) == "00") return Push(Graph::kFalse);
  if (AsText(line) == "01") return Push(Graph::kTrue);
  return PushInteger(line);
}

bool Machine::LongText() {
  ByteView line;
  if (!reader_.TakeLine(line)) return ReadFailed();
  if (!line.empty() && line.back() == 'L') line = line.first(line.size() - 1);
  return PushInteger(line);
}

bool Machine::BinInt() {
  ByteView bytes;
  if (!reader_.Take(4, bytes)) return ReadFailed();
  return Push(graph_.AddInt(at_.offset, SignedOf(bytes)));
}

template <unsigned kWidth>
bool Machine::BinUnsigned() {
  std::uint64_t value = 0;
  if (!reader_.Unsigned(kWidth, value)) return ReadFailed();
  return Push(graph_.AddInt(at_.offset, static_cast<std::int64_t>(value)));
}

template <unsigned kWidth>
bool Machine::BinLong() {
  std::uint64_t size = 0;
  ByteView bytes;
  if (!reader_.Unsigned(kWidth, size)) return ReadFailed();
  if (size > 0x7FFFFFFF) return Malformed("the length of an integer is negative");
  if (!reader_.Take(size, bytes)) return ReadFailed();
  bytes = MinimalTwosComplement(bytes);
  if (bytes.size() <= 8) return Push(graph_.AddInt(at_.offset, SignedOf(bytes)));
  return Push(graph_.AddLong(at_.offset, bytes));
}

bool Machine::FloatText() {
  ByteView line;
  if (!reader_.TakeLine(line)) return ReadFailed();
  const auto parsed = ParseTextFloat(line);
  if (const auto* fault = std::get_if<TextFault>(&parsed)) {
    return OddNumber(*fault) && PushUnknown(graph_.AddFloat(at_.offset, 0));
  }
  return Push(graph_.AddFloat(at_.offset, std::get<double>(parsed)));
}

bool Machine::BinFloat() {
  ByteView bytes;
  if (!reader_.Take(8, bytes)) return ReadFailed();
  std::uint64_t bits = 0;
  for (const std::uint8_t byte : bytes) bits = bits << 8 | byte;  // the one big-endian field of the format
  return Push(graph_.AddFloat(at_.offset, std::bit_cast<double>(bits)));
}

bool Machine::StringText() {
  ByteView line;
  if (!reader_.TakeLine(line)) return ReadFailed();
  const bool quoted = line.size() >= 2 && line.front() == line.back() && (line.front() == '\'' || line.front() == '"');
  if (!quoted) return Malformed("a STRING is not quoted");
  auto decoded = DecodeStringEscapes(line.subspan(1, line.size() - 2));
  if (!decoded) return Malformed("an escape of a STRING is broken");
  return Push(graph_.AddBytes(Kind::kPy2Str, at_.offset, graph_.Keep(std::move(*decoded))));
}

bool Machine::UnicodeText() {
  ByteView line;
  if (!reader_.TakeLine(line)) return ReadFailed();
  auto decoded = DecodeRawUnicodeEscapes(line);
  if (!decoded) return Malformed("an escape of a UNICODE is broken");
  return Push(graph_.AddBytes(Kind::kStr, at_.offset, graph_.Keep(std::move(*decoded))));
}

template <unsigned kWidth>
bool Machine::Unicode() {
  std::uint64_t size = 0;
  ByteView bytes;
  if (!reader_.Unsigned(kWidth, size) || !reader_.Take(size, bytes)) return ReadFailed();
  if (!IsUtf8WithSurrogates(bytes)) return Malformed("a str is not UTF-8");
  return Push(graph_.AddBytes(Kind::kStr, at_.offset, bytes));
}

bool Machine::PushBytes(Kind kind, std::uint64_t size) {
  const bool array = kind != Kind::kPy2Str && size > kLargeArrayBytes && reader_.LeavesBytesCheaply();
  if (array || (size > kLargeBytes && reader_.LeavesBytes())) {
    const std::uint64_t data = reader_.position();
    if (!reader_.Skip(size)) return ReadFailed();
    return Push(graph_.AddStreamBytes(kind, at_.offset, data, size));
  }
  ByteView bytes;
  if (!reader_.Take(size, bytes)) return ReadFailed();
  return Push(graph_.AddBytes(kind, at_.offset, bytes));
}

template <Kind kKind, unsigned kWidth>
bool Machine::Bytes() {
  std::uint64_t size = 0;
  if (!reader_.Unsigned(kWidth, size)) return ReadFailed();
  return PushBytes(kKind, size);
}

bool Machine::BinString() {
  std::uint64_t size = 0;
  if (!reader_.Unsigned(4, size)) return ReadFailed();
  if (size > 0x7FFFFFFF) {
    if (!reader_.CheckPresent(size)) return ReadFailed();
    Tell(Stage::kUnsafe, "PKL-DIFFERENTIAL",
         "the length of a string is negative to the Python reader and very large to the C reader");
  }
  return PushBytes(Kind::kPy2Str, size);
}

// NextBuffer: programs that load a pickle together with buffers go on.
bool Machine::NextBuffer() {
  Tell(Stage::kMalformed, "PKL-BUFFER", "the pickle wants a buffer from outside, which no file has");
  return PushUnknown(graph_.AddBytes(Kind::kBytes, at_.offset, {}));
}

// ReadonlyBuffer works on bytes of the file too, in every reader.
bool Machine::ReadonlyBuffer() {
  NodeIndex top = kNoNode;
  if (!Top(top)) return false;
  Tell(Stage::kMalformed, "PKL-BUFFER", "the pickle makes a buffer read-only, and no file has buffers");
  return true;
}

template bool Machine::BinUnsigned<1>();
template bool Machine::BinUnsigned<2>();
template bool Machine::BinLong<1>();
template bool Machine::BinLong<4>();
template bool Machine::Unicode<1>();
template bool Machine::Unicode<4>();
template bool Machine::Unicode<8>();
template bool Machine::Bytes<Kind::kPy2Str, 1>();
template bool Machine::Bytes<Kind::kBytes, 1>();
template bool Machine::Bytes<Kind::kBytes, 4>();
template bool Machine::Bytes<Kind::kBytes, 8>();
template bool Machine::Bytes<Kind::kByteArray, 8>();

}  // namespace safemodel::pickle
