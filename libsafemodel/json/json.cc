// SPDX-License-Identifier: Apache-2.0
#include "json/json.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/try.h"

namespace safemodel::json {
namespace {

using Nlohmann = nlohmann::json;

// CountingIterator feeds the parser and tells where it is, so that our own refusals have an offset too.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  CountingIterator(ByteView text, std::size_t* position) : text_(text), position_(position) {}
  static CountingIterator End(ByteView text) { return {text, nullptr}; }

  char operator*() const { return static_cast<char>(text_[*position_]); }
  CountingIterator& operator++() {
    ++*position_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return Position() == other.Position(); }

 private:
  [[nodiscard]] std::size_t Position() const { return position_ == nullptr ? text_.size() : *position_; }
  ByteView text_;
  std::size_t* position_;
};

// TreeBuilder receives the events of nlohmann's parser, which keeps its own stack on the heap: nesting costs no stack
// here either until the depth limit ends it.
class TreeBuilder {
 public:
  TreeBuilder(const Limits& limits, const std::size_t* position) : limits_(limits), position_(position) {}

  Result<Value> Finish(bool parsed) && {
    if (parsed && !failure_.has_value()) return std::move(root_);
    if (failure_.has_value()) return *std::move(failure_);
    return Error{Stage::kMalformed, "bad_json", "this is not one JSON text", *position_};
  }

  // The names below are those that nlohmann::json::sax_parse calls.
  bool null() { return Add(Value()); }
  bool boolean(bool value) { return Add(Value(value)); }
  bool number_integer(std::int64_t value) { return Add(Value(value)); }
  bool number_unsigned(std::uint64_t value) { return Add(Value(value)); }
  bool number_float(double value, const std::string& text) {
    // An integer of more than 64 bits arrives as a double: a reader would see another number than was written.
    if (text.find_first_of(".eE") == std::string::npos) {
      return Fail({Stage::kMalformed, "integer_range", "an integer does not fit 64 bits", *position_});
    }
    return Add(Value(value));
  }
  bool string(std::string& value) { return Add(Value(std::move(value))); }
  bool binary(Nlohmann::binary_t&) { return Fail({Stage::kInternal, "internal", "JSON text has no binary values"}); }
  bool start_object(std::size_t) { return Open(Members()); }
  bool start_array(std::size_t) { return Open(Array()); }
  bool end_array() { return Close(); }
  bool end_object() { return CheckKeys() && Close(); }
  bool key(std::string& name) {
    open_.back().key = std::move(name);
    open_.back().key_offsets.push_back(*position_);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const Nlohmann::exception&) {
    return Fail({Stage::kMalformed, "bad_json", "this is not strict JSON", position == 0 ? 0 : position - 1});
  }

 private:
  struct Frame {
    Value value;
    std::string key;                         // of the member that is being read
    std::vector<std::uint64_t> key_offsets;  // where each key of an object ended
  };

  bool Fail(Error error) {
    if (!failure_.has_value()) failure_ = std::move(error);
    return false;
  }

  bool Open(Value::Storage container) {
    if (open_.size() >= limits_.depth)
      return Fail({Stage::kLimit, "too_deep", "JSON is nested too deeply", *position_});
    open_.push_back({Value(std::move(container)), {}, {}});
    return true;
  }

  bool Close() {
    Value closed = std::move(open_.back().value);
    open_.pop_back();
    return Add(std::move(closed));
  }

  bool Add(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Frame& parent = open_.back();
    if (auto* members = std::get_if<Members>(&parent.value.storage())) {
      members->emplace_back(std::move(parent.key), std::move(value));
    } else if (auto* items = std::get_if<Array>(&parent.value.storage())) {
      items->push_back(std::move(value));
    }
    return true;
  }

  // CheckKeys refuses equal keys: readers disagree on which of them counts, so what one checks another may not use.
  // Sorting keeps this O(n log n) for a million keys.
  bool CheckKeys() {
    const Members& members = *open_.back().value.AsObject();
    std::vector<std::size_t> order(members.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&members](std::size_t a, std::size_t b) {
      const int compared = members[a].first.compare(members[b].first);
      return compared != 0 ? compared < 0 : a < b;
    });
    const auto equal = std::adjacent_find(order.begin(), order.end(), [&members](std::size_t a, std::size_t b) {
      return members[a].first == members[b].first;
    });
    if (equal == order.end()) return true;
    const std::size_t second = *std::next(equal);
    return Fail({Stage::kMalformed, "equal_keys", "a JSON object has two equal keys", open_.back().key_offsets[second],
                 members[second].first});
  }

  const Limits& limits_;
  const std::size_t* position_;
  std::vector<Frame> open_;
  Value root_;
  std::optional<Error> failure_;
};

// CheckRaw refuses what nlohmann lets pass: it skips a byte order mark, and takes a NUL byte outside a string for the
// end of the text, so that anything could follow it.
Status CheckRaw(ByteView text) {
  constexpr std::array<std::uint8_t, 3> kByteOrderMark = {0xEF, 0xBB, 0xBF};
  if (text.size() >= kByteOrderMark.size() && std::equal(kByteOrderMark.begin(), kByteOrderMark.end(), text.begin())) {
    return Error{Stage::kMalformed, "byte_order_mark", "JSON text starts with a byte order mark", 0};
  }
  const auto nul = std::find(text.begin(), text.end(), std::uint8_t{0});
  if (nul == text.end()) return {};
  return Error{Stage::kMalformed, "bad_json", "JSON text has a NUL byte",
               static_cast<std::uint64_t>(nul - text.begin())};
}

void AppendEscape(std::string& out, unsigned code) {
  constexpr const char* kDigits = "0123456789abcdef";
  out += "\\u00";
  out += kDigits[(code >> 4) & 15];
  out += kDigits[code & 15];
}

}  // namespace

std::optional<bool> Value::AsBool() const {
  const bool* value = std::get_if<bool>(&storage_);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::uint64_t> Value::AsUnsigned() const {
  const auto* value = std::get_if<std::uint64_t>(&storage_);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<double> Value::AsDouble() const {
  const auto* value = std::get_if<double>(&storage_);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

const Value* Value::Find(std::string_view key) const {
  const Members* members = AsObject();
  if (members == nullptr) return nullptr;
  const auto found =
      std::find_if(members->begin(), members->end(), [key](const auto& member) { return member.first == key; });
  return found == members->end() ? nullptr : &found->second;
}

Result<Value> Parse(ByteView text, const Limits& limits) {
  if (text.size() > limits.bytes) return Error{Stage::kLimit, "too_large", "JSON text is longer than its limit"};
  SAFEMODEL_TRY(CheckRaw(text));
  std::size_t position = 0;
  TreeBuilder builder(limits, &position);
  const bool parsed = Nlohmann::sax_parse(CountingIterator(text, &position), CountingIterator::End(text), &builder);
  return std::move(builder).Finish(parsed);
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[i];
    } else if (byte < 0x20 || byte == 0x7F) {
      AppendEscape(out, byte);
    } else if (byte == 0xC2 && next >= 0x80 && next <= 0x9F) {  // C1 controls: terminals obey some of them
      AppendEscape(out, next);
      ++i;
    } else {
      out += text[i];
    }
  }
  out += '"';
  return out;
}

}  // namespace safemodel::json
