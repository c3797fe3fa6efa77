// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

#include <safemodel/result.h>

namespace safemodel {

// ThreadCount returns `wanted`, or the number of processors when it is zero; at least one, at most 256.
unsigned ThreadCount(unsigned wanted);

// ParallelFor calls body(i, worker) for every i below `count` on at most `threads` threads (the caller's is one of
// them). Tasks start in ascending order. The error of the lowest failing i is returned, whatever the number of threads;
// tasks above a failed one may be left out. `worker` is below ThreadCount(threads): an index for scratch memory.
Status ParallelFor(std::size_t count, unsigned threads,
                   const std::function<Status(std::size_t i, unsigned worker)>& body);

}  // namespace safemodel
