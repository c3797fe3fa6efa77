// SPDX-License-Identifier: Apache-2.0
// Order in parallel work: steps that must happen one chunk after the other while the rest runs side by side.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <limits>
#include <mutex>

#include <safemodel/result.h>

namespace safemodel {

// Turnstile lets numbered tasks pass one at a time, in ascending order from 0. A task that fails, or leaves without
// having passed, stops it for all higher ones: the first error in order is the only one.
class Turnstile {
 public:
  // Ticket is the right and the duty of one task to pass. Take it first thing in the task: whatever ends the task
  // afterwards, an exception too, nobody waits for it for ever.
  class Ticket {
   public:
    Ticket(Turnstile& turnstile, std::size_t task) noexcept : turnstile_(turnstile), task_(task) {}
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() {
      if (!passed_) turnstile_.StopBehind(task_);
    }

    // InTurn waits until all lower tasks have passed, and runs `body`, which returns a Status. Returns ok without
    // running it when a lower task failed: passed() says which. Call it once at most.
    template <typename Body>
    Status InTurn(const Body& body) {
      if (!turnstile_.Enter(task_)) return {};
      Status status = body();
      passed_ = status.ok();
      if (passed_) turnstile_.Leave();
      return status;
    }
    [[nodiscard]] bool passed() const { return passed_; }

   private:
    Turnstile& turnstile_;
    std::size_t task_;
    bool passed_ = false;
  };

 private:
  bool Enter(std::size_t task);
  void Leave();
  void StopBehind(std::size_t task);

  std::mutex mutex_;
  std::condition_variable passed_;
  std::size_t turn_ = 0;
  std::size_t stopped_ = std::numeric_limits<std::size_t>::max();  // no task above this one passes
};

}  // namespace safemodel
