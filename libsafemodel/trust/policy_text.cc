// SPDX-License-Identifier: Apache-2.0
#include "trust/policy_text.h"

#include <algorithm>

namespace safemodel::trust {

const TrustedKey* KeyOfName(const std::vector<TrustedKey>& keys, std::string_view name) {
  if (name.empty()) return nullptr;
  const auto found = std::find_if(keys.begin(), keys.end(), [name](const TrustedKey& key) { return key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

std::optional<Digest> DigestOfHex(std::string_view hex) {
  Digest digest{};
  if (hex.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const auto value = std::string_view("0123456789abcdef").find(hex[i]);
    if (value == std::string_view::npos) return std::nullopt;
    digest[i / 2] = static_cast<std::uint8_t>(digest[i / 2] * 16u + value);
  }
  return digest;
}

}  // namespace safemodel::trust
