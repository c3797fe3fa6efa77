// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace safemodel {

unsigned ThreadCount(unsigned wanted) {
  if (wanted == 0) wanted = std::thread::hardware_concurrency();
  return std::clamp(wanted, 1u, 256u);
}

unsigned WorkerCount(std::size_t count, unsigned threads) {
  return static_cast<unsigned>(std::min<std::size_t>(ThreadCount(threads), count));
}

namespace {

struct Shared {
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> failed;  // the lowest failing index so far
  std::mutex mutex;
  Status status;
  explicit Shared(std::size_t count) : failed(count) {}
};

void Work(Shared& shared, unsigned worker, const std::function<Status(std::size_t, unsigned)>& body) {
  while (true) {
    const std::size_t i = shared.next.fetch_add(1);
    // An index above a failure cannot change the answer; one below it must still run.
    if (i >= shared.failed.load()) return;
    Status status = CatchOutOfMemory([&] { return body(i, worker); });
    if (status.ok()) continue;
    const std::lock_guard lock(shared.mutex);
    if (i < shared.failed.load()) {
      shared.failed.store(i);
      shared.status = std::move(status);
    }
  }
}

}  // namespace

Status ParallelFor(std::size_t count, unsigned threads, const std::function<Status(std::size_t, unsigned)>& body) {
  const unsigned workers = WorkerCount(count, threads);
  Shared shared(count);
  std::vector<std::thread> pool;
  pool.reserve(workers);
  for (unsigned worker = 1; worker < workers; ++worker) {
    try {
      pool.emplace_back([&shared, worker, &body] { Work(shared, worker, body); });
    } catch (const std::system_error&) {
      break;  // no more threads to be had: those there are do it all
    } catch (const std::bad_alloc&) {
      break;  // nor may an exception destroy the threads that run already
    }
  }
  Work(shared, 0, body);
  for (std::thread& thread : pool) thread.join();
  return shared.status;
}

}  // namespace safemodel
