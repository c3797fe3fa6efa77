// SPDX-License-Identifier: Apache-2.0
// Scanning of the pickle family: archives, compressed files, streams and what lies behind them.
#pragma once

#include <cstdint>
#include <string>

#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/findings.h"
#include "pickle/import.h"
#include "pickle/zip.h"

namespace safemodel::pickle {

// ScanClaim is what readers made of an input besides their findings.
struct ScanClaim {
  std::string layout;           // empty: no reader claims it
  std::uint64_t explained = 0;  // bytes that a reader claimed
};

// ScanSource judges an input and everything inside it, by content. Archives, streams and constants inside are judged
// like inputs of their own, at most 8 levels deep, of which the input is at `level`; members that no reader claims are
// counted as opaque. Errors are those of the system (kIo); all else is a finding. Bytes of tensors are read only where
// a proof needs them.
Result<ScanClaim> ScanSource(const SharedSource& source, const ImportOptions& options, Findings& findings,
                             unsigned level = 0);

// CheckMembers judges the members of an archive of PyTorch besides the pickles that ImportTorchZip runs: torch.load can
// be told to run any of them. The error is the gravest refusal, about the member. Members that are merely unknown pass:
// nothing of them is converted.
Status CheckMembers(const ZipArchive& archive, const ImportOptions& options, Findings& findings);

}  // namespace safemodel::pickle
