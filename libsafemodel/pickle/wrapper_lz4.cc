// SPDX-License-Identifier: Apache-2.0
#include <lz4frame.h>

#include <algorithm>
#include <string_view>

#include "base/try.h"
#include "pickle/wrapper_codecs.h"

namespace safemodel::pickle {
namespace {

class Lz4Decoder final : public Decoder {
 public:
  Lz4Decoder() { ready_ = LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)) == 0; }
  ~Lz4Decoder() override {
    if (ready_) LZ4F_freeDecompressionContext(context_);
  }

 protected:
  Status Begin(CompressedInput& input) override {
    if (!ready_) return NoMemory(input);
    LZ4F_resetDecompressionContext(context_);
    wanted_ = LZ4F_HEADER_SIZE_MIN;
    return {};
  }

  Status Step(CompressedInput& input, MutableBytes& rest) override {
    SAFEMODEL_ASSIGN(const ByteView window, input.Window());
    std::size_t made = rest.size();
    // A call that fails does not say what it wrote before. So each gets one block, and its successor's header alone.
    std::size_t taken = std::min(window.size(), wanted_ > kBlockHeader ? wanted_ - kBlockHeader : wanted_);
    const std::size_t code = LZ4F_decompress(context_, rest.data(), &made, window.data(), &taken, nullptr);
    if (LZ4F_isError(code) != 0) return Fault(code, input);
    wanted_ = code;
    input.Use(taken);
    rest = rest.subspan(made);
    if (code == 0) End();
    return code == 0 || taken != 0 || made != 0 ? Status{} : TruncatedStream(input);
  }

 private:
  // The library's stable interface knows its errors by name only.
  static Error Fault(std::size_t code, const CompressedInput& input) {
    const std::string_view name = LZ4F_getErrorName(code);
    if (name == "ERROR_allocation_failed") return NoMemory(input);
    const bool checksum = name.ends_with("Checksum_invalid");
    return checksum ? WrongChecksum(input) : BrokenStream(input);
  }

  static constexpr std::size_t kBlockHeader = 4;
  LZ4F_dctx* context_ = nullptr;
  std::size_t wanted_ = 0;  // what the library would read next: the rest of a block and a header
  bool ready_ = false;
};

}  // namespace

std::unique_ptr<Decoder> MakeLz4Decoder() { return std::make_unique<Lz4Decoder>(); }

}  // namespace safemodel::pickle
