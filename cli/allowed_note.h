// SPDX-License-Identifier: Apache-2.0
// Telling which files of classes a result rests on.
#pragma once

#include <safemodel/allowed_classes.h>

#include <string_view>

#include "console.h"
#include "json_writer.h"

namespace safemodel::cli {

// NoteAllowed prints a line for each file: whose word a verdict rests on is no detail.
void NoteAllowed(const Console& console, const AllowedClasses& allowed);

// WriteAllowed writes a member with path, BLAKE3 and number of classes of each file; nothing when there is none.
void WriteAllowed(JsonWriter& json, std::string_view key, const std::vector<AllowedClasses::File>& files);

}  // namespace safemodel::cli
