// SPDX-License-Identifier: Apache-2.0
// Public test vectors: JSON files of bytes in hexadecimal.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>

#include <safemodel/bytes.h>

#include "base/cursor.h"
#include "json/json.h"
#include "testing/temp_folder.h"

namespace safemodel::testing {

inline ByteBuffer FromHex(const std::string& hex) {
  ByteBuffer bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

template <std::size_t N>
std::array<std::uint8_t, N> ArrayFromHex(const std::string& hex) {
  const ByteBuffer bytes = FromHex(hex);
  REQUIRE(bytes.size() == N);
  std::array<std::uint8_t, N> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

inline json::Value LoadJson(const std::string& path) {
  const std::string text = ReadText(path);
  auto parsed = json::Parse(AsBytes(text), {16u << 20, 16});
  REQUIRE(parsed.ok());
  return std::move(parsed).value();
}

// Field returns a member that is a string.
inline std::string Field(const json::Value& value, const char* name) {
  const json::Value* field = value.Find(name);
  REQUIRE(field != nullptr);
  REQUIRE(field->AsString() != nullptr);
  return *field->AsString();
}

// EachWycheproof calls visit(test) for every test of every group and returns how many there were.
template <typename Visit>
std::size_t EachWycheproof(const std::string& path, Visit visit) {
  const json::Value suite = LoadJson(path);
  std::size_t count = 0;
  for (const json::Value& group : *suite.Find("testGroups")->AsArray()) {
    for (const json::Value& test : *group.Find("tests")->AsArray()) {
      CAPTURE(test.Find("tcId")->AsUnsigned().value_or(0));
      visit(test);
      ++count;
    }
  }
  return count;
}

}  // namespace safemodel::testing
