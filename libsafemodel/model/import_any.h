// SPDX-License-Identifier: Apache-2.0
// Import of every format that is read, recognised by content.
#pragma once

#include <memory>

#include <safemodel/convert.h>

#include "base/file.h"
#include "pickle/import.h"
#include "value/imported.h"

namespace safemodel {

// IsContainer says whether a file starts as a safemodel container does.
Result<bool> IsContainer(const File& file);

// OpenBeside opens companions of a file, by bare name: a file may not choose what else is read.
pickle::SiblingOpener OpenBeside(const std::string& path);

// ImportAny imports a model; the suffix of its name never decides. Companions that a joblib file names are looked for
// in its folder. `user` (or nothing) is what the caller vouches for. Errors: those of the readers; kUnsupported
// "FILE-UNSUPPORTED" with the name of a known format as subject; kUnsafe "FILE-POLYGLOT" for a file that two readers
// would understand differently.
Result<ImportedModel> ImportAny(const std::shared_ptr<const File>& file, const Limits& limits,
                                ConvertOptions::Unknown unknown, const pickle::AllowList* user);

}  // namespace safemodel
