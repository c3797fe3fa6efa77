// SPDX-License-Identifier: Apache-2.0
#include "model/ordered.h"

#include <algorithm>

namespace safemodel {

bool Turnstile::Enter(std::size_t task) {
  std::unique_lock lock(mutex_);
  passed_.wait(lock, [&] { return turn_ == task || task > stopped_; });
  return task <= stopped_;
}

void Turnstile::Leave() {
  {
    const std::lock_guard lock(mutex_);
    ++turn_;
  }
  passed_.notify_all();
}

// Tasks below the one that stops it still pass: one of them may have the first error in order.
void Turnstile::StopBehind(std::size_t task) {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = std::min(stopped_, task);
  }
  passed_.notify_all();
}

}  // namespace safemodel
