// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <safemodel/limits.h>
#include <safemodel/result.h>

namespace safemodel {

// DecodeBudget bounds the plain bytes of one object that a call decodes [L-DECODE]: Limits::decode_expansion times the
// object's own bytes and those produced from it. Views that jump to and fro between chunks would otherwise let a small
// container keep a reader busy for ever. Safe to use from several threads.
class DecodeBudget {
 public:
  DecodeBudget(std::uint64_t plain_bytes, const Limits& limits);
  // Allow adds what `produced` more bytes may cost.
  void Allow(std::uint64_t produced);
  // Spend takes the bytes of one chunk; kLimit "decode_work" when they are not there any more.
  Status Spend(std::uint64_t bytes);

 private:
  std::uint32_t factor_;
  std::atomic<std::uint64_t> left_{0};
};

using SharedBudget = std::shared_ptr<DecodeBudget>;

}  // namespace safemodel
