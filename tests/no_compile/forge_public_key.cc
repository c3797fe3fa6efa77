// SPDX-License-Identifier: Apache-2.0
// A public key is made only by functions that refuse weak encodings.
// expect: (private|no matching)
#include <safemodel/keys.h>

safemodel::Result<safemodel::PublicKey> Use(safemodel::ByteView bytes) {
#ifdef MISUSE
  static_cast<void>(bytes);
  return safemodel::PublicKey();
#else
  return safemodel::PublicKey::FromBytes(bytes);
#endif
}
