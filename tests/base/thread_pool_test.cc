// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace safemodel {
namespace {

Error ErrorOf(std::size_t i) { return {Stage::kMalformed, "test", "", i}; }

}  // namespace

TEST_CASE("threads: every task runs once") {
  for (const unsigned threads : {1u, 2u, 16u}) {
    std::vector<std::atomic<int>> runs(1000);
    std::atomic<bool> worker_in_range{true};
    const Status status = ParallelFor(runs.size(), threads, [&](std::size_t i, unsigned worker) -> Status {
      if (worker >= threads) worker_in_range = false;
      ++runs[i];
      return {};
    });
    CHECK(status.ok());
    CHECK(worker_in_range);
    for (const auto& count : runs) REQUIRE(count == 1);
  }
}

TEST_CASE("threads: nothing to do, and more threads than tasks") {
  CHECK(ParallelFor(0, 8, [](std::size_t, unsigned) -> Status { return ErrorOf(0); }).ok());
  std::atomic<int> runs{0};
  CHECK(ParallelFor(2, 16, [&](std::size_t, unsigned) -> Status {
          ++runs;
          return {};
        }).ok());
  CHECK(runs == 2);
}

TEST_CASE("threads: the lowest failing task decides, whoever fails first") {
  for (const unsigned threads : {1u, 4u, 16u}) {
    for (int round = 0; round < 20; ++round) {
      const Status status = ParallelFor(200, threads, [](std::size_t i, unsigned) -> Status {
        // The lower of the two failing tasks is the slower one.
        if (i == 40) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        if (i == 40 || i == 41 || i > 150) return ErrorOf(i);
        return {};
      });
      REQUIRE_FALSE(status.ok());
      CHECK(status.error().offset == 40);
    }
  }
}

TEST_CASE("threads: tasks above a failure may be left out, those below it not") {
  std::vector<std::atomic<int>> runs(1000);
  const Status status = ParallelFor(runs.size(), 8, [&](std::size_t i, unsigned) -> Status {
    ++runs[i];
    if (i == 100) return ErrorOf(i);
    return {};
  });
  CHECK_FALSE(status.ok());
  for (std::size_t i = 0; i <= 100; ++i) CHECK(runs[i] == 1);
}

TEST_CASE("threads: the number is at least one and at most 256") {
  CHECK(ThreadCount(0) >= 1);
  CHECK(ThreadCount(3) == 3);
  CHECK(ThreadCount(100000) == 256);
}

}  // namespace safemodel
