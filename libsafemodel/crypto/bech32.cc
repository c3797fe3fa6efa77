// SPDX-License-Identifier: Apache-2.0
#include "crypto/bech32.h"

#include <algorithm>
#include <cstdlib>

#include "base/ascii.h"

namespace safemodel::crypto {
namespace {

constexpr std::string_view kLetters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t kChecksumLetters = 6;

Error NotBech32(const char* text) { return {Stage::kMalformed, "bad_bech32", text}; }

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }

// Checksum is the BCH code of BIP 173: the remainder of what was added so far.
class Checksum {
 public:
  // AddPrefix adds what stands before the "1", spread as BIP 173 says: high bits, zero, low bits.
  void AddPrefix(std::string_view prefix) {
    for (const char c : prefix) Add(static_cast<std::uint32_t>(FoldAscii(c)) >> 5);
    Add(0);
    for (const char c : prefix) Add(static_cast<std::uint32_t>(FoldAscii(c)) & 31);
  }
  void Add(std::uint32_t five_bits) {
    constexpr std::uint32_t kGenerator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    const std::uint32_t top = remainder_ >> 25;
    remainder_ = ((remainder_ & 0x1ffffff) << 5) ^ five_bits;
    for (std::uint32_t i = 0; i < 5; ++i) remainder_ ^= ((top >> i) & 1) != 0 ? kGenerator[i] : 0;
  }
  [[nodiscard]] std::uint32_t remainder() const { return remainder_; }

 private:
  std::uint32_t remainder_ = 1;
};

// BytesOf joins groups of five bits to bytes.
class BytesOf {
 public:
  explicit BytesOf(MutableBytes out) : out_(out) {}
  [[nodiscard]] bool Add(std::uint32_t five_bits) {
    bits_ = (bits_ << 5) | five_bits;
    count_ += 5;
    if (count_ < 8) return true;
    if (size_ == out_.size()) return false;
    count_ -= 8;
    out_[size_++] = static_cast<std::uint8_t>(bits_ >> count_);
    bits_ &= (1u << count_) - 1;
    return true;
  }
  // Complete holds when what is left over is padding: fewer than five bits, all zero.
  [[nodiscard]] bool Complete() const { return count_ < 5 && bits_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  MutableBytes out_;
  std::size_t size_ = 0;
  std::uint32_t bits_ = 0;
  std::uint32_t count_ = 0;
};

Result<Bech32> Split(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), IsUpper) && std::any_of(text.begin(), text.end(), IsLower)) {
    return NotBech32("a Bech32 text is in upper or in lower case, not both");
  }
  const std::size_t one = text.rfind('1');
  if (one == std::string_view::npos || one == 0 || text.size() - one - 1 < kChecksumLetters) {
    return NotBech32("this is not Bech32: a prefix, a 1, and data with a checksum");
  }
  const std::string_view prefix = text.substr(0, one);
  if (std::any_of(prefix.begin(), prefix.end(), [](char c) { return c < 33 || c > 126; })) {
    return NotBech32("the prefix of a Bech32 text is printable ASCII");
  }
  return Bech32{prefix, 0};
}

}  // namespace

Result<Bech32> DecodeBech32(std::string_view text, MutableBytes out) {
  auto parts = Split(text);
  if (!parts.ok()) return parts;
  const std::string_view letters = text.substr(parts.value().prefix.size() + 1);
  Checksum checksum;
  checksum.AddPrefix(parts.value().prefix);
  BytesOf bytes(out);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const std::size_t value = kLetters.find(FoldAscii(letters[i]));
    if (value == std::string_view::npos) return NotBech32("this letter does not occur in Bech32");
    checksum.Add(static_cast<std::uint32_t>(value));
    if (i + kChecksumLetters < letters.size() && !bytes.Add(static_cast<std::uint32_t>(value))) {
      return NotBech32("there is more data in the Bech32 text than belongs there");
    }
  }
  if (checksum.remainder() != 1) return NotBech32("the checksum is wrong; was the text copied completely?");
  if (!bytes.Complete()) return NotBech32("the bits behind the last byte of a Bech32 text are zero");
  return Bech32{parts.value().prefix, bytes.size()};
}

SecretBytes EncodeBech32(std::string_view prefix, ByteView data) {
  if (prefix.empty()) std::abort();  // a bug in the caller
  const bool upper = IsUpper(prefix.front());
  const std::size_t groups = (8 * data.size() + 4) / 5;
  SecretBytes text(prefix.size() + 1 + groups + kChecksumLetters);
  auto out = std::copy(prefix.begin(), prefix.end(), text.bytes().begin());
  *out++ = '1';
  Checksum checksum;
  checksum.AddPrefix(prefix);
  const auto put = [&](std::uint32_t five_bits) {
    const char letter = kLetters[five_bits];
    *out++ = static_cast<std::uint8_t>(upper && IsLower(letter) ? letter - 'a' + 'A' : letter);
  };
  for (std::size_t group = 0; group < groups; ++group) {
    std::uint32_t value = 0;
    for (std::size_t bit = 5 * group; bit < 5 * group + 5; ++bit) {
      value = 2 * value + (bit / 8 < data.size() ? (std::uint32_t{data[bit / 8]} >> (7 - bit % 8)) & 1u : 0u);
    }
    checksum.Add(value);
    put(value);
  }
  for (std::size_t i = 0; i < kChecksumLetters; ++i) checksum.Add(0);
  const std::uint32_t sum = checksum.remainder() ^ 1;
  for (std::size_t i = 0; i < kChecksumLetters; ++i) put((sum >> (5 * (kChecksumLetters - 1 - i))) & 31);
  return text;
}

}  // namespace safemodel::crypto
