// SPDX-License-Identifier: Apache-2.0
#include <lzma.h>

#include "base/try.h"
#include "pickle/wrapper_codecs.h"

namespace safemodel::pickle {
namespace {

enum class LzmaFormat : std::uint8_t { kXz, kAlone };

class LzmaDecoder final : public Decoder {
 public:
  LzmaDecoder(LzmaFormat format, std::uint64_t memory) : format_(format), memory_(memory) {}
  ~LzmaDecoder() override { lzma_end(&stream_); }

 protected:
  Status Begin(CompressedInput& input) override {
    // Initialising a used stream keeps its memory.
    const lzma_ret code = format_ == LzmaFormat::kXz
                              ? lzma_stream_decoder(&stream_, memory_, LZMA_TELL_UNSUPPORTED_CHECK)
                              : lzma_alone_decoder(&stream_, memory_);
    return code == LZMA_OK ? Status{} : NoMemory(input);
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
  [[nodiscard]] Error Fault(lzma_ret code, const CompressedInput& input) const {
    switch (code) {
      case LZMA_BUF_ERROR: return TruncatedStream(input);
      case LZMA_MEM_ERROR: return NoMemory(input);
      case LZMA_MEMLIMIT_ERROR:
        return {Stage::kLimit, "LIMIT-BYTES", "the compressed file wants more memory than the limit to be read",
                input.position()};
      case LZMA_UNSUPPORTED_CHECK:
      case LZMA_OPTIONS_ERROR:
        return {Stage::kUnsupported, "FILE-UNSUPPORTED", "the compressed file uses options of xz that are not read",
                input.position()};
      case LZMA_DATA_ERROR: return format_ == LzmaFormat::kXz ? WrongChecksum(input) : BrokenStream(input);
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

}  // namespace safemodel::pickle
