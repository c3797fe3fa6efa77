// SPDX-License-Identifier: Apache-2.0
// A passphrase has no stream operator, so it does not end in a log.
// expect: (no match for|invalid operands)
#include <ostream>

#include <safemodel/keys.h>

void Use(std::ostream& log, const safemodel::Passphrase& passphrase) {
#ifdef MISUSE
  log << passphrase;
#else
  log << passphrase.empty();
#endif
}
