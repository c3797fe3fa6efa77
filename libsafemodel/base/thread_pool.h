// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

#include <safemodel/result.h>

namespace safemodel {

// ThreadCount returns `wanted`, or the number of processors when it is zero; at least one, at most 256.
unsigned ThreadCount(unsigned wanted);

// CatchOutOfMemory runs `body`; memory that the system refuses becomes kIo "out_of_memory". An exception must leave no thread, and
// no step that others wait for.
Status CatchOutOfMemory(const std::function<Status()>& body);

// ParallelFor calls body(i, worker) for every i below `count` on at most `threads` threads (the caller's is one of
// them). Tasks start in ascending order. The error of the lowest failing i is returned, whatever the number of threads;
// tasks above a failed one may be left out. Fewer threads than wanted do the same work. `worker` is below ThreadCount(threads): an index for scratch memory.
Status ParallelFor(std::size_t count, unsigned threads,
                   const std::function<Status(std::size_t i, unsigned worker)>& body);

}  // namespace safemodel
