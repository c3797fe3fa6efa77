// SPDX-License-Identifier: Apache-2.0
// Order in parallel work: steps that must happen one chunk after the other while the rest runs side by side.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

#include <safemodel/result.h>

namespace safemodel {

// Turnstile lets numbered tasks pass one at a time, in ascending order from 0. A task that fails stops it: no higher
// task enters any more, so the first error in order is the only one. Every task must come to every turnstile it shares.
class Turnstile {
 public:
  // InTurn waits until all lower tasks have passed, and runs `body`. Returns ok without running it when a lower task
  // failed.
  Status InTurn(std::size_t task, const std::function<Status()>& body);

 private:
  std::mutex mutex_;
  std::condition_variable passed_;
  std::size_t turn_ = 0;
  bool stopped_ = false;
};

}  // namespace safemodel
