// SPDX-License-Identifier: Apache-2.0
#include "trust/policy_text.h"

#include <algorithm>

namespace safemodel::trust {

const TrustedKey* KeyOfName(const std::vector<TrustedKey>& keys, std::string_view name) {
  if (name.empty()) return nullptr;
  const auto found = std::find_if(keys.begin(), keys.end(), [name](const TrustedKey& key) { return key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

}  // namespace safemodel::trust
