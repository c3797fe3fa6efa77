// SPDX-License-Identifier: Apache-2.0
// TableReader turns the text of the allow-list into entries. Its input is ours, so it may recurse.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pickle/allow_list.h"
#include "pickle/schema.h"

namespace safemodel::pickle {

// NameKey is a module and a qualified name.
struct NameKey {
  std::string_view module;
  std::string_view name;
  bool operator==(const NameKey&) const = default;
};

struct NameKeyHash {
  std::size_t operator()(const NameKey& key) const {
    return std::hash<std::string_view>()(key.module) * 31 + std::hash<std::string_view>()(key.name);
  }
};

using ReservedNames = std::unordered_set<std::string_view>;
using NamedSchemas = std::unordered_map<std::string_view, const Schema*>;

struct AllowList::Tables {
  std::deque<std::string> text;
  std::deque<AllowEntry> entries;
  std::deque<Schema> schemas;
  std::deque<ReservedNames> reserved;
  std::deque<std::vector<std::string_view>> inner;
  NamedSchemas named;
  std::unordered_map<std::string_view, const ReservedNames*> groups;
  std::unordered_map<NameKey, const AllowEntry*, NameKeyHash> names;
};

// SchemaParser reads one schema from the front of a text.
class SchemaParser {
 public:
  SchemaParser(std::deque<Schema>& schemas, const NamedSchemas& named, std::string_view text)
      : schemas_(schemas), named_(named), rest_(text) {}

  // Parse reads alternatives, as far as they go; nothing when the text is wrong.
  const Schema* Parse();
  // AtEnd says that nothing but spaces is left; Eat takes a word or a sign if it comes next.
  [[nodiscard]] bool AtEnd();
  bool Eat(std::string_view sign);

 private:
  const Schema* Term();
  const Schema* Word(std::string_view word);
  const Schema* Named();
  const Schema* Integer();
  const Schema* Bytes();
  const Schema* Tuple();
  const Schema* Attributes();
  const Schema* Inside(Schema::Form form, std::size_t parts);
  const Schema* Names(Schema::Form form);
  const Schema* Rules();
  bool Number(std::int64_t& value);
  std::string_view TakeWord();
  void SkipSpaces();
  Schema& Add(Schema::Form form);

  std::deque<Schema>& schemas_;
  const NamedSchemas& named_;
  std::string_view rest_;
};

class TableReader {
 public:
  explicit TableReader(AllowList::Tables& tables) : tables_(tables) {}
  // Read takes one table over.
  [[nodiscard]] Status Read(std::string_view table);

 private:
  [[nodiscard]] bool Line(std::string_view line);
  [[nodiscard]] bool Header(std::string_view word, std::string_view rest);
  [[nodiscard]] bool Detail(std::string_view word, std::string_view rest);
  [[nodiscard]] bool Schemas(std::string_view word, std::string_view rest);
  [[nodiscard]] bool Base(std::string_view rest);
  [[nodiscard]] bool Items(std::string_view rest);
  [[nodiscard]] bool Alias(std::string_view rest);
  [[nodiscard]] bool Reserve(std::string_view rest);
  [[nodiscard]] bool NameSchema(std::string_view rest);
  [[nodiscard]] bool Inner(std::string_view rest);
  [[nodiscard]] bool Mark(std::string_view word, std::string_view rest);
  [[nodiscard]] bool Reserved(std::string_view rest);
  [[nodiscard]] bool Register(std::string_view module, std::string_view name, const AllowEntry& entry);
  const Schema* WholeSchema(std::string_view text);

  AllowList::Tables& tables_;
  std::vector<AllowEntry*> current_;
};

}  // namespace safemodel::pickle
