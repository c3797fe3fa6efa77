// SPDX-License-Identifier: Apache-2.0
#include "model/decode_budget.h"

#include <limits>

#include "base/checked.h"

namespace safemodel {

DecodeBudget::DecodeBudget(std::uint64_t plain_bytes, const Limits& limits) : factor_(limits.decode_expansion) {
  Allow(plain_bytes);
}

void DecodeBudget::Allow(std::uint64_t produced) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t more = CheckedMul<std::uint64_t>(produced, factor_).value_or(kMost);
  std::uint64_t left = left_.load();
  while (!left_.compare_exchange_weak(left, CheckedAdd(left, more).value_or(kMost))) {
  }
}

Status DecodeBudget::Spend(std::uint64_t bytes) {
  std::uint64_t left = left_.load();
  do {
    if (left < bytes) {
      return Error{Stage::kLimit, "decode_work",
                   "the views of tensors would decode what is stored far too often; ask for fewer at once"};
    }
  } while (!left_.compare_exchange_weak(left, left - bytes));
  return {};
}

}  // namespace safemodel
