// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

namespace safemodel {

// Progress is called with bytes done and bytes in total, from any worker thread but never from two at once. Empty: no
// reports.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

}  // namespace safemodel
