// SPDX-License-Identifier: Apache-2.0
// What a converted model is called, and where it says it comes from.
#pragma once

#include <safemodel/convert.h>

#include "model/source_digest.h"
#include "model/writer.h"
#include "value/imported.h"

namespace safemodel {

// Metadata about the source have keys that begin so.
inline constexpr std::string_view kSourcePrefix = "source.";

// CheckIdentityOptions refuses (kUsage) names, versions, sequences and metadata that no reader would accept.
Status CheckIdentityOptions(const ConvertOptions& options);

// StemName makes a model name of a path: its last part without the suffix, other letters than the allowed ones as '-'.
std::string StemName(const std::string& path);
// CleanName puts '-' for letters that a model name may not have, and "model" for a name that nothing is left of.
std::string CleanName(std::string name);

// IdentityFor puts together what the manifest says, but for the file id. Errors: kUsage (SOURCE_DATE_EPOCH).
Result<ModelIdentity> IdentityFor(const std::string& default_name, const ConvertOptions& options,
                                  const ImportedModel& model, const SourceDigests& source);

// FileIdFor draws a file id, or derives it from content and options when the output is to be reproducible.
FileId FileIdFor(const ConvertOptions& options, const ModelIdentity& identity, const Digest& content_digest);

// PrivateMetadata returns what the directory says about the source: its own metadata, and the globals that it named.
container::KeyValues PrivateMetadata(const ImportedModel& model);

}  // namespace safemodel
