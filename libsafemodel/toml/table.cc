// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/try.h"
#include "toml/node.h"
#include "toml/toml.h"

namespace safemodel::toml {
namespace {

bool IsBare(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

const Node::Members& MembersOf(const Node& node) { return *std::get_if<Node::Members>(&node.value); }

}  // namespace

Table::Table(std::shared_ptr<const Node> node, std::shared_ptr<const std::string> name, std::string path)
    : node_(std::move(node)), name_(std::move(name)), path_(std::move(path)), asked_(MembersOf(*node_).size()) {}

const Node* Table::Find(std::string_view key) const {
  const auto& members = MembersOf(*node_);
  const auto found = std::find_if(members.begin(), members.end(), [key](const Member& m) { return m.key == key; });
  return found == members.end() ? nullptr : &found->node;
}

const Node* Table::Take(std::string_view key) {
  const auto& members = MembersOf(*node_);
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].key != key) continue;
    asked_[i] = true;
    return &members[i].node;
  }
  return nullptr;
}

bool Table::Has(std::string_view key) const { return Find(key) != nullptr; }

std::vector<std::string> Table::Keys() const {
  std::vector<std::string> keys;
  const auto& members = MembersOf(*node_);
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!asked_[i]) keys.push_back(members[i].key);
  }
  return keys;
}

std::string Table::PathOf(std::string_view key) const {
  std::string path = path_.empty() ? "" : path_ + ".";
  if (IsBare(key)) return path.append(key);
  return path.append("\"").append(key).append("\"");
}

Error Table::RefuseAt(const Node& node, const std::string& path, const char* code, const char* text) const {
  std::string subject = *name_ + ":" + std::to_string(node.line) + ":" + std::to_string(node.column);
  if (!path.empty()) subject += ": " + path;
  return {Stage::kConfig, code, text, kNoOffset, std::move(subject)};
}

Error Table::Refuse(std::string_view key, const char* code, const char* text) const {
  const Node* node = Find(key);
  return node == nullptr ? RefuseAt(*node_, path_, code, text) : RefuseAt(*node, PathOf(key), code, text);
}

Error Table::WrongType(const Node& node, std::string_view key, const char* text) const {
  return RefuseAt(node, PathOf(key), "wrong_type", text);
}

Error Table::Missing(std::string_view key) const {
  return RefuseAt(*node_, PathOf(key), "missing_field", "a required key is absent");
}

Table Table::Inside(const Node& node, std::string path) const {
  return {std::shared_ptr<const Node>(node_, &node), name_, std::move(path)};
}

Status Table::Finish() const {
  const auto unread = std::find(asked_.begin(), asked_.end(), false);
  if (unread == asked_.end()) return {};
  const Member& member = MembersOf(*node_)[static_cast<std::size_t>(unread - asked_.begin())];
  Node at;
  at.line = member.line;
  at.column = member.column;
  return RefuseAt(at, PathOf(member.key), "unknown_field", "this key is not known here");
}

Result<std::optional<std::string>> Table::OptionalString(std::string_view key) {
  const Node* node = Take(key);
  if (node == nullptr) return std::optional<std::string>();
  const auto* text = std::get_if<std::string>(&node->value);
  if (text == nullptr) return WrongType(*node, key, "a string is expected here");
  return std::optional(*text);
}

Result<std::optional<std::uint64_t>> Table::OptionalInteger(std::string_view key, Range range) {
  const Node* node = Take(key);
  if (node == nullptr) return std::optional<std::uint64_t>();
  const auto* number = std::get_if<std::int64_t>(&node->value);
  if (number == nullptr) return WrongType(*node, key, "an integer is expected here");
  const bool fits = *number >= 0 && static_cast<std::uint64_t>(*number) >= range.min &&
                    static_cast<std::uint64_t>(*number) <= std::min(range.max, kMaxInteger);
  if (!fits) return RefuseAt(*node, PathOf(key), "out_of_range", "this integer is outside of what is allowed here");
  return std::optional(static_cast<std::uint64_t>(*number));
}

Result<std::optional<bool>> Table::OptionalBool(std::string_view key) {
  const Node* node = Take(key);
  if (node == nullptr) return std::optional<bool>();
  const bool* flag = std::get_if<bool>(&node->value);
  if (flag == nullptr) return WrongType(*node, key, "true or false is expected here");
  return std::optional(*flag);
}

Result<std::optional<std::vector<std::string>>> Table::OptionalStrings(std::string_view key) {
  const Node* node = Take(key);
  if (node == nullptr) return std::optional<std::vector<std::string>>();
  const auto* array = std::get_if<Node::Array>(&node->value);
  if (array == nullptr) return WrongType(*node, key, "a list of strings is expected here");
  std::vector<std::string> strings;
  for (const Node& item : *array) {
    const auto* text = std::get_if<std::string>(&item.value);
    if (text == nullptr) return WrongType(item, key, "a list of strings is expected here");
    strings.push_back(*text);
  }
  return std::optional(std::move(strings));
}

Result<std::optional<Table>> Table::OptionalTable(std::string_view key) {
  const Node* node = Take(key);
  if (node == nullptr) return std::optional<Table>();
  if (!std::holds_alternative<Node::Members>(node->value)) return WrongType(*node, key, "a table is expected here");
  return std::optional(Inside(*node, PathOf(key)));
}

Result<std::vector<Table>> Table::Tables(std::string_view key) {
  const Node* node = Take(key);
  std::vector<Table> tables;
  if (node == nullptr) return tables;
  const auto* array = std::get_if<Node::Array>(&node->value);
  if (array == nullptr) return WrongType(*node, key, "a list of tables is expected here");
  for (const Node& item : *array) {
    if (!std::holds_alternative<Node::Members>(item.value)) {
      return WrongType(item, key, "a list of tables is expected here");
    }
    tables.push_back(Inside(item, PathOf(key) + "[" + std::to_string(tables.size()) + "]"));
  }
  return tables;
}

Result<std::string> Table::RequiredString(std::string_view key) {
  SAFEMODEL_ASSIGN(auto value, OptionalString(key));
  if (!value.has_value()) return Missing(key);
  return *std::move(value);
}

Result<std::uint64_t> Table::RequiredInteger(std::string_view key, Range range) {
  SAFEMODEL_ASSIGN(const auto value, OptionalInteger(key, range));
  if (!value.has_value()) return Missing(key);
  return *value;
}

Result<bool> Table::RequiredBool(std::string_view key) {
  SAFEMODEL_ASSIGN(const auto value, OptionalBool(key));
  if (!value.has_value()) return Missing(key);
  return *value;
}

Result<std::vector<std::string>> Table::RequiredStrings(std::string_view key) {
  SAFEMODEL_ASSIGN(auto value, OptionalStrings(key));
  if (!value.has_value()) return Missing(key);
  return *std::move(value);
}

Result<Table> Table::RequiredTable(std::string_view key) {
  SAFEMODEL_ASSIGN(auto value, OptionalTable(key));
  if (!value.has_value()) return Missing(key);
  return *std::move(value);
}

}  // namespace safemodel::toml
