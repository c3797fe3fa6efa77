// SPDX-License-Identifier: Apache-2.0
#include "json_writer.h"

#include <array>
#include <charconv>
#include <cmath>

#include "escape.h"

namespace safemodel::cli {

std::string HexOf(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

void JsonWriter::Write(std::string_view text) { std::fwrite(text.data(), 1, text.size(), out_); }

void JsonWriter::Separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (filled_.empty()) return;
  if (filled_.back()) Write(",");
  filled_.back() = true;
  // Short levels stay readable; the many small arrays of deep levels stay on their line.
  if (filled_.size() <= 3) Write("\n" + std::string(2 * filled_.size(), ' '));
}

void JsonWriter::Open(char bracket) {
  begun_ = true;
  Separate();
  Write(std::string_view(&bracket, 1));
  filled_.push_back(false);
}

void JsonWriter::Close(char bracket) {
  const bool filled = filled_.back();
  const std::size_t depth = filled_.size();
  filled_.pop_back();
  if (filled && depth <= 3) Write("\n" + std::string(2 * filled_.size(), ' '));
  Write(std::string_view(&bracket, 1));
}

void JsonWriter::Key(std::string_view key) {
  Separate();
  Write(QuoteJson(key) + ": ");
  after_key_ = true;
}

void JsonWriter::Text(std::string_view text) {
  Separate();
  Write(QuoteJson(text));
}

void JsonWriter::Number(std::uint64_t value) {
  Separate();
  Write(std::to_string(value));
}

void JsonWriter::Signed(std::int64_t value) {
  Separate();
  Write(std::to_string(value));
}

void JsonWriter::Float(double value) {
  if (!std::isfinite(value)) return Text(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
  Separate();
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  Write(std::string_view(buffer.data(), static_cast<std::size_t>(end - buffer.data())));
}

void JsonWriter::Boolean(bool value) {
  Separate();
  Write(value ? "true" : "false");
}

void JsonWriter::Hex(std::string_view key, ByteView bytes) { Member(key, HexOf(bytes)); }

void JsonWriter::Texts(std::string_view key, const std::vector<std::string>& texts) {
  Key(key), BeginArray();
  for (const std::string& text : texts) Text(text);
  EndArray();
}

void JsonWriter::Finish() { Write("\n"); }

Result<Digest> ReadDigest(std::string_view text) {
  const Error refusal{Stage::kUsage, "bad_digest", "a digest is 64 lower-case hex digits", kNoOffset,
                      std::string(text)};
  Digest digest{};
  if (text.size() != 2 * digest.size()) return refusal;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto value = std::string_view("0123456789abcdef").find(text[i]);
    if (value == std::string_view::npos) return refusal;
    digest[i / 2] = static_cast<std::uint8_t>(digest[i / 2] * 16u + value);
  }
  return digest;
}

}  // namespace safemodel::cli
