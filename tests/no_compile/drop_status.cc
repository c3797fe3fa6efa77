// SPDX-License-Identifier: Apache-2.0
// A read that failed cannot go unnoticed.
// expect: nodiscard
#include <safemodel/model.h>

bool Use(const safemodel::VerifiedModel& model, const safemodel::Tensor& tensor, safemodel::MutableBytes out) {
#ifdef MISUSE
  model.Read(tensor, out);
  return true;
#else
  return model.Read(tensor, out).ok();
#endif
}
