// SPDX-License-Identifier: Apache-2.0
#include "crypto/armor.h"

#include <sodium.h>

#include <algorithm>

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/base64.h"

namespace safemodel::crypto {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";

Error NotAKey(const char* text) { return {Stage::kKey, "bad_key_file", text}; }

// TakeLine takes the next line off `text`, without its line end; the last one may have none.
std::string_view TakeLine(std::string_view& text) {
  const auto end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// LabelOf returns what a border line names, or nothing when it is not such a line.
std::string_view LabelOf(std::string_view line, std::string_view start) {
  if (!line.starts_with(start) || !line.ends_with(kDashes) || line.size() <= start.size() + kDashes.size()) return {};
  return line.substr(start.size(), line.size() - start.size() - kDashes.size());
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// SecretLetters collects secret text in guarded memory of a known size.
class SecretLetters {
 public:
  explicit SecretLetters(std::size_t size) : memory_(size) {}
  void Add(std::string_view text) {
    const ByteView bytes = AsBytes(text);
    std::copy(bytes.begin(), bytes.end(), memory_.bytes().begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += bytes.size();
  }
  [[nodiscard]] std::string_view text() const { return AsText(memory_.bytes()).substr(0, used_); }
  [[nodiscard]] SecretBytes Finish() && { return std::move(memory_); }

 private:
  SecretBytes memory_;
  std::size_t used_ = 0;
};

}  // namespace

bool IsArmored(std::string_view text) { return text.starts_with(kBegin); }

Result<Armored> ParseArmor(std::string_view text) {
  Armored armored;
  armored.label = LabelOf(TakeLine(text), kBegin);
  if (armored.label.empty()) return NotAKey("the first line of the key is not a BEGIN line");
  const std::string_view all = text;
  for (std::string_view rest = text; !rest.empty(); rest = text) {
    const std::string_view line = TakeLine(text);
    if (!line.starts_with(kDashes)) continue;
    if (LabelOf(line, kEnd) != armored.label) return NotAKey("the BEGIN and END lines of the key differ");
    armored.body = all.substr(0, all.size() - rest.size());
    if (!std::all_of(text.begin(), text.end(), IsSpace)) return NotAKey("something stands behind the key");
    return armored;
  }
  return NotAKey("the key has no END line");
}

Result<SecretBytes> DecodeArmor(const Armored& armored) {
  if (armored.body.find(':') !=
      std::string_view::npos) {  // a header of the old encrypted PEM: "Proc-Type: 4,ENCRYPTED"
    return Error{Stage::kKey, "encrypted_key", "this PEM key is encrypted; decrypt it with openssl pkey first"};
  }
  if (armored.body.empty()) return NotAKey("the key is empty");
  SecretLetters letters(armored.body.size());
  for (std::string_view rest = armored.body; !rest.empty();) letters.Add(TakeLine(rest));
  SecretBytes decoded(letters.text().size() / 4 * 3 + 1);
  const auto size = DecodeBase64(letters.text(), Base64Alphabet::kStandard, decoded.bytes());
  if (!size.ok() || size.value() == 0) return NotAKey("the key is not strict base64");
  SecretBytes exact(size.value());
  std::copy_n(decoded.bytes().begin(), exact.size(), exact.bytes().begin());
  return exact;
}

SecretBytes SerializeArmor(std::string_view label, ByteView bytes, std::size_t width) {
  SecretBytes base64(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL));
  sodium_bin2base64(reinterpret_cast<char*>(base64.bytes().data()), base64.size(), bytes.data(), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  const std::string_view letters = AsText(base64.bytes()).substr(0, base64.size() - 1);  // without the terminator
  const std::string first = std::string(kBegin) + std::string(label) + std::string(kDashes) + "\n";
  const std::string last = std::string(kEnd) + std::string(label) + std::string(kDashes) + "\n";
  SecretLetters text(first.size() + letters.size() + (letters.size() + width - 1) / width + last.size());
  text.Add(first);
  for (std::size_t at = 0; at < letters.size(); at += width) {
    text.Add(letters.substr(at, width));
    text.Add("\n");
  }
  text.Add(last);
  return std::move(text).Finish();
}

}  // namespace safemodel::crypto
