// SPDX-License-Identifier: Apache-2.0
// What is said when an exception ends the program: there may be no memory left to say it with.
#pragma once

#include <cstdint>
#include <cstdio>

namespace safemodel::cli {

enum class Output : std::uint8_t { kText, kJson };

// ReportException tells, from within a handler, of the exception in flight and returns the exit code: kSystem for want
// of memory, otherwise kBug. With kJson it prints the one JSON document on `out`, unless a document was begun there
// already; a line goes to `log`. Allocates nothing.
int ReportException(Output output, std::FILE* out, std::FILE* log) noexcept;

}  // namespace safemodel::cli
