// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

#include <algorithm>

#include "base/little_endian.h"

namespace safemodel {

template <typename T>
Result<T> ByteReader::LittleEndian() {
  auto view = Take(sizeof(T));
  if (!view.ok()) return view.error();
  return LoadLittleEndian<T>(view.value());
}

Result<std::uint8_t> ByteReader::U8() {
  if (empty()) return Truncated();
  return bytes_[position_++];
}
Result<std::uint16_t> ByteReader::U16() { return LittleEndian<std::uint16_t>(); }
Result<std::uint32_t> ByteReader::U32() { return LittleEndian<std::uint32_t>(); }
Result<std::uint64_t> ByteReader::U64() { return LittleEndian<std::uint64_t>(); }

Result<std::uint32_t> ByteReader::U32BigEndian() {
  auto value = U32();
  if (!value.ok()) return value.error();
  return __builtin_bswap32(value.value());
}

Result<std::uint64_t> ByteReader::U64BigEndian() {
  auto value = U64();
  if (!value.ok()) return value.error();
  return __builtin_bswap64(value.value());
}

Result<ByteView> ByteReader::Take(std::uint64_t size) {
  if (size > remaining()) return Truncated();
  ByteView view = bytes_.subspan(position_, static_cast<std::size_t>(size));
  position_ += view.size();
  return view;
}

Result<ByteReader> ByteReader::Sub(std::uint64_t size) {
  const std::uint64_t start = offset();
  auto view = Take(size);
  if (!view.ok()) return view.error();
  return ByteReader(view.value(), start);
}

Result<ByteView> ByteReader::TakeLine() {
  const ByteView rest = bytes_.subspan(position_);
  const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{'\n'});
  if (end == rest.end()) return Truncated();
  const auto length = static_cast<std::size_t>(end - rest.begin());
  position_ += length + 1;
  return rest.first(length);
}

ByteView ByteReader::TakeRest() {
  ByteView rest = bytes_.subspan(position_);
  position_ = bytes_.size();
  return rest;
}

Status ByteReader::ExpectZeros(std::uint64_t size) {
  const std::uint64_t start = offset();
  auto view = Take(size);
  if (!view.ok()) return view.error();
  if (std::any_of(view.value().begin(), view.value().end(), [](std::uint8_t byte) { return byte != 0; })) {
    return Error{Stage::kMalformed, "not_zero", "reserved bytes are not zero", start};
  }
  return {};
}

Status ByteReader::ExpectEnd() const {
  if (empty()) return {};
  return Error{Stage::kMalformed, "trailing_bytes", "bytes follow the last field", offset()};
}

}  // namespace safemodel
