// SPDX-License-Identifier: Apache-2.0
// zlib and gzip around deflate. zlib's own readers of both stop at a wrong checksum and do not say that it was one.
#include <zlib.h>

#include <algorithm>
#include <array>

#include "base/cursor.h"
#include "base/try.h"
#include "pickle/wrapper_codecs.h"

namespace safemodel::pickle {
namespace {

class InflateDecoder : public Decoder {
 public:
  InflateDecoder() { ready_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }
  ~InflateDecoder() override { inflateEnd(&stream_); }

 protected:
  Status Begin(CompressedInput& input) override {
    if (!ready_ || inflateReset(&stream_) != Z_OK) return NoMemory(input);
    return ReadHeader(input);
  }

  Status Step(CompressedInput& input, MutableBytes& rest) override {
    SAFEMODEL_ASSIGN(const ByteView window, input.Window());
    // zlib's interface is older than const, and counts in 32 bits.
    constexpr std::size_t kMost = 1u << 30;
    const std::size_t room = std::min(rest.size(), kMost);
    stream_.next_in = const_cast<Bytef*>(window.data());
    stream_.avail_in = static_cast<uInt>(window.size());
    stream_.next_out = rest.data();
    stream_.avail_out = static_cast<uInt>(room);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    input.Use(window.size() - stream_.avail_in);
    const std::size_t made = room - stream_.avail_out;
    Sum(rest.first(made));
    rest = rest.subspan(made);
    if (code == Z_STREAM_END) return Finish(input);
    if (code == Z_BUF_ERROR) return TruncatedStream(input);
    if (code == Z_MEM_ERROR) return NoMemory(input);
    return code == Z_OK ? Status{} : BrokenStream(input);
  }

  virtual Status ReadHeader(CompressedInput&) { return {}; }
  virtual void Sum(ByteView) {}
  virtual Status ReadTrailer(CompressedInput&) { return {}; }

 private:
  Status Finish(CompressedInput& input) {
    End();
    return ReadTrailer(input);
  }

  z_stream stream_{};
  bool ready_ = false;
};

class ZlibDecoder final : public InflateDecoder {
 protected:
  Status ReadHeader(CompressedInput& input) override {
    sum_ = adler32_z(0, nullptr, 0);
    std::array<std::uint8_t, 2> header{};
    SAFEMODEL_TRY(input.Read(header));
    constexpr unsigned kDeflate = 8;
    constexpr unsigned kDictionary = 0x20;
    const bool valid = (header[0] * 256u + header[1]) % 31 == 0 && (header[0] & 0xF) == kDeflate;
    return valid && (header[1] & kDictionary) == 0 ? Status{} : BrokenStream(input);
  }
  void Sum(ByteView plain) override { sum_ = adler32_z(sum_, plain.data(), plain.size()); }
  Status ReadTrailer(CompressedInput& input) override {
    std::array<std::uint8_t, 4> trailer{};
    SAFEMODEL_TRY(input.Read(trailer));
    SAFEMODEL_ASSIGN(const std::uint32_t stated, ByteReader(trailer).U32BigEndian());
    return stated == sum_ ? Status{} : WrongChecksum(input);
  }

 private:
  uLong sum_ = 0;
};

class GzipDecoder final : public InflateDecoder {
 protected:
  Status ReadHeader(CompressedInput& input) override {
    sum_ = crc32_z(0, nullptr, 0);
    size_ = 0;
    std::array<std::uint8_t, 10> header{};
    SAFEMODEL_TRY(input.Read(header));
    constexpr unsigned kHeaderCrc = 2, kExtra = 4, kName = 8, kComment = 16, kReserved = 0xE0;
    const unsigned flags = header[3];
    if (header[0] != 0x1F || header[1] != 0x8B || header[2] != Z_DEFLATED || (flags & kReserved) != 0) {
      return BrokenStream(input);
    }
    if ((flags & kExtra) != 0) SAFEMODEL_TRY(SkipExtra(input));
    if ((flags & kName) != 0) SAFEMODEL_TRY(SkipText(input));
    if ((flags & kComment) != 0) SAFEMODEL_TRY(SkipText(input));
    std::array<std::uint8_t, 2> header_crc{};
    return (flags & kHeaderCrc) != 0 ? input.Read(header_crc) : Status{};
  }

  void Sum(ByteView plain) override {
    sum_ = crc32_z(sum_, plain.data(), plain.size());
    size_ += static_cast<std::uint32_t>(plain.size());  // the format counts modulo 2^32
  }

  Status ReadTrailer(CompressedInput& input) override {
    std::array<std::uint8_t, 8> trailer{};
    SAFEMODEL_TRY(input.Read(trailer));
    ByteReader reader(trailer);
    SAFEMODEL_ASSIGN(const std::uint32_t sum, reader.U32());
    SAFEMODEL_ASSIGN(const std::uint32_t size, reader.U32());
    return sum == sum_ && size == size_ ? Status{} : WrongChecksum(input);
  }

 private:
  static Status SkipExtra(CompressedInput& input) {
    std::array<std::uint8_t, 2> length{};
    SAFEMODEL_TRY(input.Read(length));
    ByteBuffer extra(std::size_t{length[0]} + 256u * length[1]);
    return input.Read(extra);
  }

  static Status SkipText(CompressedInput& input) {
    std::array<std::uint8_t, 1> letter{1};
    while (letter[0] != 0) SAFEMODEL_TRY(input.Read(letter));
    return {};
  }

  uLong sum_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace

std::unique_ptr<Decoder> MakeInflateDecoder() { return std::make_unique<InflateDecoder>(); }
std::unique_ptr<Decoder> MakeZlibDecoder() { return std::make_unique<ZlibDecoder>(); }
std::unique_ptr<Decoder> MakeGzipDecoder() { return std::make_unique<GzipDecoder>(); }

}  // namespace safemodel::pickle
