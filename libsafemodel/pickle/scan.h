// SPDX-License-Identifier: Apache-2.0
// Scanning of the pickle family: archives, compressed files, streams and what lies behind them.
#pragma once

#include <cstdint>
#include <string>

#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/findings.h"
#include "pickle/import.h"

namespace safemodel::pickle {

// ScanClaim is what readers made of an input besides their findings.
struct ScanClaim {
  std::string layout;           // empty: no reader claims it
  std::uint64_t explained = 0;  // bytes that a reader claimed
};

// ScanSource judges an input and everything inside it, by content. Archives, streams and constants inside are judged
// like inputs of their own, at most 8 levels deep; members that no reader claims are counted as opaque. Errors are
// those of the system (kIo); all else is a finding. Bytes of tensors are read only where a proof needs them.
Result<ScanClaim> ScanSource(const SharedSource& source, const ImportOptions& options, Findings& findings);

// ScanText looks for credentials in bytes that no reader claims, if they are text.
Status ScanText(const ByteSource& source, Findings& findings);

}  // namespace safemodel::pickle
