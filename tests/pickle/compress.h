// SPDX-License-Identifier: Apache-2.0
// Compressed files for tests, made by the libraries whose output we read.
#pragma once

#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "pickle/wrapper.h"

namespace safemodel::testing {

inline std::string Filled(std::size_t size) { return std::string(size, '\0'); }
inline std::uint8_t* Data(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }
inline const std::uint8_t* Data(const std::string& text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

enum class Deflated : std::uint8_t { kZlib = 15, kGzip = 31 };

inline std::string DeflateFile(const std::string& plain, Deflated format) {
  z_stream stream{};
  const int bits = static_cast<int>(format);
  if (deflateInit2(&stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string input = plain;
  std::string out = Filled(deflateBound(&stream, plain.size()) + 32);
  stream.next_in = Data(input);
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = Data(out);
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string Bzip2File(const std::string& plain) {
  std::string input = plain;
  std::string out = Filled(plain.size() + plain.size() / 50 + 700);
  auto size = static_cast<unsigned>(out.size());
  if (BZ2_bzBuffToBuffCompress(out.data(), &size, input.data(), static_cast<unsigned>(input.size()), 1, 0, 0) !=
      BZ_OK) {
    std::abort();
  }
  out.resize(size);
  return out;
}

inline std::string XzFile(const std::string& plain) {
  std::string out = Filled(lzma_stream_buffer_bound(plain.size()));
  std::size_t size = 0;
  if (lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, nullptr, Data(plain), plain.size(), Data(out), &size, out.size()) !=
      LZMA_OK) {
    std::abort();
  }
  out.resize(size);
  return out;
}

// LzmaWith has these parameters; the usual ones begin with 5D 00.
inline std::string LzmaWith(const std::string& plain, std::uint32_t literal_context, std::uint32_t dictionary) {
  lzma_options_lzma options;
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_lzma_preset(&options, 0)) std::abort();
  options.lc = literal_context;
  options.dict_size = dictionary;
  if (lzma_alone_encoder(&stream, &options) != LZMA_OK) std::abort();
  std::string out = Filled(plain.size() * 2 + 1000);
  stream.next_in = Data(plain);
  stream.avail_in = plain.size();
  stream.next_out = Data(out);
  stream.avail_out = out.size();
  if (lzma_code(&stream, LZMA_FINISH) != LZMA_STREAM_END) std::abort();
  out.resize(stream.total_out);
  lzma_end(&stream);
  return out;
}

inline std::string LzmaFile(const std::string& plain) { return LzmaWith(plain, LZMA_LC_DEFAULT, 1u << 18); }

// LzipFile is one member: a header with a dictionary of 2^18 bytes, the data of an .lzma file without its header, and
// a trailer with checksum and sizes.
inline std::string LzipFile(const std::string& plain) {
  const std::string data = LzmaWith(plain, 3, 1u << 18).substr(13);
  std::string file = "LZIP\x01\x12" + data;
  const auto add = [&](std::uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i) file += static_cast<char>(number >> (8 * i));
  };
  add(lzma_crc32(Data(plain), plain.size(), 0), 4);
  add(plain.size(), 8);
  add(file.size() + 8, 8);
  return file;
}

// SkippedFrame is one that LZ4 and zstd pass over.
inline std::string SkippedFrame(const std::string& content) {
  std::string frame = "\x5A\x2A\x4D\x18";
  for (int i = 0; i < 4; ++i) frame += static_cast<char>(content.size() >> (8 * i));
  return frame + content;
}

inline std::string Lz4File(const std::string& plain) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  preferences.frameInfo.contentSize = plain.size();
  preferences.frameInfo.blockSizeID = LZ4F_max4MB;  // with smaller ones zeros shrink to a 250th at best
  std::string out = Filled(LZ4F_compressFrameBound(plain.size(), &preferences));
  const std::size_t size = LZ4F_compressFrame(out.data(), out.size(), plain.data(), plain.size(), &preferences);
  if (LZ4F_isError(size) != 0) std::abort();
  out.resize(size);
  return out;
}

// ZFile is what joblib up to 0.9 wrote; `header` is the text between ZF and the zlib data.
inline std::string ZFile(const std::string& plain, const std::string& header) {
  return "ZF" + header + DeflateFile(plain, Deflated::kZlib);
}

inline std::string ZFile(const std::string& plain) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "0x%zx", plain.size());
  std::string header = text.data();
  header.resize(19, ' ');
  return ZFile(plain, header);
}

inline std::string Compress(pickle::WrapperKind kind, const std::string& plain) {
  using pickle::WrapperKind;
  switch (kind) {
    case WrapperKind::kZlib: return DeflateFile(plain, Deflated::kZlib);
    case WrapperKind::kGzip: return DeflateFile(plain, Deflated::kGzip);
    case WrapperKind::kBzip2: return Bzip2File(plain);
    case WrapperKind::kXz: return XzFile(plain);
    case WrapperKind::kLzma: return LzmaFile(plain);
    case WrapperKind::kLzip: return LzipFile(plain);
    case WrapperKind::kLz4: return Lz4File(plain);
    case WrapperKind::kZFile: return ZFile(plain);
  }
  std::abort();
}

inline constexpr pickle::WrapperKind kAllWrappers[] = {
    pickle::WrapperKind::kZlib, pickle::WrapperKind::kGzip, pickle::WrapperKind::kBzip2, pickle::WrapperKind::kXz,
    pickle::WrapperKind::kLzma, pickle::WrapperKind::kLzip, pickle::WrapperKind::kLz4,   pickle::WrapperKind::kZFile};

}  // namespace safemodel::testing
