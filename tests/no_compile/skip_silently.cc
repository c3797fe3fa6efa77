// SPDX-License-Identifier: Apache-2.0
// Going round authentication takes a token with a name that a review finds; `true` or `{}` will not do.
// expect: (no matching|cannot convert|could not convert|no viable|no known conversion|explicit constructor|explicit)
#include <utility>

#include <safemodel/unverified.h>

#include "trust/authenticate.h"

safemodel::Result<safemodel::trust::TrustedManifest> Use(safemodel::trust::OpenedContainer opened) {
#ifdef MISUSE
  return safemodel::trust::SkipAuthentication(std::move(opened), {}, safemodel::Limits{});
#else
  return safemodel::trust::SkipAuthentication(std::move(opened), safemodel::InsecureSkipVerification(),
                                              safemodel::Limits{});
#endif
}
