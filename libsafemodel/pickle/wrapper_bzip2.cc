// SPDX-License-Identifier: Apache-2.0
#include <bzlib.h>

#include <algorithm>

#include "base/try.h"
#include "pickle/wrapper_codecs.h"

namespace safemodel::pickle {
namespace {

class Bzip2Decoder final : public Decoder {
 public:
  ~Bzip2Decoder() override { Close(); }

 protected:
  Status Begin(CompressedInput& input) override {
    Close();
    stream_ = {};
    open_ = BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK;
    return open_ ? Status{} : NoMemory(input);
  }

  Status Step(CompressedInput& input, MutableBytes& rest) override {
    SAFEMODEL_ASSIGN(const ByteView window, input.Window());
    constexpr std::size_t kMost = 1u << 30;
    const std::size_t room = std::min(rest.size(), kMost);
    // The library's interface has neither const nor unsigned bytes.
    stream_.next_in = const_cast<char*>(reinterpret_cast<const char*>(window.data()));
    stream_.avail_in = static_cast<unsigned>(window.size());
    stream_.next_out = reinterpret_cast<char*>(rest.data());
    stream_.avail_out = static_cast<unsigned>(room);
    const int code = BZ2_bzDecompress(&stream_);
    const std::size_t taken = window.size() - stream_.avail_in;
    const std::size_t made = room - stream_.avail_out;
    input.Use(taken);
    rest = rest.subspan(made);
    if (code == BZ_STREAM_END) End();
    if (code == BZ_STREAM_END || (code == BZ_OK && (taken != 0 || made != 0))) return {};
    if (code == BZ_OK) return TruncatedStream(input);
    if (code == BZ_MEM_ERROR) return NoMemory(input);
    return code == BZ_DATA_ERROR ? WrongChecksum(input) : BrokenStream(input);
  }

 private:
  void Close() {
    if (open_) BZ2_bzDecompressEnd(&stream_);
    open_ = false;
  }

  bz_stream stream_{};
  bool open_ = false;
};

}  // namespace

std::unique_ptr<Decoder> MakeBzip2Decoder() { return std::make_unique<Bzip2Decoder>(); }

}  // namespace safemodel::pickle
