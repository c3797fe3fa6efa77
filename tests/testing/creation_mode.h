// SPDX-License-Identifier: Apache-2.0
// For tests that stand in front of the C library's open and openat.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstdarg>

namespace safemodel::testing {

// CreationMode returns the mode that was given behind the flags; 0 where they ask for none.
inline mode_t CreationMode(int flags, std::va_list arguments) {
  const bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return creates ? va_arg(arguments, mode_t) : 0;
}

}  // namespace safemodel::testing
