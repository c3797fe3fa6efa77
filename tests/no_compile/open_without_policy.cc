// SPDX-License-Identifier: Apache-2.0
// Opening asks for a policy and for an expectation; neither has a default.
// expect: (no matching function|too few arguments)
#include <safemodel/model.h>

safemodel::Result<safemodel::VerifiedModel> Use(const safemodel::Policy& policy) {
#ifdef MISUSE
  static_cast<void>(policy);
  return safemodel::VerifiedModel::Open("model.safemodel");
#else
  return safemodel::VerifiedModel::Open("model.safemodel", policy, safemodel::Expectation::Model("team/model"));
#endif
}
