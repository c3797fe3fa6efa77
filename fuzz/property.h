// SPDX-License-Identifier: Apache-2.0
// What a fuzz target checks. A property that does not hold ends the process, with or without NDEBUG.
#pragma once

#include <cstdio>
#include <cstdlib>

#define SAFEMODEL_PROPERTY(holds)                                                              \
  do {                                                                                         \
    if (!(holds)) {                                                                            \
      std::fprintf(stderr, "%s:%d: property does not hold: %s\n", __FILE__, __LINE__, #holds); \
      std::abort();                                                                            \
    }                                                                                          \
  } while (false)
