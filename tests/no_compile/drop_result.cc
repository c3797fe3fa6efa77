// SPDX-License-Identifier: Apache-2.0
// The answer of a fallible function cannot be ignored.
// expect: nodiscard
#include <safemodel/keys.h>

void Use() {
#ifdef MISUSE
  safemodel::SecretKey::Generate();
#else
  static_cast<void>(safemodel::SecretKey::Generate());
#endif
}
