// SPDX-License-Identifier: Apache-2.0
#include "crypto/base64.h"

#include <sodium.h>

#include <algorithm>

namespace safemodel::crypto {

namespace {

std::string Encode(ByteView bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), variant);
  text.pop_back();  // the terminator
  return text;
}

Result<std::size_t> Decode(std::string_view text, int variant, MutableBytes out) {
  if (text.empty()) return std::size_t{0};  // libsodium takes no null pointers
  // libsodium 1.0.18 takes the bytes 0xAB and 0xAF for + and /.
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (out.empty() || !ascii) return Error{Stage::kMalformed, "bad_base64", "this is not strict base64"};
  std::size_t size = 0;
  const char* end = nullptr;
  // libsodium refuses trailing bits and wrong padding; what it leaves unread shows in `end`.
  if (sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr, &size, &end, variant) != 0 ||
      end != text.data() + text.size()) {
    return Error{Stage::kMalformed, "bad_base64", "this is not strict base64"};
  }
  return size;
}

}  // namespace

std::string EncodeBase64(ByteView bytes) { return Encode(bytes, sodium_base64_VARIANT_ORIGINAL); }

Result<std::size_t> DecodeBase64(std::string_view text, Base64Alphabet alphabet, MutableBytes out) {
  const bool standard = alphabet == Base64Alphabet::kStandard;
  return Decode(text, standard ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_URLSAFE, out);
}

std::string EncodeUnpaddedBase64(ByteView bytes) { return Encode(bytes, sodium_base64_VARIANT_ORIGINAL_NO_PADDING); }

Result<std::size_t> DecodeUnpaddedBase64(std::string_view text, MutableBytes out) {
  return Decode(text, sodium_base64_VARIANT_ORIGINAL_NO_PADDING, out);
}

Result<ByteBuffer> DecodeEitherBase64(std::string_view text) {
  ByteBuffer bytes(text.size() / 4 * 3);
  auto size = DecodeBase64(text, Base64Alphabet::kStandard, bytes);
  if (!size.ok()) size = DecodeBase64(text, Base64Alphabet::kUrlSafe, bytes);
  if (!size.ok()) return size.error();
  bytes.resize(size.value());
  return bytes;
}

}  // namespace safemodel::crypto
