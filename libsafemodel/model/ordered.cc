// SPDX-License-Identifier: Apache-2.0
#include "model/ordered.h"

namespace safemodel {

Status Turnstile::InTurn(std::size_t task, const std::function<Status()>& body) {
  {
    std::unique_lock lock(mutex_);
    passed_.wait(lock, [&] { return stopped_ || turn_ == task; });
    if (stopped_) return {};
  }
  Status status = body();
  {
    const std::lock_guard lock(mutex_);
    if (!status.ok()) stopped_ = true;
    ++turn_;
  }
  passed_.notify_all();
  return status;
}

}  // namespace safemodel
