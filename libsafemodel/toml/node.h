// SPDX-License-Identifier: Apache-2.0
// A parsed TOML value, without a type of toml++.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace safemodel::toml {

struct Member;
struct Temporal {};  // a date or a time, which no configuration here uses

struct Node {
  using Array = std::vector<Node>;
  using Members = std::vector<Member>;  // in the order of the text; keys are unique
  std::variant<Temporal, bool, std::int64_t, double, std::string, Array, Members> value;
  std::uint32_t line = 1;
  std::uint32_t column = 1;  // in characters
};

struct Member {
  std::string key;
  std::uint32_t line = 1;  // of the key
  std::uint32_t column = 1;
  Node node;
};

}  // namespace safemodel::toml
