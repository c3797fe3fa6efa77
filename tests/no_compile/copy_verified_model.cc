// SPDX-License-Identifier: Apache-2.0
// A VerifiedModel moves and is not copied: there is one open descriptor behind it.
// expect: (deleted|implicitly-deleted)
#include <utility>

#include <safemodel/model.h>

safemodel::VerifiedModel Use(safemodel::VerifiedModel& model) {
#ifdef MISUSE
  return model;
#else
  return std::move(model);
#endif
}
