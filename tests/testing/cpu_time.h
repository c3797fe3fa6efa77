// SPDX-License-Identifier: Apache-2.0
// How long work takes, for bounds that tell linear from quadratic. They are generous: sanitizers are slow. Time of the
// processor, because tests share a machine.
#pragma once

#include <time.h>

namespace safemodel::testing {

// CpuSeconds returns how long this thread was busy with `work`.
template <typename Work>
double CpuSeconds(const Work& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double begin = now();
  work();
  return now() - begin;
}

}  // namespace safemodel::testing
