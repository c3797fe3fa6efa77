// SPDX-License-Identifier: Apache-2.0
// Inside the library too: a manifest becomes trusted by Authenticate, not by being parsed.
// expect: (private|no matching)
#include <utility>

#include "trust/authenticate.h"

safemodel::Result<safemodel::trust::TrustedManifest> Use(safemodel::trust::OpenedContainer opened,
                                                         const safemodel::Policy& policy) {
#ifdef MISUSE
  static_cast<void>(opened);
  static_cast<void>(policy);
  return safemodel::trust::TrustedManifest();
#else
  return safemodel::trust::Authenticate(std::move(opened), policy, safemodel::Expectation::Any(), 0,
                                        safemodel::Limits{});
#endif
}
