// SPDX-License-Identifier: Apache-2.0
#include "pickle/table_reader.h"

#include <array>
#include <optional>
#include <utility>

#include "base/try.h"

namespace safemodel::pickle {

namespace {

constexpr std::array<std::pair<std::string_view, EntryKind>, 7> kKinds{{
    {"value", EntryKind::kValue},
    {"type", EntryKind::kType},
    {"function", EntryKind::kFunction},
    {"caller", EntryKind::kCaller},
    {"named", EntryKind::kNamed},
    {"reducer", EntryKind::kReducer},
    {"class", EntryKind::kClass},
}};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// TakeWord takes what stands before the next space; empty at the end.
std::string_view TakeWord(std::string_view& rest) {
  rest = Trim(rest);
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

// TakeModule takes `MODULE:`.
std::optional<std::string_view> TakeModule(std::string_view& rest) {
  std::string_view module = TakeWord(rest);
  if (module.size() < 2 || module.back() != ':') return std::nullopt;
  module.remove_suffix(1);
  return module;
}

// Unfold joins lines that end with a backslash, without changing offsets.
std::string Unfold(std::string_view table) {
  std::string text(table);
  for (std::size_t at = text.find("\\\n"); at != std::string::npos; at = text.find("\\\n", at))
    text.replace(at, 2, "  ");
  return text;
}

}  // namespace

Status TableReader::Read(std::string_view table) {
  tables_.text.push_back(Unfold(table));
  const std::string_view text = tables_.text.back();
  current_.clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (!Line(line.substr(0, line.find('#')))) {
      return Error{Stage::kMalformed, "allow_list", "a line of an allow-list table is wrong", at, std::string(line)};
    }
    at = end + 1;
  }
  return {};
}

bool TableReader::Line(std::string_view line) {
  if (Trim(line).empty()) return true;
  const bool detail = line.front() == ' ';
  std::string_view rest = line;
  const std::string_view word = TakeWord(rest);
  rest = Trim(rest);
  if (detail) return !current_.empty() && Detail(word, rest);
  if (word == "reserve") return Reserve(rest);
  if (word == "schema") return NameSchema(rest);
  return Header(word, rest);
}

bool TableReader::Register(std::string_view module, std::string_view name, const AllowEntry& entry) {
  return tables_.names.emplace(NameKey{module, name}, &entry).second;
}

bool TableReader::Header(std::string_view word, std::string_view rest) {
  current_.clear();
  const auto module = TakeModule(rest);
  if (!module) return false;
  for (const auto& [text, kind] : kKinds) {
    if (text != word) continue;
    for (std::string_view name = TakeWord(rest); !name.empty(); name = TakeWord(rest)) {
      AllowEntry& entry = tables_.entries.emplace_back();
      entry.module = *module;
      entry.name = name;
      entry.kind = kind;
      current_.push_back(&entry);
      if (!Register(*module, name, entry)) return false;  // two entries for one name would contradict each other
    }
  }
  return !current_.empty();
}

bool TableReader::Detail(std::string_view word, std::string_view rest) {
  if (word == "alias") return Alias(rest);
  if (word == "reserved") return Reserved(rest);
  if (word == "base") return Base(rest);
  if (word == "items") return Items(rest);
  if (word == "rule") {
    const Rule* rule = FindRule(rest);
    for (AllowEntry* entry : current_) entry->rule = rule;
    return rule != nullptr;
  }
  if (word == "inner") return Inner(rest);
  return Mark(word, rest) || Schemas(word, rest);
}

// Mark reads a line of words that stand for themselves.
bool TableReader::Mark(std::string_view word, std::string_view rest) {
  const auto set = [&](auto AllowEntry::*member, auto value) {
    for (AllowEntry* entry : current_) entry->*member = value;
    return true;
  };
  if (word == "native" && rest.empty()) return set(&AllowEntry::parser, AllowEntry::Parser::kNative);
  if (word == "unsupported" && rest.empty()) return set(&AllowEntry::support, AllowEntry::Support::kNo);
  if (word == "data" && rest.empty()) return set(&AllowEntry::result, AllowEntry::Result::kData);
  if (word == "value" && rest.empty()) return set(&AllowEntry::stands, AllowEntry::Stands::kAnywhere);
  if (word == "no" && rest == "key") return set(&AllowEntry::hash, AllowEntry::Hash::kOfAttributes);
  return word == "state" && rest == "required" && set(&AllowEntry::state_need, AllowEntry::Need::kRequired);
}

bool TableReader::Inner(std::string_view rest) {
  std::vector<std::string_view>& names = tables_.inner.emplace_back();
  for (std::string_view name = TakeWord(rest); !name.empty(); name = TakeWord(rest)) names.push_back(name);
  for (AllowEntry* entry : current_) entry->inner = &names;
  return !names.empty();
}

const Schema* TableReader::WholeSchema(std::string_view text) {
  SchemaParser parser(tables_.schemas, tables_.named, text);
  const Schema* schema = parser.Parse();
  return schema != nullptr && parser.AtEnd() ? schema : nullptr;
}

bool TableReader::Schemas(std::string_view word, std::string_view rest) {
  const Schema* schema = WholeSchema(rest);
  if (schema == nullptr) return false;
  const bool tuple = schema->form == Schema::Form::kTuple || schema->form == Schema::Form::kTupleOf;
  for (AllowEntry* entry : current_) {
    if (word == "call" && tuple) {
      entry->call.push_back(schema);
    } else if (word == "new" && tuple && entry->kind == EntryKind::kClass) {
      entry->make.push_back(schema);
    } else if (word == "state") {
      entry->state.push_back(schema);
    } else if (word == "appends") {
      entry->appends = schema;
    } else {
      return false;
    }
  }
  return true;
}

bool TableReader::Base(std::string_view rest) {
  const std::string_view base = TakeWord(rest);
  const Schema* schema = WholeSchema(rest);
  for (AllowEntry* entry : current_) {
    entry->base = base;
    entry->base_state = schema;
  }
  return schema != nullptr && !base.empty();
}

bool TableReader::Items(std::string_view rest) {
  SchemaParser parser(tables_.schemas, tables_.named, rest);
  const Schema* key = parser.Parse();
  if (key == nullptr || !parser.Eat(":")) return false;
  const Schema* value = parser.Parse();
  for (AllowEntry* entry : current_) {
    entry->item_key = key;
    entry->item_value = value;
  }
  return value != nullptr && parser.AtEnd();
}

bool TableReader::Alias(std::string_view rest) {
  if (rest.find(':') == std::string_view::npos) {
    for (const AllowEntry* entry : current_) {
      if (!Register(rest, entry->name, *entry)) return false;
    }
    return !rest.empty();
  }
  const auto module = TakeModule(rest);
  const std::string_view name = TakeWord(rest);
  return module && !name.empty() && rest.empty() && current_.size() == 1 && Register(*module, name, *current_[0]);
}

bool TableReader::Reserve(std::string_view rest) {
  const auto group = TakeModule(rest);
  if (!group) return false;
  ReservedNames& names = tables_.reserved.emplace_back();
  for (std::string_view name = TakeWord(rest); !name.empty(); name = TakeWord(rest)) names.insert(name);
  current_.clear();
  return tables_.groups.emplace(*group, &names).second;
}

bool TableReader::NameSchema(std::string_view rest) {
  const auto name = TakeModule(rest);
  const Schema* schema = name ? WholeSchema(rest) : nullptr;
  current_.clear();
  return schema != nullptr && tables_.named.emplace(*name, schema).second;
}

bool TableReader::Reserved(std::string_view rest) {
  ReservedNames& names = tables_.reserved.emplace_back();
  if (const ReservedNames* before = current_[0]->reserved; before != nullptr) names = *before;
  for (std::string_view name = TakeWord(rest); !name.empty(); name = TakeWord(rest)) {
    if (name.front() != '@') {
      names.insert(name);
      continue;
    }
    const auto group = tables_.groups.find(name.substr(1));
    if (group == tables_.groups.end()) return false;
    names.insert(group->second->begin(), group->second->end());
  }
  for (AllowEntry* entry : current_) entry->reserved = &names;
  return true;
}

}  // namespace safemodel::pickle
