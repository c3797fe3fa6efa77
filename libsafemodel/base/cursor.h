// SPDX-License-Identifier: Apache-2.0
// ByteReader is the only code that indexes untrusted bytes. ByteWriter is its pair.
#pragma once

#include <cstdint>
#include <string_view>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel {

// ByteReader walks forward over a view. Every read compares with what remains; there is no seek and no raw pointer.
// Integers are little-endian unless the name says otherwise. Failures are kMalformed "truncated" at the offset of the
// read. The view must outlive the reader. `base` is the offset of the view in the input, for error messages.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes, std::uint64_t base = 0) : bytes_(bytes), base_(base) {}

  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - position_; }
  [[nodiscard]] bool empty() const { return remaining() == 0; }
  [[nodiscard]] std::uint64_t offset() const { return base_ + position_; }

  Result<std::uint8_t> U8();
  Result<std::uint16_t> U16();
  Result<std::uint32_t> U32();
  Result<std::uint64_t> U64();
  Result<std::uint32_t> U32BigEndian();
  Result<std::uint64_t> U64BigEndian();
  // Take returns the next `size` bytes.
  Result<ByteView> Take(std::uint64_t size);
  // Sub returns a reader of the next `size` bytes and moves past them.
  Result<ByteReader> Sub(std::uint64_t size);
  // TakeLine returns the bytes before the next '\n' and moves past it; kMalformed if there is none.
  Result<ByteView> TakeLine();
  // TakeRest returns everything that remains.
  ByteView TakeRest();
  // TakeArray copies exactly N bytes.
  template <std::size_t N>
  Result<std::array<std::uint8_t, N>> TakeArray();
  // Peek returns the next byte without moving, or nothing at the end (as -1).
  [[nodiscard]] int Peek() const { return empty() ? -1 : bytes_[position_]; }
  // ExpectZeros takes `size` bytes that must all be zero; kMalformed "not_zero".
  Status ExpectZeros(std::uint64_t size);
  // ExpectEnd fails with kMalformed "trailing_bytes" unless everything was read.
  [[nodiscard]] Status ExpectEnd() const;

 private:
  [[nodiscard]] Error Truncated() const {
    return {Stage::kMalformed, "truncated", "the input ends inside a field", offset()};
  }
  template <typename T>
  Result<T> LittleEndian();

  ByteView bytes_;
  std::size_t position_ = 0;
  std::uint64_t base_;
};

template <std::size_t N>
Result<std::array<std::uint8_t, N>> ByteReader::TakeArray() {
  auto view = Take(N);
  if (!view.ok()) return view.error();
  std::array<std::uint8_t, N> out{};
  for (std::size_t i = 0; i < N; ++i) out[i] = view.value()[i];
  return out;
}

// ByteWriter appends little-endian fields to a buffer.
class ByteWriter {
 public:
  void U8(std::uint8_t value) { buffer_.push_back(value); }
  void U16(std::uint16_t value) { LittleEndian(value, 2); }
  void U32(std::uint32_t value) { LittleEndian(value, 4); }
  void U64(std::uint64_t value) { LittleEndian(value, 8); }
  void Bytes(ByteView bytes) { buffer_.insert(buffer_.end(), bytes.begin(), bytes.end()); }
  void Text(std::string_view text) { buffer_.insert(buffer_.end(), text.begin(), text.end()); }
  void Zeros(std::size_t count) { buffer_.insert(buffer_.end(), count, 0); }

  [[nodiscard]] std::size_t size() const { return buffer_.size(); }
  [[nodiscard]] ByteView view() const { return buffer_; }
  [[nodiscard]] ByteBuffer Finish() && { return std::move(buffer_); }

 private:
  void LittleEndian(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) buffer_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  ByteBuffer buffer_;
};

// AsBytes views text as bytes; AsText views bytes as text.
inline ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace safemodel
