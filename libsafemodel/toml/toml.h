// SPDX-License-Identifier: Apache-2.0
// Strict TOML for configuration: the only folder that includes toml++. Every refusal has Stage::kConfig and a subject
// "NAME:LINE:COLUMN: dotted.path", so that whoever wrote the file finds the place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel::toml {

struct Limits {
  std::uint64_t bytes = 1u << 20;  // length of the text
  std::uint32_t depth = 16;        // nesting of tables and arrays, and parts of one dotted key
};

// What other programs read exactly too.
inline constexpr std::uint64_t kMaxInteger = (std::uint64_t{1} << 53) - 1;
struct Range {
  std::uint64_t min = 0;
  std::uint64_t max = kMaxInteger;
};

struct Node;

// Table reads one table of a document and remembers which keys were asked for, so that Finish refuses the others.
// Required... fails (missing_field) where the key is absent; all fail (wrong_type) where the value is of another kind.
// It shares the parsed document: a copy is cheap and the document needs no other owner. For one thread.
class Table {
 public:
  [[nodiscard]] bool Has(std::string_view key) const;
  // Keys returns those that nothing has asked for yet, in the order of the text.
  [[nodiscard]] std::vector<std::string> Keys() const;

  [[nodiscard]] Result<std::string> RequiredString(std::string_view key);
  [[nodiscard]] Result<std::optional<std::string>> OptionalString(std::string_view key);
  // Integers are what was written as one; outside of the range is out_of_range.
  [[nodiscard]] Result<std::uint64_t> RequiredInteger(std::string_view key, Range range = {});
  [[nodiscard]] Result<std::optional<std::uint64_t>> OptionalInteger(std::string_view key, Range range = {});
  [[nodiscard]] Result<bool> RequiredBool(std::string_view key);
  [[nodiscard]] Result<std::optional<bool>> OptionalBool(std::string_view key);
  [[nodiscard]] Result<std::vector<std::string>> RequiredStrings(std::string_view key);
  [[nodiscard]] Result<std::optional<std::vector<std::string>>> OptionalStrings(std::string_view key);
  [[nodiscard]] Result<Table> RequiredTable(std::string_view key);
  [[nodiscard]] Result<std::optional<Table>> OptionalTable(std::string_view key);
  // Tables returns an array of tables, [[key]] or inline; none where the key is absent.
  [[nodiscard]] Result<std::vector<Table>> Tables(std::string_view key);

  // Finish refuses (unknown_field) the first key of this table that nothing asked for. Tables inside have their own.
  [[nodiscard]] Status Finish() const;
  // Refuse makes the caller's own refusal of what a key of this table says, or of the table itself where it has no such
  // key. `code` and `text` as in Error.
  [[nodiscard]] Error Refuse(std::string_view key, const char* code, const char* text) const;

 private:
  friend Result<Table> Parse(ByteView text, const std::string& name, const Limits& limits);
  Table(std::shared_ptr<const Node> node, std::shared_ptr<const std::string> name, std::string path);
  [[nodiscard]] const Node* Find(std::string_view key) const;
  [[nodiscard]] const Node* Take(std::string_view key);
  [[nodiscard]] Table Inside(const Node& node, std::string path) const;
  [[nodiscard]] std::string PathOf(std::string_view key) const;
  [[nodiscard]] Error RefuseAt(const Node& node, const std::string& path, const char* code, const char* text) const;
  [[nodiscard]] Error WrongType(const Node& node, std::string_view key, const char* text) const;
  [[nodiscard]] Error Missing(std::string_view key) const;

  std::shared_ptr<const Node> node_;
  std::shared_ptr<const std::string> name_;  // of the document, for messages
  std::string path_;                         // of this table in it; empty for the document itself
  std::vector<bool> asked_;                  // by member of the table
};

// Parse reads one TOML 1.0 document. Refused: text over the limit (too_large), a byte order mark, bytes that are no
// UTF-8, NUL in the text or escaped in a string (toml_encoding), what is no TOML, equal keys and tables among it
// (toml_syntax), nesting over the limit (too_deep). `name` is what messages call the document.
Result<Table> Parse(ByteView text, const std::string& name, const Limits& limits = {});

}  // namespace safemodel::toml
