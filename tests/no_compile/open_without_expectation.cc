// SPDX-License-Identifier: Apache-2.0
// Not to care which model it is has to be said: another validly signed model may lie under the same file name.
// expect: (no matching function|too few arguments)
#include <safemodel/model.h>

safemodel::Result<safemodel::VerifiedModel> Use(const safemodel::Policy& policy) {
#ifdef MISUSE
  return safemodel::VerifiedModel::Open("model.safemodel", policy);
#else
  return safemodel::VerifiedModel::Open("model.safemodel", policy, safemodel::Expectation::Any());
#endif
}
