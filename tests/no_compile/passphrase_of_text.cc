// SPDX-License-Identifier: Apache-2.0
// A passphrase source does not answer with a plain text, which nobody would wipe.
// expect: (cannot convert|could not convert|no matching|no viable)
#include <string>

#include <safemodel/keys.h>

safemodel::Result<safemodel::SecretKey> Use(const std::string& path) {
#ifdef MISUSE
  return safemodel::SecretKey::FromFile(path, [] { return std::string("secret"); });
#else
  return safemodel::SecretKey::FromFile(path, [] { return safemodel::Passphrase(); });
#endif
}
