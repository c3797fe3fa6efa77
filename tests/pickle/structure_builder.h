// SPDX-License-Identifier: Apache-2.0
// Values as pickle code: each function returns what pushes one value. Arrays of numpy, records and objects of the
// libraries on top of it, written by hand so that single numbers can lie.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "pickle/assemble.h"

namespace safemodel::pickle::code {

using Values = std::vector<std::string>;
using Shape = std::vector<std::uint64_t>;
// Attributes are the state of an object: names, and the code of their values.
using Attributes = std::map<std::string, std::string>;

inline const std::string kNone = "N";
inline const std::string kTrue = "\x88";
inline const std::string kFalse = "\x89";

inline std::string Integer(std::int64_t value) {
  return Program().Op(Opcode::kLong1).U8(8).Number(static_cast<std::uint64_t>(value), 8).bytes();
}
inline std::string Text(std::string_view text) { return Program().Str(text).bytes(); }
inline std::string Name(std::string_view module, std::string_view name) {
  return Program().Global(module, name).bytes();
}

inline std::string Joined(std::string_view open, const Values& items, std::string_view close) {
  std::string out(open);
  for (const std::string& item : items) out += item;
  return out += close;
}
inline std::string Tuple(const Values& items) { return Joined("(", items, "t"); }
inline std::string List(const Values& items) { return Joined("(", items, "l"); }
inline std::string Dict(const Attributes& items) {
  std::string out = "(";
  for (const auto& [name, value] : items) out += Text(name) + value;
  return out + "d";
}
inline std::string Sizes(const Shape& shape) {
  Values items;
  for (const std::uint64_t size : shape) items.push_back(Integer(static_cast<std::int64_t>(size)));
  return Tuple(items);
}
inline std::string Call(std::string_view module, std::string_view name, const Values& args) {
  return Name(module, name) + Tuple(args) + "R";
}
inline std::string Built(const std::string& object, const std::string& state) { return object + state + "b"; }
// Object is an object whose state is a dict.
inline std::string Object(std::string_view module, std::string_view name, const Attributes& state) {
  return Built(Name(module, name) + ")\x81", Dict(state));
}

// --- numpy ---

inline std::string Dtype(std::string_view descr) {
  const bool objects = descr == "O8";
  const char order = descr.back() == '1' || objects ? '|' : '<';
  return Built(Call("numpy", "dtype", {Text(descr), kFalse, kTrue}),
               Tuple({Integer(3), Text(std::string(1, order)), kNone, kNone, kNone, Integer(-1), Integer(-1),
                      Integer(objects ? 63 : 0)}));
}

// Column is a field of a record.
struct Column {
  std::string_view name;
  std::string_view descr;
  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(descr.back() - '0'); }
};

inline std::string RecordType(const std::vector<Column>& columns, unsigned item_size) {
  Values names;
  Attributes fields;
  std::int64_t offset = 0;
  for (const Column& column : columns) {
    names.push_back(Text(column.name));
    fields[std::string(column.name)] = Tuple({Dtype(column.descr), Integer(offset)});
    offset += column.size();
  }
  const std::string descr = "V" + std::to_string(item_size);
  return Built(
      Call("numpy", "dtype", {Text(descr), kFalse, kTrue}),
      Tuple({Integer(3), Text("|"), kNone, Tuple(names), Dict(fields), Integer(item_size), Integer(1), Integer(16)}));
}

// ArrayOf is an array of a type, whose elements are bytes, or a list of objects.
inline std::string ArrayOf(const std::string& dtype, const Shape& shape, const std::string& data) {
  const std::string bare = Call("numpy.core.multiarray", "_reconstruct",
                                {Name("numpy", "ndarray"), Sizes({0}), Program().Bytes("b").bytes()});
  return Built(bare, Tuple({Integer(1), Sizes(shape), dtype, kFalse, data}));
}

template <typename T>
std::string_view DescrOf() {
  if constexpr (std::is_same_v<T, double>) return "f8";
  if constexpr (std::is_same_v<T, float>) return "f4";
  if constexpr (std::is_same_v<T, std::int64_t>) return "i8";
  if constexpr (std::is_same_v<T, std::int32_t>) return "i4";
  if constexpr (std::is_same_v<T, std::uint64_t>) return "u8";
  if constexpr (std::is_same_v<T, std::uint32_t>) return "u4";
  return "u1";
}

template <typename T>
void Append(Program& data, T value) {
  if constexpr (std::is_same_v<T, double>) {
    data.Number(std::bit_cast<std::uint64_t>(value), 8);
  } else if constexpr (std::is_same_v<T, float>) {
    data.Number(std::bit_cast<std::uint32_t>(value), 4);
  } else {
    data.Number(static_cast<std::uint64_t>(value), sizeof(T));
  }
}

template <typename T>
std::string Array(const Shape& shape, const std::vector<T>& numbers) {
  Program data;
  for (const T number : numbers) Append(data, number);
  return ArrayOf(Dtype(DescrOf<T>()), shape, Program().Bytes(data.bytes()).bytes());
}
template <typename T>
std::string Vector(const std::vector<T>& numbers) {
  return Array(Shape{numbers.size()}, numbers);
}
// Zeros is an array of a shape with nothing in it.
template <typename T>
std::string Zeros(const Shape& shape) {
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) count *= size;
  return Array(shape, std::vector<T>(count));
}
inline std::string Objects(const Shape& shape, const Values& items) { return ArrayOf(Dtype("O8"), shape, List(items)); }

// Row is a record: the values of some fields, zero for the others.
using Row = std::map<std::string_view, std::int64_t>;

// Records is a vector of records.
inline std::string Records(const std::vector<Column>& columns, unsigned item_size, const std::vector<Row>& rows) {
  Program data;
  for (const Row& row : rows) {
    unsigned size = 0;
    for (const Column& column : columns) {
      const auto value = row.find(column.name);
      data.Number(value == row.end() ? 0 : static_cast<std::uint64_t>(value->second), column.size());
      size += column.size();
    }
    for (; size < item_size; ++size) data.U8(0);
  }
  return ArrayOf(RecordType(columns, item_size), {rows.size()}, Program().Bytes(data.bytes()).bytes());
}

// --- what is made of them ---

// Verdict is what the reader says about a value.
struct Verdict {
  std::string code;  // "ok", or that of the refusal
  std::string attribute;
  std::string text;
};

inline Verdict Judge(const std::string& value) {
  const auto run = RunBytes(Program(3).Raw(value).Stop());
  if (run->result.ok()) return {"ok", "", ""};
  const Error& error = run->result.error();
  return {error.code, error.subject, error.text};
}

// IsJudgedWithoutEach says whether a structure of attributes is judged, whichever of them is not there: accepted, or
// refused by the rule.
template <typename Structure>
bool IsJudgedWithoutEach(std::string_view rule, const Structure& structure) {
  for (const auto& [name, value] : structure.state) {
    Structure without = structure;
    without.state.erase(name);
    const std::string code = Judge(without.Code()).code;
    if (code != "ok" && code != rule) return false;
  }
  return true;
}

// Lie is one change of a structure, and the refusal that it must get: which attribute, and words of the message.
template <typename Structure>
struct Lie {
  std::string_view attribute;
  std::string_view says;
  void (*tell)(Structure& structure);
};

template <typename Structure>
using Lies = std::vector<Lie<Structure>>;

// Estimator is an object of scikit-learn by its attributes.
struct Estimator {
  std::string_view module;
  std::string_view name;
  Attributes state;

  [[nodiscard]] std::string Code() const { return Object(module, name, state); }
};

}  // namespace safemodel::pickle::code

// CHECK_LIES refuses each change of `truth`, which is accepted itself, by the rule `rule`.
#define CHECK_LIES(rule, truth, lies)                                                        \
  do {                                                                                       \
    const auto honest = truth;                                                               \
    CHECK_MESSAGE(code::Judge(honest.Code()).code == "ok", code::Judge(honest.Code()).text); \
    for (const auto& lie : lies) {                                                           \
      auto told = honest;                                                                    \
      lie.tell(told);                                                                        \
      const code::Verdict verdict = code::Judge(told.Code());                                \
      CAPTURE(lie.attribute);                                                                \
      CAPTURE(lie.says);                                                                     \
      CAPTURE(verdict.text);                                                                 \
      CHECK(verdict.code == rule);                                                           \
      CHECK(verdict.attribute.ends_with(lie.attribute));                                     \
      CHECK(verdict.text.find(lie.says) != std::string::npos);                               \
    }                                                                                        \
  } while (false)
