// SPDX-License-Identifier: Apache-2.0
// An identity is not copied by mistake: who holds one is visible where it is handed on.
// expect: (deleted|implicitly-deleted)
#include <utility>

#include <safemodel/recipients.h>

safemodel::Identity Use(safemodel::Identity& identity) {
#ifdef MISUSE
  return identity;
#else
  return std::move(identity);
#endif
}
