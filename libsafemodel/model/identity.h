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

// StemOf returns the last part of a path without its suffix.
std::string StemOf(const std::string& path);
// CleanName makes a model name of what a file or folder is called: one '-' between what is left where ASCII is that a
// model name may not have, "model" for no name. kUsage "name_needed" for other letters than ASCII, and where nothing
// but '-' would be left: the names of different files would become one.
Result<std::string> CleanName(std::string name);

// IdentityFor puts together what the manifest says, but for the file id. Errors: kUsage (SOURCE_DATE_EPOCH).
Result<ModelIdentity> IdentityFor(const std::string& name, const ConvertOptions& options, const ImportedModel& model,
                                  const SourceDigests& source);

// FileIdFor draws a file id, or derives it from content and options when the output is to be reproducible.
FileId FileIdFor(const ConvertOptions& options, const ModelIdentity& identity, const Digest& content_digest);

// PrivateMetadata returns what the directory says about the source: its own metadata, and the globals that it named.
container::KeyValues PrivateMetadata(const ImportedModel& model);

}  // namespace safemodel
