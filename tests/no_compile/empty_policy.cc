// SPDX-License-Identifier: Apache-2.0
// There is no empty policy: one that asks for nothing would accept everything.
// expect: (private|no matching)
#include <utility>

#include <safemodel/policy.h>

safemodel::Result<safemodel::Policy> Use(safemodel::PublicKey key) {
#ifdef MISUSE
  static_cast<void>(key);
  return safemodel::Policy();
#else
  return safemodel::Policy::AnyOf({std::move(key)});
#endif
}
