// SPDX-License-Identifier: Apache-2.0
// A passphrase is not copied: there is one guarded page to wipe.
// expect: (deleted|implicitly-deleted)
#include <utility>

#include <safemodel/keys.h>

safemodel::Passphrase Use(safemodel::Passphrase& passphrase) {
#ifdef MISUSE
  return passphrase;
#else
  return std::move(passphrase);
#endif
}
