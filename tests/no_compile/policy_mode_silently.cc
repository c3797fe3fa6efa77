// SPDX-License-Identifier: Apache-2.0
// A rule's mode softens a load only where the code says so with a token that a review finds.
// expect: (no matching|cannot convert|could not convert|no viable|no known conversion|explicit constructor|explicit)
#include <safemodel/model.h>

safemodel::Result<safemodel::VerifiedModel> Use(const safemodel::Policy& policy) {
#ifdef MISUSE
  return safemodel::VerifiedModel::OpenInPolicyMode("m", policy, safemodel::Expectation::Any(), {});
#else
  return safemodel::VerifiedModel::OpenInPolicyMode("m", policy, safemodel::Expectation::Any(),
                                                    safemodel::InsecurePolicyMode());
#endif
}
