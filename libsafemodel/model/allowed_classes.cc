// SPDX-License-Identifier: Apache-2.0
#include <safemodel/allowed_classes.h>

#include <set>
#include <utility>

#include "base/cursor.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "model/allowed_table.h"
#include "model/class_table.h"
#include "pickle/allow_list.h"
#include "toml/read_file.h"
#include "toml/toml.h"

namespace safemodel {
namespace {

constexpr std::size_t kMostClasses = 10000;  // of all files together
constexpr std::uint64_t kFormatVersion = 1;

Digest DigestOf(ByteView bytes) {
  crypto::Blake3 hash;
  hash.Update(bytes);
  return hash.Finish();
}

// ClassTables reads the outermost level of one file, and registers the names of its classes.
Result<std::vector<toml::Table>> ClassTables(toml::Table root, std::set<std::string>& names) {
  SAFEMODEL_TRY(root.RequiredInteger("version", {kFormatVersion, kFormatVersion}));
  SAFEMODEL_ASSIGN(std::vector<toml::Table> tables, root.Tables("class"));
  SAFEMODEL_TRY(root.Finish());
  if (tables.empty()) return root.Refuse("class", "no_classes", "the file states no [[class]]");
  for (const toml::Table& entry : tables) {
    toml::Table copy = entry;
    SAFEMODEL_ASSIGN(const std::string name, copy.RequiredString("name"));
    if (const char* why = CheckClassName(name)) return entry.Refuse("name", "class_not_allowed", why);
    if (!names.insert(name).second) return entry.Refuse("name", "class_twice", "the class is stated twice");
    if (names.size() > kMostClasses) return entry.Refuse("name", "many_classes", "there are more than 10 000 classes");
  }
  return tables;
}

}  // namespace

const pickle::AllowList* TableOf(const AllowedClasses& allowed) { return allowed.table_.get(); }

Result<AllowedClasses> AllowedClasses::FromFiles(const std::vector<std::string>& paths) {
  return CatchOutOfMemory([&]() -> Result<AllowedClasses> {
    std::vector<Text> texts;
    for (const std::string& path : paths) {
      SAFEMODEL_ASSIGN(const ByteBuffer bytes, toml::ReadFile(path));
      texts.push_back({path, std::string(bytes.begin(), bytes.end())});
    }
    return Parse(texts);
  });
}

Result<AllowedClasses> AllowedClasses::Parse(const std::vector<Text>& texts) {
  return CatchOutOfMemory([&]() -> Result<AllowedClasses> {
    AllowedClasses allowed;
    std::set<std::string> names;
    std::vector<toml::Table> classes;
    for (const Text& text : texts) {
      SAFEMODEL_ASSIGN(toml::Table root, toml::Parse(AsBytes(text.text), text.name));
      SAFEMODEL_ASSIGN(const std::vector<toml::Table> tables, ClassTables(std::move(root), names));
      allowed.files_.push_back({text.name, DigestOf(AsBytes(text.text)), tables.size()});
      classes.insert(classes.end(), tables.begin(), tables.end());
    }
    if (classes.empty()) return allowed;
    std::string table;
    for (toml::Table& entry : classes) {
      SAFEMODEL_ASSIGN(const std::string text, ClassEntry(entry, names));
      table += text;
    }
    auto parsed = pickle::AllowList::ParseUser(table);
    if (!parsed.ok()) return Error{Stage::kInternal, "internal", "a table of classes was written wrongly"};
    allowed.table_ = std::move(parsed).value();
    return allowed;
  });
}

}  // namespace safemodel
