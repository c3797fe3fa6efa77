// SPDX-License-Identifier: Apache-2.0
// A secret key has no stream operator, so it does not end in a log.
// expect: (no match for|invalid operands)
#include <ostream>

#include <safemodel/keys.h>

void Use(std::ostream& log, const safemodel::SecretKey& key) {
#ifdef MISUSE
  log << key;
#else
  log << key.public_key().KeyId();
#endif
}
