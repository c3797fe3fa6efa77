// SPDX-License-Identifier: Apache-2.0
// Configuration. Whatever the text is, the reader refuses it as configuration or returns tables within its limits that
// can be walked. A refusal as a bug would mean that the look at the nesting before the parser and the parser disagree.
#include "toml/toml.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/property.h"

namespace {

using safemodel::toml::Table;

// ReadKey asks for a key as every type; exactly what it is may succeed.
void ReadKey(Table& table, const std::string& key, std::vector<Table>& inside) {
  SAFEMODEL_PROPERTY(table.Has(key));
  const auto number = table.RequiredInteger(key);
  SAFEMODEL_PROPERTY(!number.ok() || number.value() <= safemodel::toml::kMaxInteger);
  const auto sub = table.RequiredTable(key);
  const auto tables = table.Tables(key);
  const auto text = table.RequiredString(key);
  SAFEMODEL_PROPERTY(!text.ok() || text.value().find('\0') == std::string::npos);
  const int kinds = static_cast<int>(number.ok()) + static_cast<int>(sub.ok()) + static_cast<int>(text.ok()) +
                    static_cast<int>(table.RequiredBool(key).ok()) +
                    static_cast<int>(tables.ok() || table.RequiredStrings(key).ok());
  SAFEMODEL_PROPERTY(kinds <= 1);
  if (sub.ok()) inside.push_back(sub.value());
  if (tables.ok()) inside.insert(inside.end(), tables.value().begin(), tables.value().end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto root = safemodel::toml::Parse({data, size}, "input");
  if (!root.ok()) {
    SAFEMODEL_PROPERTY(root.error().stage == safemodel::Stage::kConfig);
    return 0;
  }
  std::vector<Table> work = {root.value()};
  while (!work.empty()) {
    Table table = work.back();
    work.pop_back();
    const auto keys = table.Keys();
    SAFEMODEL_PROPERTY(table.Finish().ok() == keys.empty());
    for (const std::string& key : keys) ReadKey(table, key, work);
    SAFEMODEL_PROPERTY(table.Finish().ok());
  }
  return 0;
}
