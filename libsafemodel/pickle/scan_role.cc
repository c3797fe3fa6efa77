// SPDX-License-Identifier: Apache-2.0
#include "pickle/scan_role.h"

#include <algorithm>

#include "pickle/opcode.h"
#include "pickle/torch_records.h"

namespace safemodel::pickle {

bool MayHoldPickle(ByteView head) {
  const auto is = [&](Opcode opcode) { return head[0] == static_cast<std::uint8_t>(opcode); };
  return (is(Opcode::kProto) && head[1] <= 5) || is(Opcode::kGlobal) || is(Opcode::kMark);
}

bool IsKnown(const std::string& name, const std::vector<std::string>& known) {
  return std::find(known.begin(), known.end(), name) != known.end();
}

std::string_view BareName(std::string_view name) { return name.substr(name.rfind('/') + 1); }

Role RoleOf(std::string_view name, const std::vector<std::string>& known) {
  constexpr std::size_t kSuffix = 4;  // ".pkl"
  for (const std::string& pickle : known) {
    const std::string_view stem = std::string_view(pickle).substr(0, pickle.size() - kSuffix);
    const bool below = name.size() > stem.size() && name.starts_with(stem) && name[stem.size()] == '/';
    if (below && name.find('/', stem.size() + 1) == std::string_view::npos) return Role::kStorage;
  }
  return Role::kInput;
}

Result<bool> IsRecord(const ZipArchive& archive, const ZipEntry& entry, const std::vector<std::string>& known) {
  if (known.empty()) return false;
  const std::string_view pickle = known.front();
  return IsTorchRecord(archive, entry, pickle.substr(0, pickle.size() - BareName(pickle).size()));
}

}  // namespace safemodel::pickle
