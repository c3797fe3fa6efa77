// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

#include <safemodel/result.h>

#include "base/out_of_memory.h"

namespace safemodel {

// ThreadCount returns `wanted`, or the number of processors when it is zero; at least one, at most 256.
unsigned ThreadCount(unsigned wanted);

// WorkerCount returns on how many threads ParallelFor runs at most.
unsigned WorkerCount(std::size_t count, unsigned threads);

// ParallelFor calls body(i, worker) for every i below `count` on at most `threads` threads (the caller's is one of
// them). Tasks start in ascending order. The error of the lowest failing i is returned, whatever the number of threads;
// tasks above a failed one may be left out. Fewer threads than wanted do the same work. `worker` is below
// WorkerCount(count, threads): an index for scratch memory. A task that runs out of memory fails like any other;
// nothing is allocated between tasks.
Status ParallelFor(std::size_t count, unsigned threads,
                   const std::function<Status(std::size_t i, unsigned worker)>& body);

}  // namespace safemodel
