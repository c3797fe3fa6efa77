// SPDX-License-Identifier: Apache-2.0
// Archives at the end of files that are something else.
#pragma once

#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/findings.h"
#include "pickle/import.h"

namespace safemodel::pickle {

// ScanArchiveAtEnd judges the archive that Python's zipfile, and so pandas, opens by the end of a file that begins as
// something else, if there is one. Data may honestly end with an archive, such as the bytes of one in a pickle: the
// note FILE-EMBEDDED says so where nothing in it is worse than unknown, of which findings tell. FILE-POLYGLOT is
// dangerous where one is dangerous or cannot be read, or where readers do not find the same archive. `level` is how
// deep the file lies in others.
Status ScanArchiveAtEnd(const SharedSource& source, const ImportOptions& options, Findings& findings,
                        unsigned level = 0);

// CheckArchiveAtEnd refuses what is not clean there, or is dangerous when unknown classes are kept as inert data.
// kUnsafe FILE-POLYGLOT.
Status CheckArchiveAtEnd(const SharedSource& source, const ImportOptions& options);

}  // namespace safemodel::pickle
