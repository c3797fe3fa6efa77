// SPDX-License-Identifier: Apache-2.0
// Strict JSON: the only folder that includes <nlohmann/json.hpp>.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel::json {

struct Limits {
  std::uint64_t bytes;  // length of the text
  std::uint32_t depth;  // nesting of arrays and objects
};

class Value;
using Array = std::vector<Value>;
using Members = std::vector<std::pair<std::string, Value>>;  // in the order of the text; keys are unique

// Value is a parsed JSON value. Strings are UTF-8.
class Value {
 public:
  using Storage = std::variant<std::monostate, bool, std::uint64_t, std::int64_t, double, std::string, Array, Members>;
  Value() = default;
  explicit Value(Storage storage) : storage_(std::move(storage)) {}

  [[nodiscard]] bool is_null() const { return storage_.index() == 0; }
  // Each returns nothing (or null) when the value is of another kind. Unsigned is only what was written as an integer,
  // and Double what was not.
  [[nodiscard]] std::optional<bool> AsBool() const;
  [[nodiscard]] std::optional<std::uint64_t> AsUnsigned() const;
  [[nodiscard]] std::optional<double> AsDouble() const;
  [[nodiscard]] const std::string* AsString() const { return std::get_if<std::string>(&storage_); }
  [[nodiscard]] const Array* AsArray() const { return std::get_if<Array>(&storage_); }
  [[nodiscard]] const Members* AsObject() const { return std::get_if<Members>(&storage_); }
  // Find returns a member of an object, or null.
  [[nodiscard]] const Value* Find(std::string_view key) const;
  [[nodiscard]] Storage& storage() { return storage_; }

 private:
  Storage storage_;
};

// Parse reads exactly one JSON text (RFC 8259). Refused: a byte order mark, text behind the value, equal keys (compared
// after unescaping), NaN and infinities, comments, bytes that are not UTF-8, lone surrogates (kMalformed, with offset);
// over a limit (kLimit).
Result<Value> Parse(ByteView text, const Limits& limits);

// Quote returns a JSON string literal of UTF-8 text, controls escaped, quotes included.
std::string Quote(std::string_view text);

}  // namespace safemodel::json
