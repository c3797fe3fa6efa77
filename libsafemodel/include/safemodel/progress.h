// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

namespace safemodel {

// Functions of callers: this one, and all others that the library is given (LogVisitor, PassphraseSource,
// IdentitySource, what Scan reports to). They must not throw. They may run on a worker thread, where an exception has
// no caller to go to and ends the process; std::bad_alloc alone is caught, and becomes kIo "out_of_memory".

// Progress is called with bytes done and bytes in total, or what the function says that it counts instead, from any
// worker thread but never from two at once. Empty: no reports.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

}  // namespace safemodel
