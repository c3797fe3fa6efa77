// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <utility>

#include "base/try.h"
#include "base/utf8.h"
#include "toml/nesting.h"
#include "toml/node.h"
#include "toml/toml.h"

// Results instead of exceptions, no file access of its own, TOML 1.0 and not what later versions plan.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_UNRELEASED_FEATURES 0
#define TOML_MAX_NESTED_VALUES 64
#include <toml++/toml.h>

namespace safemodel::toml {
namespace {

struct Place {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

Error RefuseText(const std::string& name, Place place, const char* code, const char* text, std::string_view why = {}) {
  std::string subject = name + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
  if (!why.empty()) subject.append(": ").append(why);
  return {Stage::kConfig, code, text, kNoOffset, std::move(subject)};
}

Place PlaceOf(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const std::string_view line = before.substr(line_start);
  const auto characters = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
  return {static_cast<std::uint32_t>(lines) + 1, static_cast<std::uint32_t>(characters) + 1};
}

Status CheckText(std::string_view text, const std::string& name, const Limits& limits) {
  if (text.size() > limits.bytes) {
    return Error{Stage::kConfig, "too_large", "this configuration is longer than its limit", kNoOffset, name};
  }
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    return RefuseText(name, {}, "toml_encoding", "the file starts with a byte order mark; save it as plain UTF-8");
  }
  const std::size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    return RefuseText(name, PlaceOf(text, nul), "toml_encoding", "the file has a NUL byte: it is no text");
  }
  if (!IsUtf8(text)) {
    return Error{Stage::kConfig, "toml_encoding", "the file is not UTF-8; save it as plain UTF-8", kNoOffset, name};
  }
  const auto deep = FindTooDeep(text, limits.depth);
  if (!deep.has_value()) return {};
  return RefuseText(name, PlaceOf(text, *deep), "too_deep", "tables, arrays or dotted keys are nested too deeply");
}

// Converter copies what toml++ parsed, without recursion.
class Converter {
 public:
  Converter(const std::string& name, std::uint32_t depth) : name_(name), depth_(depth) {}

  Result<std::shared_ptr<const Node>> Run(const ::toml::table& table) {
    auto root = std::make_shared<Node>();
    work_.push_back({&table, root.get(), 0});
    while (!work_.empty()) {
      const Item item = work_.back();
      work_.pop_back();
      SAFEMODEL_TRY(Convert(item));
    }
    return std::shared_ptr<const Node>(std::move(root));
  }

 private:
  struct Item {
    const ::toml::node* from;
    Node* to;
    std::uint32_t depth;
  };

  Status Convert(const Item& item) {
    item.to->line = item.from->source().begin.line;
    item.to->column = item.from->source().begin.column;
    switch (item.from->type()) {
      case ::toml::node_type::table: return ConvertTable(*item.from->as_table(), item);
      case ::toml::node_type::array: return ConvertArray(*item.from->as_array(), item);
      case ::toml::node_type::string: return ConvertString(item.from->as_string()->get(), item.to);
      case ::toml::node_type::integer: item.to->value = item.from->as_integer()->get(); return {};
      case ::toml::node_type::floating_point: item.to->value = item.from->as_floating_point()->get(); return {};
      case ::toml::node_type::boolean: item.to->value = item.from->as_boolean()->get(); return {};
      default: item.to->value = Temporal(); return {};
    }
  }

  [[nodiscard]] Status CheckDepth(const Item& item) const {
    if (item.depth <= depth_) return {};
    // The look at the text before bounds both factors of this product.
    if (item.depth > (depth_ + 1) * (depth_ + 1)) return Error{Stage::kInternal, "internal", "nesting was not bounded"};
    return RefuseText(name_, {item.to->line, item.to->column}, "too_deep", "tables and arrays are nested too deeply");
  }

  [[nodiscard]] Status CheckNul(const std::string& text, Place place) const {
    if (text.find('\0') == std::string::npos) return {};
    return RefuseText(name_, place, "toml_encoding", "a string or key contains U+0000");
  }

  Status ConvertString(const std::string& text, Node* to) {
    SAFEMODEL_TRY(CheckNul(text, {to->line, to->column}));
    to->value = text;
    return {};
  }

  Status ConvertArray(const ::toml::array& array, const Item& item) {
    SAFEMODEL_TRY(CheckDepth(item));
    auto& nodes = item.to->value.emplace<Node::Array>(array.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) work_.push_back({array.get(i), &nodes[i], item.depth + 1});
    return {};
  }

  Status ConvertTable(const ::toml::table& table, const Item& item) {
    SAFEMODEL_TRY(CheckDepth(item));
    auto& members = item.to->value.emplace<Node::Members>();
    std::vector<std::pair<Member, const ::toml::node*>> unordered;
    for (const auto& [key, node] : table) {
      const Place place = {key.source().begin.line, key.source().begin.column};
      SAFEMODEL_TRY(CheckNul(std::string(key.str()), place));
      unordered.push_back({{std::string(key.str()), place.line, place.column, {}}, &node});
    }
    std::sort(unordered.begin(), unordered.end(), [](const auto& a, const auto& b) {
      return std::tie(a.first.line, a.first.column) < std::tie(b.first.line, b.first.column);
    });
    for (auto& [member, node] : unordered) members.push_back(std::move(member));
    for (std::size_t i = 0; i < members.size(); ++i) {
      work_.push_back({unordered[i].second, &members[i].node, item.depth + 1});
    }
    return {};
  }

  const std::string& name_;
  std::uint32_t depth_;
  std::vector<Item> work_;
};

}  // namespace

Result<Table> Parse(ByteView bytes, const std::string& name, const Limits& limits) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  SAFEMODEL_TRY(CheckText(text, name, limits));
  const ::toml::parse_result parsed = ::toml::parse(text);
  if (!parsed) {
    const ::toml::source_position at = parsed.error().source().begin;
    return RefuseText(name, {at.line, at.column}, "toml_syntax", "this is not TOML 1.0", parsed.error().description());
  }
  SAFEMODEL_ASSIGN(auto root, Converter(name, limits.depth).Run(parsed.table()));
  return Table(std::move(root), std::make_shared<const std::string>(name), {});
}

}  // namespace safemodel::toml
