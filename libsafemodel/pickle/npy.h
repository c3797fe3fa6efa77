// SPDX-License-Identifier: Apache-2.0
// numpy's .npy and .npz files as models.
#pragma once

#include <safemodel/result.h>

#include "pickle/findings.h"
#include "pickle/import.h"
#include "pickle/node.h"
#include "pickle/rule.h"
#include "pickle/zip.h"

namespace safemodel::pickle {

// ReadNpyArray enters one .npy file that lies at `begin` of the graph's stream and returns its node. An array of
// objects is a pickle, which the machine judges. kMalformed FILE-MALFORMED when the file ends inside its array;
// kUnsafe MEM-NPY when something follows the numbers; kUnsupported FILE-UNSUPPORTED when that is nothing but further
// arrays, which are judged too.
Result<NodeIndex> ReadNpyArray(RuleContext& context, const SharedSource& file, std::uint64_t begin,
                               ConvertOptions::Unknown unknown);

// ImportNpy reads one array; an array of objects is a pickle, which the machine judges. Layout "npy". One
// newline may follow that pickle, nothing else: kMalformed PKL-TRAILING.
Result<ImportedModel> ImportNpy(const SharedSource& source, const ImportOptions& options, Findings& findings);

// IsNpzArchive says whether every member is a .npy file by content (folders aside), and there is one.
Result<bool> IsNpzArchive(const ZipArchive& archive);

// ImportNpz reads an archive of arrays into a dict from member names, without their ".npy", to arrays. Layout "npz".
// kUnsafe ZIP-DUPLICATE for two names that are one without the suffix; ZIP-NAME for names that are not UTF-8.
Result<ImportedModel> ImportNpz(const ZipArchive& archive, const ImportOptions& options, Findings& findings);

}  // namespace safemodel::pickle
