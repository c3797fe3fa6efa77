// SPDX-License-Identifier: Apache-2.0
#include <lzma.h>

#include <algorithm>
#include <array>

#include "base/little_endian.h"
#include "base/try.h"
#include "pickle/wrapper_codecs.h"

namespace safemodel::pickle {
namespace {

enum class LzmaFormat : std::uint8_t { kXz, kAlone, kUnmarked, kLzip };

// StartLzip: liblzma reads lzip since 5.4.0.
lzma_ret StartLzip([[maybe_unused]] lzma_stream* stream, [[maybe_unused]] std::uint64_t memory) {
#if LZMA_VERSION >= UINT32_C(50040002)
  return lzma_lzip_decoder(stream, memory, 0);
#else
  return LZMA_OPTIONS_ERROR;
#endif
}

class LzmaDecoder final : public Decoder {
 public:
  LzmaDecoder(LzmaFormat format, std::uint64_t memory) : format_(format), memory_(memory) {}
  ~LzmaDecoder() override { lzma_end(&stream_); }

 protected:
  Status Begin(CompressedInput& input) override {
    // Initialising a used stream keeps its memory.
    const lzma_ret code = Initialise();
    if (code == LZMA_OK) return format_ == LzmaFormat::kUnmarked ? TakeHeader(input) : Status{};
    return code == LZMA_MEM_ERROR ? NoMemory(input) : Fault(code, input);
  }

  Status Step(CompressedInput& input, MutableBytes& rest) override {
    SAFEMODEL_ASSIGN(const ByteView window, input.Window());
    stream_.next_in = window.data();
    stream_.avail_in = window.size();
    stream_.next_out = rest.data();
    stream_.avail_out = rest.size();
    const lzma_ret code = lzma_code(&stream_, window.empty() ? LZMA_FINISH : LZMA_RUN);
    input.Use(window.size() - stream_.avail_in);
    rest = rest.last(stream_.avail_out);
    if (code == LZMA_STREAM_END) End();
    return code == LZMA_OK || code == LZMA_STREAM_END ? Status{} : Fault(code, input);
  }

 private:
  [[nodiscard]] bool HasChecksum() const { return format_ == LzmaFormat::kXz || format_ == LzmaFormat::kLzip; }

  lzma_ret Initialise() {
    switch (format_) {
      case LzmaFormat::kXz: return lzma_stream_decoder(&stream_, memory_, LZMA_TELL_UNSUPPORTED_CHECK);
      case LzmaFormat::kAlone:
      case LzmaFormat::kUnmarked: return lzma_alone_decoder(&stream_, memory_);
      case LzmaFormat::kLzip: return StartLzip(&stream_, memory_);
    }
    return LZMA_PROG_ERROR;
  }

  // TakeHeader lets a header ask for no more memory than there may be. One that is met by chance asks for anything;
  // data that do need more are found broken where they first do.
  Status TakeHeader(CompressedInput& input) {
    constexpr std::size_t kHeader = 13, kDictionary = 1;
    std::array<std::uint8_t, kHeader> header{};
    SAFEMODEL_TRY(input.Read(header));
    const auto field = MutableBytes(header).subspan(kDictionary);
    const std::uint64_t most = std::min<std::uint64_t>(memory_ / 2, LoadLittleEndian<std::uint32_t>(field));
    StoreLittleEndian(field, static_cast<std::uint32_t>(most));
    stream_.next_in = header.data();
    stream_.avail_in = header.size();
    std::uint8_t none = 0;  // liblzma does not look at the header without room, and makes nothing of it
    stream_.next_out = &none;
    stream_.avail_out = 1;
    const lzma_ret code = lzma_code(&stream_, LZMA_RUN);
    return code == LZMA_OK ? Status{} : Fault(code, input);
  }

  [[nodiscard]] Error Fault(lzma_ret code, const CompressedInput& input) const {
    switch (code) {
      case LZMA_BUF_ERROR: return TruncatedStream(input);
      case LZMA_MEM_ERROR: return NoMemory(input);
      case LZMA_MEMLIMIT_ERROR:
        return {Stage::kLimit, "LIMIT-BYTES", "the compressed file wants more memory than the limit to be read",
                input.position()};
      case LZMA_UNSUPPORTED_CHECK:
      case LZMA_OPTIONS_ERROR:
        return {Stage::kUnsupported, "FILE-UNSUPPORTED",
                "the compressed file uses options of xz or lzip that are not read", input.position()};
      case LZMA_DATA_ERROR: return HasChecksum() ? WrongChecksum(input) : BrokenStream(input);
      default: return BrokenStream(input);
    }
  }

  LzmaFormat format_;
  std::uint64_t memory_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

}  // namespace

std::unique_ptr<Decoder> MakeXzDecoder(std::uint64_t memory) {
  return std::make_unique<LzmaDecoder>(LzmaFormat::kXz, memory);
}
std::unique_ptr<Decoder> MakeLzmaDecoder(std::uint64_t memory) {
  return std::make_unique<LzmaDecoder>(LzmaFormat::kAlone, memory);
}
std::unique_ptr<Decoder> MakeUnmarkedLzmaDecoder(std::uint64_t memory) {
  return std::make_unique<LzmaDecoder>(LzmaFormat::kUnmarked, memory);
}
std::unique_ptr<Decoder> MakeLzipDecoder(std::uint64_t memory) {
  return std::make_unique<LzmaDecoder>(LzmaFormat::kLzip, memory);
}

}  // namespace safemodel::pickle
