// SPDX-License-Identifier: Apache-2.0
#include "pickle/wrapper_zfile.h"

#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/cursor.h"
#include "base/try.h"
#include "pickle/wrapper_codecs.h"

namespace safemodel::pickle {
namespace {

constexpr std::string_view kPrefix = "ZF0x";
constexpr std::size_t kHeaderBytes = 2 + 19;  // len(hex(2**64)) in Python 3; one more in Python 2, which adds an L

// ParseSize reads what Python's hex() writes, padded with spaces.
std::optional<std::uint64_t> ParseSize(std::string_view header) {
  if (!header.starts_with(kPrefix)) return std::nullopt;
  const std::string_view padded = header.substr(kPrefix.size());
  const std::string_view digits = padded.substr(0, padded.find(' '));
  if (padded.find_first_not_of(' ', digits.size()) != std::string_view::npos) return std::nullopt;
  if (digits.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  std::uint64_t size = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
  if (digits.empty() || parsed.ec != std::errc()) return std::nullopt;
  return size;
}

class ZFileDecoder final : public Decoder {
 protected:
  Status Begin(CompressedInput& input) override {
    made_ = 0;
    std::array<std::uint8_t, kHeaderBytes> header{};
    SAFEMODEL_TRY(input.Read(header));
    const std::optional<std::uint64_t> size = ParseSize(AsText(header));
    if (!size) return BrokenStream(input);
    size_ = *size;
    SAFEMODEL_ASSIGN(const ByteView next, input.Window());
    if (!next.empty() && next[0] == ' ') input.Use(1);  // joblib up to 0.8.4 in Python 2
    return zlib_->Start(input);
  }

  Status Step(CompressedInput& input, MutableBytes& rest) override {
    SAFEMODEL_ASSIGN(const std::size_t made, zlib_->Decode(input, rest));
    if (made > size_ - made_ || (made == 0 && made_ != size_)) return WrongSize(input);
    made_ += made;
    rest = rest.subspan(made);
    if (made == 0) End();
    return {};
  }

 private:
  static Error WrongSize(const CompressedInput& input) {
    return {Stage::kMalformed, "WRAP-MALFORMED", "the compressed data has another size than its header says",
            input.position()};
  }

  std::unique_ptr<Decoder> zlib_ = MakeZlibDecoder();
  std::uint64_t size_ = 0;
  std::uint64_t made_ = 0;
};

}  // namespace

std::unique_ptr<Decoder> MakeZFileDecoder() { return std::make_unique<ZFileDecoder>(); }

}  // namespace safemodel::pickle
