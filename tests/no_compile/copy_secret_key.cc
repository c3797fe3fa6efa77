// SPDX-License-Identifier: Apache-2.0
// A secret key is not copied: there is one guarded page to wipe.
// expect: (deleted|implicitly-deleted)
#include <utility>

#include <safemodel/keys.h>

safemodel::SecretKey Use(safemodel::SecretKey& key) {
#ifdef MISUSE
  return key;
#else
  return std::move(key);
#endif
}
