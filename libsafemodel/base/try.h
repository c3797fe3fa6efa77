// SPDX-License-Identifier: Apache-2.0
// Early return for Result and Status.
#pragma once

#include <safemodel/result.h>

#define SAFEMODEL_CONCAT_INNER(a, b) a##b
#define SAFEMODEL_CONCAT(a, b) SAFEMODEL_CONCAT_INNER(a, b)

// SAFEMODEL_TRY returns the error of a Status or Result from the enclosing function.
#define SAFEMODEL_TRY(expression)                                           \
  do {                                                                      \
    auto safemodel_status = (expression);                                   \
    if (!safemodel_status.ok()) return std::move(safemodel_status).error(); \
  } while (false)

// SAFEMODEL_ASSIGN declares or assigns `target` from the value of a Result, or returns its error.
#define SAFEMODEL_ASSIGN(target, expression) \
  SAFEMODEL_ASSIGN_INNER(target, expression, SAFEMODEL_CONCAT(safemodel_result_, __LINE__))
#define SAFEMODEL_ASSIGN_INNER(target, expression, result) \
  auto result = (expression);                              \
  if (!result.ok()) return result.error();                 \
  target = std::move(result).value()
