// SPDX-License-Identifier: Apache-2.0
#include "model/class_table.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/try.h"
#include "pickle/allow_list.h"

namespace safemodel {
namespace {

constexpr unsigned kMostNesting = 8;    // types inside types
constexpr std::size_t kMostName = 256;  // bytes of a class name or an attribute

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kWords = {{
    {"none", "none"},
    {"bool", "bool"},
    {"int", "int"},
    {"float", "float"},
    {"number", "number"},
    {"str", "str"},
    {"bytes", "bytes"},
    {"bytearray", "bytearray"},
    {"data", "plain"},
    {"ndarray", "made(numpy_array numpy_frombuffer) | raw"},
    {"scalar", "made(numpy_scalar)"},
    {"tensor", "made(torch_tensor torch_typed torch_parameter torch_quantised torch_sparse torch_nested)"},
}};

struct ClassName {
  std::string_view module;
  std::string_view name;
};

// Split takes the last part for the name of the class; nothing when there is no module or a part is no identifier.
std::optional<ClassName> Split(std::string_view full) {
  const std::size_t dot = full.rfind('.');
  if (dot == std::string_view::npos || full.size() > kMostName) return std::nullopt;
  for (std::string_view rest = full;;) {
    const std::size_t end = std::min(rest.find('.'), rest.size());
    if (!IsIdentifier(rest.substr(0, end))) return std::nullopt;
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  return ClassName{full.substr(0, dot), full.substr(dot + 1)};
}

// TypeReader translates one type. Its nesting is bounded.
class TypeReader {
 public:
  TypeReader(std::string_view type, const std::set<std::string>& classes) : rest_(type), classes_(classes) {}

  // Read returns the schema of the whole text, or nothing.
  std::string Read() {
    std::string schema = Alternatives(0);
    return At("") ? schema : std::string();
  }

 private:
  void SkipSpaces() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  bool At(std::string_view sign) {
    SkipSpaces();
    return sign.empty() ? rest_.empty() : rest_.starts_with(sign);
  }
  bool Eat(std::string_view sign) {
    if (!At(sign)) return false;
    rest_.remove_prefix(sign.size());
    return true;
  }

  std::string Alternatives(unsigned depth) {
    std::string schema = One(depth);
    while (!schema.empty() && Eat("|")) {
      const std::string next = One(depth);
      if (next.empty()) return {};
      schema += " | " + next;
    }
    return schema;
  }

  std::string One(unsigned depth) {
    SkipSpaces();
    constexpr std::string_view kEnds = " [],|";
    const std::string_view word = rest_.substr(0, rest_.find_first_of(kEnds));
    rest_.remove_prefix(word.size());
    if (At("[")) return Container(word, depth);
    for (const auto& [name, schema] : kWords) {
      if (word == name) return std::string(schema);
    }
    return Object(word);
  }

  // A class of the files, or one that the built-in list knows how to make.
  std::string Object(std::string_view word) const {
    const auto name = Split(word);
    if (!name) return {};
    if (!classes_.contains(std::string(word))) {
      const pickle::AllowEntry* entry = pickle::AllowList::BuiltIn().Find(name->module, name->name);
      if (entry == nullptr || entry->kind != pickle::EntryKind::kClass) return {};
      return "object(" + std::string(entry->module) + ":" + std::string(entry->name) + ")";
    }
    return "object(" + std::string(name->module) + ":" + std::string(name->name) + ")";
  }

  std::string Container(std::string_view word, unsigned depth) {
    if (depth >= kMostNesting || !Eat("[")) return {};
    std::string schema = std::string(word) + "(";
    const std::string first = Alternatives(depth + 1);
    if (first.empty()) return {};
    schema += first;
    if (word == "dict") {
      const std::string value = Eat(",") ? Alternatives(depth + 1) : std::string();
      if (value.empty()) return {};
      schema += ": " + value;
    } else if (word == "tuple") {
      if (!TupleRest(schema, depth)) return {};
    } else if (word != "list" && word != "set") {
      return {};
    }
    return Eat("]") ? schema + ")" : std::string();
  }

  // TupleRest reads what follows the first type of a tuple: more types, or "...".
  bool TupleRest(std::string& schema, unsigned depth) {
    for (std::size_t parts = 1; Eat(","); ++parts) {
      if (parts == 1 && Eat("...")) {
        schema += " ...";
        return true;
      }
      const std::string part = Alternatives(depth + 1);
      if (part.empty()) return false;
      schema += ", " + part;
    }
    return true;
  }

  std::string_view rest_;
  const std::set<std::string>& classes_;
};

bool IsDunder(std::string_view name) { return name.starts_with("__") && name.ends_with("__"); }

// Attributes returns the fields of a schema, and says whether one of them must be there.
Result<std::string> Attributes(toml::Table& table, const std::set<std::string>& classes, bool& required) {
  std::string fields;
  SAFEMODEL_ASSIGN(const auto optional_names, table.OptionalStrings("optional"));
  SAFEMODEL_ASSIGN(toml::Table attributes, table.RequiredTable("attributes"));
  std::set<std::string> optional;
  for (const std::string& name : optional_names.value_or(std::vector<std::string>())) {
    const bool stated = attributes.Has(name) && optional.insert(name).second;
    if (!stated) return table.Refuse("optional", "bad_optional", "an optional attribute is not stated, or named twice");
  }
  for (const std::string& name : attributes.Keys()) {
    if (!IsIdentifier(name) || name.size() > kMostName)
      return attributes.Refuse(name, "bad_attribute", "the name of an attribute is no Python identifier");
    if (IsDunder(name)) {
      return attributes.Refuse(name, "reserved_attribute", "names with two underscores on both sides belong to Python");
    }
    SAFEMODEL_ASSIGN(const std::string type, attributes.RequiredString(name));
    const std::string schema = SchemaOf(type, classes);
    if (schema.empty()) {
      return attributes.Refuse(name, "unknown_type",
                               "this is no type, nor a class of these files or of the built-in list");
    }
    required = required || !optional.contains(name);
    fields += (fields.empty() ? "" : ", ") + name + (optional.contains(name) ? "?: " : ": ") + schema;
  }
  SAFEMODEL_TRY(attributes.Finish());
  return fields;
}

}  // namespace

bool IsIdentifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

const char* CheckClassName(std::string_view full_name) {
  const auto name = Split(full_name);
  if (!name) return "a class is named by its module and its name, as in acme.models.Ranker";
  if (IsDunder(name->name)) return "names with two underscores on both sides belong to Python";
  if (pickle::IsStandardLibrary(name->module)) return "nobody vouches for names of Python's own library";
  if (pickle::IsDangerous(name->module, name->name) || pickle::MakesCode(name->module, name->name))
    return "this name is known to lead to running code";
  if (pickle::AllowList::BuiltIn().Find(name->module, name->name) != nullptr)
    return "the built-in allow-list decides on this name already";
  return nullptr;
}

std::string SchemaOf(std::string_view type, const std::set<std::string>& classes) {
  return TypeReader(type, classes).Read();
}

Result<std::string> ClassEntry(toml::Table& table, const std::set<std::string>& classes) {
  SAFEMODEL_ASSIGN(const std::string full_name, table.RequiredString("name"));
  bool required = false;
  SAFEMODEL_ASSIGN(std::string fields, Attributes(table, classes, required));
  SAFEMODEL_ASSIGN(const auto stated, table.OptionalString("extra_attributes"));
  const std::string extra = stated.value_or("refuse");
  if (extra != "refuse" && extra != "data") {
    return table.Refuse("extra_attributes", "bad_value", "this is \"refuse\" or \"data\"");
  }
  SAFEMODEL_TRY(table.Finish());
  if (extra == "data") fields += fields.empty() ? "*: plain" : ", *: plain";
  const auto name = Split(full_name).value_or(ClassName{});
  return "class " + std::string(name.module) + ": " + std::string(name.name) + "\n  new ()\n  state {" + fields +
         "}\n" + (required ? "  state required\n" : "");
}

}  // namespace safemodel
