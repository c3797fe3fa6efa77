// SPDX-License-Identifier: Apache-2.0
#include "allowed_note.h"

#include "escape.h"

namespace safemodel::cli {

void NoteAllowed(const Console& console, const AllowedClasses& allowed) {
  for (const AllowedClasses::File& file : allowed.files()) {
    console.Note("allowing " + std::to_string(file.classes) + (file.classes == 1 ? " class" : " classes") + " of " +
                 EscapeForTerminal(file.path) + ", BLAKE3 " + HexOf(file.blake3));
  }
}

void WriteAllowed(JsonWriter& json, std::string_view key, const std::vector<AllowedClasses::File>& files) {
  if (files.empty()) return;
  json.Key(key), json.BeginArray();
  for (const AllowedClasses::File& file : files) {
    json.BeginObject();
    json.Member("path", file.path);
    json.Hex("blake3", file.blake3);
    json.Member("classes", static_cast<std::uint64_t>(file.classes));
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace safemodel::cli
