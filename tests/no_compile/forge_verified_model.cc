// SPDX-License-Identifier: Apache-2.0
// Nobody makes a VerifiedModel but VerifiedModel::Open, where the policy is asked.
// expect: (private|no matching|no default constructor)
#include <safemodel/model.h>

safemodel::Result<safemodel::VerifiedModel> Use(const safemodel::Policy& policy) {
#ifdef MISUSE
  return safemodel::VerifiedModel(nullptr);
#else
  return safemodel::VerifiedModel::Open("model.safemodel", policy, safemodel::Expectation::Any());
#endif
}
