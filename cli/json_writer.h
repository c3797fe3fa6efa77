// SPDX-License-Identifier: Apache-2.0
// One JSON document on standard output, written as it comes: value trees are large and may be deep.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel::cli {

// JsonWriter keeps track of commas and indentation. Keys are literals of ours, values are escaped here.
class JsonWriter {
 public:
  explicit JsonWriter(std::FILE* out) : out_(out) {}

  // Begun says whether this process has begun a document: there is to be one only. A verb begins when its work is done,
  // so that what fails meanwhile can still be told in a document of its own.
  static bool Begun() { return begun_; }

  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  // Key starts a member of an object.
  void Key(std::string_view key);
  void Text(std::string_view text);
  void Number(std::uint64_t value);
  void Signed(std::int64_t value);
  void Float(double value);  // NaN and infinities become text
  void Boolean(bool value);

  // Shorthands for members.
  void Member(std::string_view key, std::string_view text) { Key(key), Text(text); }
  void Member(std::string_view key, const char* text) { Key(key), Text(text); }
  void Member(std::string_view key, std::uint64_t value) { Key(key), Number(value); }
  void Hex(std::string_view key, ByteView bytes);
  void Texts(std::string_view key, const std::vector<std::string>& texts);

  // Finish ends the document with a newline.
  void Finish();

 private:
  void Open(char bracket);
  void Close(char bracket);
  void Separate();
  void Write(std::string_view text);

  static inline bool begun_ = false;
  std::FILE* out_;
  std::vector<bool> filled_;  // whether each open level has a member already
  bool after_key_ = false;
};

// HexOf returns lower-case hexadecimal.
std::string HexOf(ByteView bytes);
// ReadDigest reads 64 lower-case hexadecimal digits. kUsage "bad_digest".
Result<Digest> ReadDigest(std::string_view text);

}  // namespace safemodel::cli
