// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "pickle/table_reader.h"

namespace safemodel::pickle {

namespace {

using Form = Schema::Form;

constexpr std::array<std::pair<std::string_view, Form>, 21> kPlainWords{{
    {"none", Form::kNone},       {"true", Form::kTrue},
    {"false", Form::kFalse},     {"bool", Form::kBool},
    {"float", Form::kFloat},     {"number", Form::kNumber},
    {"str", Form::kStr},         {"bytearray", Form::kByteArray},
    {"plain", Form::kPlain},     {"data", Form::kData},
    {"node", Form::kNode},       {"inert", Form::kInert},
    {"type", Form::kType},       {"function", Form::kFunction},
    {"caller", Form::kCaller},   {"class", Form::kClass},
    {"storage", Form::kStorage}, {"reference", Form::kReference},
    {"raw", Form::kRaw},         {"int", Form::kInt},
    {"bytes", Form::kBytes},
}};

bool IsWordLetter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
         letter == '_' || letter == '.';
}

}  // namespace

void SchemaParser::SkipSpaces() {
  while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
}

bool SchemaParser::AtEnd() {
  SkipSpaces();
  return rest_.empty();
}

bool SchemaParser::Eat(std::string_view sign) {
  SkipSpaces();
  if (!rest_.starts_with(sign)) return false;
  rest_.remove_prefix(sign.size());
  return true;
}

std::string_view SchemaParser::TakeWord() {
  SkipSpaces();
  std::size_t size = 0;
  while (size < rest_.size() && IsWordLetter(rest_[size]) && !rest_.substr(size).starts_with("..")) ++size;
  const std::string_view word = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return word;
}

Schema& SchemaParser::Add(Form form) {
  schemas_.emplace_back();
  schemas_.back().form = form;
  schemas_.back().low = std::numeric_limits<std::int64_t>::min();
  schemas_.back().high = std::numeric_limits<std::int64_t>::max();
  return schemas_.back();
}

const Schema* SchemaParser::Parse() {
  const Schema* first = Term();
  if (first == nullptr || !Eat("|")) return first;
  Schema& either = Add(Form::kOneOf);
  either.parts.push_back(first);
  do {
    const Schema* next = Term();
    if (next == nullptr) return nullptr;
    either.parts.push_back(next);
  } while (Eat("|"));
  return &either;
}

const Schema* SchemaParser::Term() {
  if (Eat("(")) return Tuple();
  if (Eat("{")) return Attributes();
  if (Eat("'")) {
    const std::size_t end = rest_.find('\'');
    if (end == std::string_view::npos) return nullptr;
    Schema& literal = Add(Form::kLiteral);
    literal.text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return &literal;
  }
  if (Eat("@")) return Named();
  return Word(TakeWord());
}

const Schema* SchemaParser::Named() {
  const auto found = named_.find(TakeWord());
  return found == named_.end() ? nullptr : found->second;
}

const Schema* SchemaParser::Word(std::string_view word) {
  if (word == "int") return Integer();
  if (word == "bytes") return Bytes();
  if (word == "list") return Inside(Form::kList, 1);
  if (word == "set") return Inside(Form::kSet, 1);
  if (word == "empty") return Inside(Form::kEmpty, 1);
  if (word == "dict") return Inside(Form::kDict, 2);
  if (word == "mapping") return Inside(Form::kMapping, 2);
  if (word == "tuple") return Eat("(") ? Tuple() : nullptr;
  if (word == "global") return Names(Form::kGlobals);
  if (word == "object") return Names(Form::kObject);
  if (word == "made") return Rules();
  for (const auto& [text, form] : kPlainWords) {
    if (text == word) return &Add(form);
  }
  return nullptr;
}

bool SchemaParser::Number(std::int64_t& value) {
  const auto parsed = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
  if (parsed.ec != std::errc{}) return false;
  rest_.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest_.data()));
  return true;
}

const Schema* SchemaParser::Integer() {
  Schema& integer = Add(Form::kInt);
  if (Eat(">=")) return Number(integer.low) ? &integer : nullptr;
  if (!Eat("(")) return &integer;
  const bool read = Number(integer.low) && Eat("..") && Number(integer.high) && Eat(")");
  return read ? &integer : nullptr;
}

const Schema* SchemaParser::Bytes() {
  Schema& bytes = Add(Form::kBytes);
  if (!Eat("(")) return &bytes;
  std::int64_t size = 0;
  if (!Number(size) || size <= 0 || !Eat(")")) return nullptr;
  bytes.size = static_cast<std::uint64_t>(size);
  return &bytes;
}

// Tuple reads what follows the opening parenthesis: S, S) or S...)
const Schema* SchemaParser::Tuple() {
  Schema& tuple = Add(Form::kTuple);
  if (Eat(")")) return &tuple;
  do {
    const Schema* part = Parse();
    if (part == nullptr) return nullptr;
    tuple.parts.push_back(part);
    if (tuple.parts.size() == 1 && Eat("...")) {
      tuple.form = Form::kTupleOf;
      break;
    }
  } while (Eat(","));
  return Eat(")") ? &tuple : nullptr;
}

const Schema* SchemaParser::Inside(Form form, std::size_t parts) {
  Schema& outer = Add(form);
  if (!Eat("(")) return nullptr;
  while (outer.parts.size() < parts) {
    if (!outer.parts.empty() && !Eat(":")) return nullptr;
    const Schema* part = Parse();
    if (part == nullptr) return nullptr;
    outer.parts.push_back(part);
  }
  return Eat(")") ? &outer : nullptr;
}

const Schema* SchemaParser::Attributes() {
  Schema& record = Add(Form::kAttributes);
  if (Eat("}")) return &record;
  do {
    const bool many = Eat("**");
    const bool others = many || Eat("*");
    const std::string_view name = others ? std::string_view() : TakeWord();
    const bool optional = Eat("?");
    if ((!others && name.empty()) || !Eat(":")) return nullptr;
    const Schema* part = Parse();
    if (part == nullptr) return nullptr;
    if (others) {
      record.others = part;
      record.takes = many ? Schema::Takes::kMany : Schema::Takes::kListed;
      continue;
    }
    record.attributes[name] = {part, optional ? Schema::Presence::kOptional : Schema::Presence::kRequired};
    if (!optional) ++record.required;
  } while (Eat(","));
  return Eat("}") ? &record : nullptr;
}

const Schema* SchemaParser::Names(Form form) {
  Schema& names = Add(form);
  if (!Eat("(")) return nullptr;
  while (!Eat(")")) {
    const std::string_view module = TakeWord();
    if (module.empty() || !Eat(":")) return nullptr;
    const std::string_view name = TakeWord();
    if (name.empty()) return nullptr;
    names.names.emplace_back(module, name);
  }
  return names.names.empty() ? nullptr : &names;
}

const Schema* SchemaParser::Rules() {
  Schema& made = Add(Form::kMade);
  if (!Eat("(")) return nullptr;
  while (!Eat(")")) {
    const Rule* rule = FindRule(TakeWord());
    if (rule == nullptr) return nullptr;
    made.rules.push_back(rule);
  }
  return made.rules.empty() ? nullptr : &made;
}

}  // namespace safemodel::pickle
