// SPDX-License-Identifier: Apache-2.0
#include "crypto/base64.h"

#include <sodium.h>

namespace safemodel::crypto {

std::string EncodeBase64(ByteView bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the terminator
  return text;
}

Result<std::size_t> DecodeBase64(std::string_view text, Base64Alphabet alphabet, MutableBytes out) {
  if (text.empty()) return std::size_t{0};  // libsodium takes no null pointers
  if (out.empty()) return Error{Stage::kMalformed, "bad_base64", "this is not strict base64"};
  const int variant =
      alphabet == Base64Alphabet::kStandard ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_URLSAFE;
  std::size_t size = 0;
  const char* end = nullptr;
  // libsodium refuses trailing bits and wrong padding; what it leaves unread shows in `end`.
  if (sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr, &size, &end, variant) != 0 ||
      end != text.data() + text.size()) {
    return Error{Stage::kMalformed, "bad_base64", "this is not strict base64"};
  }
  return size;
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
