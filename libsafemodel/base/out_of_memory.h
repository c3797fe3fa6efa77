// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <new>

#include <safemodel/result.h>

namespace safemodel {

// CatchOutOfMemory runs `body`, which returns a Status or a Result; memory that the system refuses becomes kIo
// "out_of_memory". It allocates nothing itself. An exception must leave no thread, no step that others wait for, and no
// function of the public API.
template <typename Body>
auto CatchOutOfMemory(const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Error{Stage::kIo, "out_of_memory", "the system has not enough memory for this"};
  }
}

}  // namespace safemodel
