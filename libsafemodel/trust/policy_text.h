// SPDX-License-Identifier: Apache-2.0
// What reading a policy and checking it share: the bound of its lists, and its keys by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/policy.h>

namespace safemodel::trust {

// Far above any release process; bounds the work of a verification. So many keys, rules, revoked keys, exceptions of a
// revoked key, logs and witnesses may a policy have.
inline constexpr std::size_t kMostPolicyEntries = 4096;

// KeyOfName returns the key of this name, or null. The empty name is nobody's.
const TrustedKey* KeyOfName(const std::vector<TrustedKey>& keys, std::string_view name);

}  // namespace safemodel::trust
