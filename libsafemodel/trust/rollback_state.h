// SPDX-License-Identifier: Apache-2.0
// The bytes of a rollback state file, and changing it under its lock. Spec: section 11.6.
#pragma once

#include <functional>
#include <string>

#include <safemodel/rollback_state.h>

namespace safemodel::trust {

inline constexpr std::uint64_t kStateBytes = 16u << 20;
inline constexpr std::size_t kStateModels = 1u << 16;
inline constexpr std::uint64_t kMostSequence = (std::uint64_t{1} << 53) - 1;

// ParseState reads exactly what SerializeState writes.
Result<RollbackState> ParseState(std::string_view text);
std::string SerializeState(const RollbackState& state);

// Change looks at the state as it is under the lock. It says whether it changed it, or why nothing must be written.
enum class Changed : std::uint8_t { kNo, kYes };
using StateChange = std::function<Result<Changed>(RollbackState&)>;
Status UpdateState(const std::string& path, const StateChange& change);

}  // namespace safemodel::trust
