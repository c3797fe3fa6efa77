// SPDX-License-Identifier: Apache-2.0
// What a file is, by its content, and what else some reader would take it for.
#pragma once

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/import.h"

namespace safemodel::pickle {

// HeadOf returns the first bytes of a source, as many as recognising it takes.
Result<ByteBuffer> HeadOf(const ByteSource& source);

// CheckPolyglot refuses a pickle that other readers open as something else: torch.load looks for a tar first,
// joblib.load for bz2, whose magic is a pickle's BINBYTES too. kUnsafe FILE-POLYGLOT.
Status CheckPolyglot(ByteView head);

// CheckNoTar refuses what is another file and opens as a tar archive as well. kUnsafe FILE-POLYGLOT.
Status CheckNoTar(ByteView head);

// SkipZeros returns where, from `begin` on, the first byte stands that is not zero.
Result<std::uint64_t> SkipZeros(const ByteSource& source, std::uint64_t begin);

}  // namespace safemodel::pickle
