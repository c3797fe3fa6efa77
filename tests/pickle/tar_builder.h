// SPDX-License-Identifier: Apache-2.0
// Tar archives for tests, made field by field so that single fields can lie.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "base/source.h"

namespace safemodel::testing {

inline constexpr std::size_t kTarBlockBytes = 512;

struct TarField {
  std::string name;
  std::string mode = "0000644";
  std::string size;
  std::string sum;  // computed when empty
  char type = '0';
  std::string link;
  std::string magic = std::string(
      "ustar\0"
      "00",
      8);
  std::string device = "0000000";
  std::string prefix;
};

inline std::string OctalText(std::size_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*zo", digits, value);
  return text;
}

inline std::string Padded(std::string text, std::size_t width) {
  text.resize(width);
  return text;
}

inline std::string TarHeaderBytes(const TarField& field) {
  const std::string front = Padded(field.name, 100) + Padded(field.mode, 8) + Padded("0000000", 8) +
                            Padded("0000000", 8) + Padded(field.size, 12) + Padded("00000000000", 12);
  const std::string back = std::string(1, field.type) + Padded(field.link, 100) + Padded(field.magic, 8) +
                           Padded("", 64) + Padded(field.device, 8) + Padded("0000000", 8) + Padded(field.prefix, 155) +
                           Padded("", 12);
  std::size_t sum = 8 * ' ';
  for (const std::string* part : {&front, &back}) {
    for (const char c : *part) sum += static_cast<unsigned char>(c);
  }
  const std::string stated = field.sum.empty() ? OctalText(sum, 6) + std::string("\0 ", 2) : field.sum;
  return front + Padded(stated, 8) + back;
}

struct TarMember {
  std::string name;
  std::string data;
  std::function<void(TarField&)> change = {};
  char fill = '\0';  // behind the data
};

inline std::string MemberBytes(const TarMember& member) {
  TarField field;
  field.name = member.name;
  field.size = OctalText(member.data.size(), 11);
  if (member.change) member.change(field);
  std::string bytes = TarHeaderBytes(field) + member.data;
  const std::size_t over = bytes.size() % kTarBlockBytes;
  if (over != 0) bytes.append(kTarBlockBytes - over, member.fill);
  return bytes;
}

inline std::string TarEnd() { return std::string(2 * kTarBlockBytes, '\0'); }

inline std::string BuildTar(const std::vector<TarMember>& members) {
  std::string bytes;
  for (const TarMember& member : members) bytes += MemberBytes(member);
  return bytes + TarEnd();
}

// PaxRecord is `LENGTH KEY=VALUE\n`, with its own length in it.
inline std::string PaxRecord(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t size = rest.size() + 1;
  while (std::to_string(size).size() + rest.size() != size) ++size;
  return std::to_string(size) + rest;
}

inline std::function<void(TarField&)> Type(char type) {
  return [type](TarField& field) { field.type = type; };
}

inline SharedSource SourceOf(const std::string& bytes) {
  return MakeMemorySource(ByteBuffer(bytes.begin(), bytes.end()));
}

}  // namespace safemodel::testing
